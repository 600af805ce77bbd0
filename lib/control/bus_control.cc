#include "lib/control/bus_control.h"

#include <unistd.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "lib/base/status.h"
#include "lib/control/move_json.h"
#include "lib/control/reply.h"

namespace tieline::inline v0 {
namespace {

using control::Json;

constexpr int64_t kMostEntries = 1000;
// Of the texts of one answer's journal entries.
constexpr size_t kMostEntryBytes = size_t{1} << 20;

// One request: its members, checked as they are taken.
class Request {
 public:
  explicit Request(std::string_view text)
      : json_(Json::parse(text, nullptr, /*allow_exceptions=*/false)) {}

  absl::Status Check() const {
    if (json_.is_object()) return absl::OkStatus();
    return absl::InvalidArgumentError(
        "expected a JSON object such as {\"op\":\"ping\"}");
  }

  absl::StatusOr<std::string> Text(const char* name) const {
    const auto it = json_.find(name);
    if (it == json_.end() || !it->is_string()) {
      return InvalidArgument("expected \"{}\", a string", name);
    }
    return it->get<std::string>();
  }

  absl::StatusOr<bool> Flag(const char* name) const {
    const auto it = json_.find(name);
    if (it == json_.end()) return false;
    if (!it->is_boolean()) {
      return InvalidArgument("expected \"{}\", true or false", name);
    }
    return it->get<bool>();
  }

  absl::StatusOr<uint64_t> Number(const char* name, uint64_t otherwise) const {
    const auto it = json_.find(name);
    if (it == json_.end()) return otherwise;
    if (!it->is_number_unsigned()) {
      return InvalidArgument("expected \"{}\", a whole number", name);
    }
    return it->get<uint64_t>();
  }

