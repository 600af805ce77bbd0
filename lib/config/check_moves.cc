#include "lib/config/check_moves.h"

#include <fmt/format.h>

#include <set>
#include <string>
#include <utility>
#include <vector>

#include "lib/config/schema.h"

namespace tieline::inline v0 {
namespace config {
namespace {

// The present one counted: what a move keeps in mind.
constexpr size_t kMaxBindings = 16;
constexpr size_t kMaxMembers = 64;
constexpr absl::Duration kLongest = absl::Hours(24 * 366);

class Checker {
 public:
  Checker(const Config& config, Faults* faults)
      : config_(config), faults_(faults) {}

  void Run() {
    for (const auto& [name, queue] : config_.queues) {
      Queue("queues." + name, queue);
    }
    Moves();
  }

 private:
  template <typename... Args>
  void Add(const std::string& path, fmt::format_string<Args...> format,
           Args&&... args) {
    faults_->Add(path, {}, fmt::format(format, std::forward<Args>(args)...));
  }

  void Queue(const std::string& path, const QueueConfig& queue) {
    if (queue.generation < 1 || queue.generation > kMaxGeneration) {
      Add(path + ".generation", "{} is out of range; expected 1 to {}",
          queue.generation, kMaxGeneration);
      return;
    }
    if (queue.was.size() >= kMaxBindings) {
      Add(path + ".was",
          "names {} brokers; with the present one there are {} at most, so "
          "drain some and take them out",
          queue.was.size(), kMaxBindings);
      return;
    }
    // What the next entry has to be below, and differ from.
    const std::string entity = EntityOf(queue);
    FormerBroker next = {queue.broker, queue.generation, entity};
    bool next_is_queue = true;
    for (size_t i = queue.was.size(); i-- > 0;) {
      FormerBroker former = queue.was[i];
      if (former.entity.empty()) former.entity = entity;
      Former(fmt::format("{}.was[{}]", path, i), former, next,
             next_is_queue ? "the queue's" : "the next entry's");
      next = std::move(former);
      next_is_queue = false;
    }
  }

  static std::string EntityOf(const QueueConfig& queue) {
    return queue.entity.empty() ? queue.name : queue.entity;
  }

  void Former(const std::string& path, const FormerBroker& former,
              const FormerBroker& next, std::string_view whose) {
    if (config_.brokers.find(former.broker) == config_.brokers.end()) {
      std::vector<std::string_view> names;
      for (const auto& [broker, unused] : config_.brokers) {
        names.push_back(broker);
      }
      Add(path + ".broker", "there is no broker \"{}\"{}", former.broker,
          names.empty() ? "; add one under brokers"
                        : Suggestion(former.broker, names));
    } else if (former.broker == next.broker && former.entity == next.entity) {
      Add(path + ".broker",
          "\"{}\" is {} broker too; a move goes to another broker, so take "
          "one of them out",
          former.broker, whose);
    }
    if (former.generation < 1) {
      Add(path + ".generation",
          "is below 1, counted from {} ({}); give the queue a higher "
          "generation",
          whose, next.generation);
    } else if (former.generation >= next.generation) {
      Add(path + ".generation",
          "{} is not below {} ({}); the oldest stands first, and the queue's "
          "own generation is above all of them",
          former.generation, whose, next.generation);
    }
  }

  void Moves() {
    const MoveConfig& move = config_.move;
    for (const auto& [name, duration] :
         {std::pair{"dead_after", move.dead_after},
          std::pair{"fence_timeout", move.fence_timeout},
          std::pair{"retire_time", move.retire_time},
          std::pair{"quiet_period", move.quiet_period}}) {
      if (duration <= absl::ZeroDuration() || duration > kLongest) {
        Add(fmt::format("move.{}", name),
            "is out of range; expected more than 0 and up to a year");
      }
    }
    if (move.members.size() > kMaxMembers) {
      Add("move.members", "names {} sockets; expected {} at most",
          move.members.size(), kMaxMembers);
      return;
    }
    std::set<std::string_view> seen;
    for (size_t i = 0; i < move.members.size(); ++i) {
      const std::string& member = move.members[i];
      const std::string path = fmt::format("move.members[{}]", i);
      if (member.empty()) Add(path, "is empty; expected a path");
      if (!seen.insert(member).second) Add(path, "is given twice; keep one");
    }
  }

  const Config& config_;
  Faults* faults_;
};

}  // namespace

void CountGenerations(uint64_t* generation, std::vector<FormerBroker>* was) {
  if (*generation == 0) *generation = 1 + was->size();
  uint64_t next = *generation;
  for (size_t i = was->size(); i-- > 0;) {
    uint64_t& own = (*was)[i].generation;
    if (own == 0 && next > 0) own = next - 1;
    next = own;
  }
}

void CheckMoves(const Config& config, Faults* faults) {
  Checker(config, faults).Run();
}

}  // namespace config
}  // namespace tieline::inline v0
