#include "lib/engine/route_steps.h"

namespace tieline::inline v0 {
namespace {

bool Matches(const RouteStep& step, const Message& message) {
  const Value* value = message.properties().Find(step.name);
  if (value == nullptr) return false;
  // A plain value in the config matches any type with the same text.
  return *value == step.value || value->ToText() == step.value.ToText();
}

void Change(const RouteStep& step, Message& message) {
  switch (step.kind) {
    case RouteStep::Kind::kSet:
      message.set_property(step.name, step.value);
      return;
    case RouteStep::Kind::kRename:
      if (message.properties().Find(step.name) != nullptr) {
        message.mutable_properties().Rename(step.name, step.to);
      }
      return;
    case RouteStep::Kind::kDrop:
      if (message.properties().Find(step.name) != nullptr) {
        message.mutable_properties().Remove(step.name);
      }
      return;
    case RouteStep::Kind::kKeyFrom:
      if (const Value* value = message.properties().Find(step.name)) {
        message.set_key(value->ToText());
      }
      return;
    case RouteStep::Kind::kKeySet:
      message.set_key(step.to);
      return;
    case RouteStep::Kind::kWhere:
    case RouteStep::Kind::kWhereNot:
      return;
  }
}

}  // namespace

Verdict ApplySteps(const std::vector<RouteStep>& steps, Message& message) {
  for (const RouteStep& step : steps) {
    if (step.kind == RouteStep::Kind::kWhere) {
      if (!Matches(step, message)) return Verdict::kDrop;
    } else if (step.kind == RouteStep::Kind::kWhereNot) {
      if (Matches(step, message)) return Verdict::kDrop;
    } else {
      Change(step, message);
    }
  }
  return Verdict::kPass;
}

}  // namespace tieline::inline v0