 private:
  const Json json_;
};

Json Fine() { return {{"ok", true}}; }

absl::StatusOr<QueueConfig> FindQueue(const Config& config,
                                      const std::string& name) {
  const auto it = config.queues.find(name);
  if (it == config.queues.end()) {
    return MakeStatus(absl::StatusCode::kNotFound, "there is no queue \"{}\"",
                      name);
  }
  QueueConfig queue = it->second;
  queue.name = name;
  return queue;
}

// The config with the queue moved; nothing when it is there already.
absl::StatusOr<std::optional<Config>> MovedConfig(const Config& config,
                                                  const Request& request) {
  TIELINE_ASSIGN_OR_RETURN(const std::string name, request.Text("queue"));
  TIELINE_ASSIGN_OR_RETURN(const std::string to, request.Text("to"));
  TIELINE_ASSIGN_OR_RETURN(QueueConfig queue, FindQueue(config, name));
  TIELINE_ASSIGN_OR_RETURN(const uint64_t generation,
                           request.Number("generation", queue.generation + 1));
  if (config.brokers.count(to) == 0) {
    return InvalidArgument("there is no broker \"{}\"", to);
  }
  if (queue.broker == to) return std::optional<Config>();
  if (generation <= queue.generation) {
    return InvalidArgument(
        "generation {} is not above that of queue \"{}\", which is {}",
        generation, name, queue.generation);
  }
  queue.was.push_back({queue.broker, queue.generation, ""});
  queue.broker = to;
  queue.generation = generation;
  std::optional<Config> moved = config;
  moved->queues[name] = std::move(queue);
  return moved;
}

absl::StatusOr<Json> PlanOrApply(ControlTarget* target, const Request& request,
                                 bool apply) {
  const Config config = target->config();
  TIELINE_ASSIGN_OR_RETURN(const std::string name, request.Text("queue"));
  TIELINE_ASSIGN_OR_RETURN(const std::optional<Config> moved,
                           MovedConfig(config, request));
  Json answer = Fine();
  answer["moves"] = Json::array();
  if (!moved.has_value()) {
    answer["binding"] = control::BindingToJson(config.queues.at(name));
    return answer;
  }
  TIELINE_ASSIGN_OR_RETURN(ChangePlan plan, target->Plan(*moved));
  TIELINE_ASSIGN_OR_RETURN(plan.accepts_existing,
                           request.Flag("accept_existing"));
  if (apply) TIELINE_RETURN_IF_ERROR(target->Apply(plan));
  for (const PlannedMove& move : plan.moves) {
    answer["moves"].push_back(control::ToJson(move));
  }
  answer["binding"] = control::BindingToJson(moved->queues.at(name));
  return answer;
}

absl::StatusOr<Json> Journal(ControlTarget* target, const Request& request) {
  TIELINE_ASSIGN_OR_RETURN(uint64_t next, request.Number("from", 1));
  TIELINE_ASSIGN_OR_RETURN(const uint64_t limit, request.Number("limit", 100));
  TIELINE_ASSIGN_OR_RETURN(
      const std::vector<JournalRecord> entries,
      target->ReadJournal(
          next, static_cast<int64_t>(std::min<uint64_t>(limit, kMostEntries))));
  Json answer = Fine();
  answer["entries"] = Json::array();
  size_t bytes = 0;
  for (const JournalRecord& entry : entries) {
    bytes += entry.kind.size() + entry.json.size();
    if (bytes > kMostEntryBytes && !answer["entries"].empty()) break;
    Json detail = Json::parse(entry.json, nullptr, /*allow_exceptions=*/false);
    if (detail.is_discarded()) detail = entry.json;
    answer["entries"].push_back(
        {{"number", entry.number},
         {"time", absl::FormatTime(absl::RFC3339_full, entry.time,
                                   absl::UTCTimeZone())},
         {"kind", entry.kind},
         {"detail", std::move(detail)}});
    next = entry.number + 1;
  }
  answer["next"] = next;
  return answer;
}

absl::StatusOr<Json> Moves(ControlTarget* target, const Request&) {
  Json answer = Fine();
  answer["moves"] = Json::array();
  for (const MoveReport& report : target->moves()) {
    answer["moves"].push_back(control::ToJson(report));
  }
  return answer;
}

absl::StatusOr<Json> Queue(ControlTarget* target, const Request& request) {
  TIELINE_ASSIGN_OR_RETURN(const std::string name, request.Text("queue"));
  TIELINE_ASSIGN_OR_RETURN(const QueueConfig queue,
                           FindQueue(target->config(), name));
  Json answer = Fine();
  answer["binding"] = control::BindingToJson(queue);
  return answer;
}

absl::StatusOr<Json> StandingOf(ControlTarget* target, const Request& request) {
  TIELINE_ASSIGN_OR_RETURN(const std::string name, request.Text("queue"));
  TIELINE_ASSIGN_OR_RETURN(const uint64_t generation,
                           request.Number("generation", 0));
  if (generation == 0) {
    return InvalidArgument("expected \"generation\", a whole number from 1");
  }
  TIELINE_ASSIGN_OR_RETURN(const MemberStanding said,
                           target->StandingOf(name, generation));
  Json answer = Fine();
  answer["standing"] = said.standing;
  answer["run"] = said.run;
  return answer;
}

using Ask = absl::StatusOr<Json> (*)(ControlTarget*, const Request&);
struct Op {
  std::string_view name;
  Ask ask;
};

constexpr Op kOps[] = {
    {"ping",
     [](ControlTarget*, const Request&) -> absl::StatusOr<Json> {
       Json answer = Fine();
       answer["pid"] = getpid();
       return answer;
     }},
    {"config",
     [](ControlTarget* target, const Request&) -> absl::StatusOr<Json> {
       Json answer = Fine();
       answer["yaml"] = target->config().ToYaml();
       return answer;
     }},
    {"queue", Queue},
    {"plan",
     [](ControlTarget* target, const Request& request) {
       return PlanOrApply(target, request, /*apply=*/false);
     }},
    {"apply",
     [](ControlTarget* target, const Request& request) {
       return PlanOrApply(target, request, /*apply=*/true);
     }},
    {"moves", Moves},
    {"proceed",
     [](ControlTarget* target, const Request& request) -> absl::StatusOr<Json> {
       TIELINE_ASSIGN_OR_RETURN(const std::string name, request.Text("queue"));
       TIELINE_RETURN_IF_ERROR(target->Proceed(name));
       return Fine();
     }},
    {"cancel",
     [](ControlTarget* target, const Request& request) -> absl::StatusOr<Json> {
       TIELINE_ASSIGN_OR_RETURN(const std::string name, request.Text("queue"));
       TIELINE_RETURN_IF_ERROR(target->Cancel(name));
       return Fine();
     }},
    {"journal", Journal},
    {"standing", StandingOf},
};

absl::StatusOr<Json> Do(ControlTarget* target, std::string_view text) {
  const Request request(text);
  TIELINE_RETURN_IF_ERROR(request.Check());
  TIELINE_ASSIGN_OR_RETURN(const std::string name, request.Text("op"));
  std::string names;
  for (const Op& op : kOps) {
    if (op.name == name) return op.ask(target, request);
    names += names.empty() ? "" : ", ";
    names += op.name;
  }
  return MakeStatus(absl::StatusCode::kUnimplemented,
                    "unknown op \"{}\"; expected one of {}", name, names);
}

}  // namespace

std::string BusControl::Answer(std::string_view request) const {
  const absl::StatusOr<Json> answer = Do(target_, request);
  return answer.ok() ? control::ToLine(*answer)
                     : control::ErrorReply(answer.status());
}

}  // namespace tieline::inline v0
