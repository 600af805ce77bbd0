#include "lib/move/places.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <utility>

#include "fmt/format.h"
#include "lib/base/status.h"

namespace tieline::inline v0 {
namespace {

using Json = nlohmann::json;

constexpr std::array<std::string_view, 3> kStages = {"asking", "open",
                                                     "proved"};

absl::Status Damaged(std::string_view what) {
  return MakeStatus(absl::StatusCode::kDataLoss,
                    "the state file's record of a move is damaged: {}", what);
}

// FNV-1a: told apart are configs, not adversaries.
uint64_t Mix(uint64_t hash, std::string_view text) {
  for (const char c : text) {
    hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3u;
  }
  return (hash ^ 0xff) * 0x100000001b3u;
}

}  // namespace

PlaceId Places::Add(const QueueConfig& queue) {
  const auto it = std::find_if(
      places_.begin(), places_.end(), [&](const QueueConfig& known) {
        return known.broker == queue.broker && known.entity == queue.entity;
      });
  if (it != places_.end()) {
    return static_cast<PlaceId>(it - places_.begin()) + 1;
  }
  places_.push_back(queue);
  return static_cast<PlaceId>(places_.size());
}

std::string Places::NameOf(PlaceId place) const {
  const QueueConfig& named = at(place);
  const bool is_alone = std::count_if(places_.begin(), places_.end(),
                                      [&](const QueueConfig& other) {
                                        return other.broker == named.broker;
                                      }) == 1;
  return is_alone ? named.broker
                  : fmt::format("{}/{}", named.broker, named.entity);
}

MovePlan Places::PlanOf(const QueueConfig& queue) {
  MovePlan plan;
  for (const FormerBroker& former : queue.was) {
    QueueConfig then = queue;
    then.broker = former.broker;
    if (!former.entity.empty()) then.entity = former.entity;
    plan.bindings.push_back({former.generation, Add(then)});
  }
  plan.bindings.push_back({queue.generation, Add(queue)});
  return plan;
}

std::string Places::Encode(const MoveRecord& record) const {
  const auto encode = [this](const Binding& binding) {
    const QueueConfig& queue = at(binding.place);
    return Json{{"generation", binding.generation},
                {"broker", queue.broker},
                {"entity", queue.entity}};
  };
  Json json;
  json["present"] = encode(record.present);
  json["undrained"] = Json::array();
  for (const Undrained& undrained : record.undrained) {
    Json one = encode(undrained.binding);
    one["stage"] = kStages[static_cast<size_t>(undrained.stage)];
    json["undrained"].push_back(std::move(one));
  }
  json["retired"] = Json::array();
  for (const Retired& retired : record.retired) {
    Json one = encode(retired.binding);
    one["given_up"] = retired.given_up;
    json["retired"].push_back(std::move(one));
  }
  return json.dump();
}

absl::StatusOr<MoveRecord> Places::Decode(std::string_view text,
                                          const QueueConfig& queue) {
  const Json json = Json::parse(text, nullptr, false);
  if (!json.is_object()) return Damaged("it is no JSON object");
  const auto decode = [&](const Json& one) -> absl::StatusOr<Binding> {
    const auto generation = one.find("generation");
    const auto broker = one.find("broker");
    const auto entity = one.find("entity");
    if (generation == one.end() || !generation->is_number_unsigned() ||
        broker == one.end() || !broker->is_string() || entity == one.end() ||
        !entity->is_string()) {
      return Damaged("a binding is not complete");
    }
    QueueConfig at_it = queue;
    at_it.broker = broker->get<std::string>();
    at_it.entity = entity->get<std::string>();
    return Binding{generation->get<uint64_t>(), Add(at_it)};
  };
  const auto list = [&](const char* name) {
    const auto it = json.find(name);
    return it != json.end() && it->is_array() ? *it : Json::array();
  };
  MoveRecord record;
  const auto present = json.find("present");
  if (present == json.end()) return Damaged("it has no present place");
  TIELINE_ASSIGN_OR_RETURN(record.present, decode(*present));
  for (const Json& one : list("undrained")) {
    Undrained undrained;
    TIELINE_ASSIGN_OR_RETURN(undrained.binding, decode(one));
    const std::string stage = one.value("stage", "");
    const auto it = std::find(kStages.begin(), kStages.end(), stage);
    if (it == kStages.end()) return Damaged("an unknown stage");
    undrained.stage = static_cast<DrainStage>(it - kStages.begin());
    record.undrained.push_back(undrained);
  }
  for (const Json& one : list("retired")) {
    Retired retired;
    TIELINE_ASSIGN_OR_RETURN(retired.binding, decode(one));
    retired.given_up = one.value("given_up", false);
    record.retired.push_back(retired);
  }
  return record;
}

std::string DigestOf(const QueueConfig& queue) {
  uint64_t hash = 0xcbf29ce484222325u;
  for (const FormerBroker& former : queue.was) {
    hash = Mix(hash, former.broker);
    hash = Mix(hash, former.entity);
    hash = Mix(hash, fmt::format("{}", former.generation));
  }
  hash = Mix(hash, queue.broker);
  hash = Mix(hash, queue.entity);
  hash = Mix(hash, fmt::format("{}", queue.generation));
  return fmt::format("{:016x}", hash);
}

}  // namespace tieline::inline v0
