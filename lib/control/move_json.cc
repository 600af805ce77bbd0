#include "lib/control/move_json.h"

#include <string>
#include <vector>

#include "lib/base/status.h"

namespace tieline::inline v0::control {
namespace {

double Milliseconds(absl::Duration duration) {
  return absl::ToDoubleMilliseconds(duration);
}

// Members that are missing or of another type leave the default; objects that
// are none are noticed before.
void Get(const Json& json, const char* name, std::string* into) {
  const auto it = json.find(name);
  if (it != json.end() && it->is_string()) *into = it->get<std::string>();
}
void Get(const Json& json, const char* name, uint64_t* into) {
  const auto it = json.find(name);
  if (it != json.end() && it->is_number_unsigned()) *into = it->get<uint64_t>();
}
void Get(const Json& json, const char* name, int64_t* into) {
  const auto it = json.find(name);
  if (it != json.end() && it->is_number_integer()) *into = it->get<int64_t>();
}
void Get(const Json& json, const char* name, bool* into) {
  const auto it = json.find(name);
  if (it != json.end() && it->is_boolean()) *into = it->get<bool>();
}
void Get(const Json& json, const char* name, absl::Duration* into) {
  const auto it = json.find(name);
  if (it != json.end() && it->is_number()) {
    *into = absl::Milliseconds(it->get<double>());
  }
}
void Get(const Json& json, const char* name, absl::Time* into) {
  std::string text;
  Get(json, name, &text);
  absl::ParseTime(absl::RFC3339_full, text, into, nullptr);
}
void Get(const Json& json, const char* name, std::vector<std::string>* into) {
  const auto it = json.find(name);
  if (it == json.end() || !it->is_array()) return;
  for (const Json& one : *it) {
    if (one.is_string()) into->push_back(one.get<std::string>());
  }
}

absl::Status CheckObject(const Json& json) {
  if (json.is_object()) return absl::OkStatus();
  return absl::InternalError("control socket: expected a JSON object");
}

}  // namespace

Json ToJson(const PlannedMove& move) {
  return {{"queue", move.queue},
          {"from", move.from},
          {"to", move.to},
          {"from_generation", move.from_generation},
          {"to_generation", move.to_generation},
          {"notes", move.notes}};
}

Json ToJson(const MoveReport& report) {
  Json stages = Json::array();
  for (const MoveReport::Stage& stage : report.stages) {
    stages.push_back(
        {{"name", stage.name},
         {"began", absl::FormatTime(absl::RFC3339_full, stage.began,
                                    absl::UTCTimeZone())},
         {"took_ms", Milliseconds(stage.took)}});
  }
  Json json = {{"queue", report.queue},
               {"from", report.from},
               {"to", report.to},
               {"generation", report.generation},
               {"state", report.state},
               {"stages", stages},
               {"longest_pause_ms", Milliseconds(report.longest_pause)},
               {"in_flight", report.in_flight},
               {"in_doubt", report.in_doubt},
               {"held", report.held},
               {"drained", report.drained},
               {"late", report.late},
               {"suppressed", report.suppressed},
               {"replayed", report.replayed},
               {"left", report.left},
               {"proof", report.proof}};
  if (!report.status.ok()) {
    json["status"] = {{"code", CodeName(report.status.code())},
                      {"error", std::string(MessageOf(report.status))}};
  }
  json["drained_all"] = report.drained_all;
  json["over"] = report.over;
  return json;
}

Json BindingToJson(const QueueConfig& queue) {
  Json was = Json::array();
  for (const FormerBroker& former : queue.was) {
    Json one = {{"broker", former.broker}, {"generation", former.generation}};
    if (!former.entity.empty()) one["entity"] = former.entity;
    was.push_back(one);
  }
  return {{"queue", queue.name},
          {"broker", queue.broker},
          {"generation", queue.generation},
          {"was", was},
          {"entity", queue.entity}};
}

absl::StatusOr<PlannedMove> PlannedMoveFromJson(const Json& json) {
  TIELINE_RETURN_IF_ERROR(CheckObject(json));
  PlannedMove move;
  Get(json, "queue", &move.queue);
  Get(json, "from", &move.from);
  Get(json, "to", &move.to);
  Get(json, "from_generation", &move.from_generation);
  Get(json, "to_generation", &move.to_generation);
  Get(json, "notes", &move.notes);
  return move;
}

absl::StatusOr<MoveReport> MoveReportFromJson(const Json& json) {
  TIELINE_RETURN_IF_ERROR(CheckObject(json));
  MoveReport report;
  Get(json, "queue", &report.queue);
  Get(json, "from", &report.from);
  Get(json, "to", &report.to);
  Get(json, "generation", &report.generation);
  Get(json, "state", &report.state);
  Get(json, "longest_pause_ms", &report.longest_pause);
  Get(json, "in_flight", &report.in_flight);
  Get(json, "in_doubt", &report.in_doubt);
  Get(json, "held", &report.held);
  Get(json, "drained", &report.drained);
  Get(json, "late", &report.late);
  Get(json, "suppressed", &report.suppressed);
  Get(json, "replayed", &report.replayed);
  Get(json, "left", &report.left);
  Get(json, "proof", &report.proof);
  Get(json, "drained_all", &report.drained_all);
  Get(json, "over", &report.over);
  const auto status = json.find("status");
  if (status != json.end() && status->is_object()) {
    std::string code, error;
    Get(*status, "code", &code);
    Get(*status, "error", &error);
    report.status = absl::Status(CodeOf(code), error);
  }
  const auto stages = json.find("stages");
  if (stages == json.end() || !stages->is_array()) return report;
  for (const Json& one : *stages) {
    TIELINE_RETURN_IF_ERROR(CheckObject(one));
    MoveReport::Stage stage;
    Get(one, "name", &stage.name);
    Get(one, "began", &stage.began);
    Get(one, "took_ms", &stage.took);
    report.stages.push_back(std::move(stage));
  }
  return report;
}

absl::StatusOr<QueueConfig> BindingFromJson(const Json& json) {
  TIELINE_RETURN_IF_ERROR(CheckObject(json));
  QueueConfig queue;
  Get(json, "queue", &queue.name);
  Get(json, "broker", &queue.broker);
  Get(json, "generation", &queue.generation);
  Get(json, "entity", &queue.entity);
  const auto was = json.find("was");
  if (was == json.end() || !was->is_array()) return queue;
  for (const Json& one : *was) {
    TIELINE_RETURN_IF_ERROR(CheckObject(one));
    FormerBroker former;
    Get(one, "broker", &former.broker);
    Get(one, "generation", &former.generation);
    Get(one, "entity", &former.entity);
    queue.was.push_back(std::move(former));
  }
  return queue;
}

}  // namespace tieline::inline v0::control
