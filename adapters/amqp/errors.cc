#include "adapters/amqp/errors.h"

#include <string>

#include "lib/base/status.h"

namespace tieline::inline v0::amqp {
namespace {

struct Meaning {
  std::string_view condition;
  absl::StatusCode code;
  std::string_view remedy;
};

constexpr Meaning kMeanings[] = {
    {"amqp:not-found", absl::StatusCode::kNotFound,
     "check the entity's name, or create it"},
    {"amqp:unauthorized-access", absl::StatusCode::kPermissionDenied,
     "check the user's rights on this entity"},
    {"amqp:link:message-size-exceeded", absl::StatusCode::kInvalidArgument,
     "send smaller messages"},
    {"amqp:decode-error", absl::StatusCode::kInvalidArgument,
     "the message is malformed"},
    {"amqp:invalid-field", absl::StatusCode::kInvalidArgument,
     "check the entity's name and settings"},
    {"amqp:not-allowed", absl::StatusCode::kInvalidArgument,
     "check the entity's kind and settings"},
    {"amqp:precondition-failed", absl::StatusCode::kInvalidArgument,
     "check that the entity was not declared with other settings"},
    {"amqp:not-implemented", absl::StatusCode::kUnimplemented,
     "the broker can't do this"},
    {"amqp:resource-limit-exceeded", absl::StatusCode::kResourceExhausted,
     "the broker is full or at a limit: make room, or wait"},
    {"amqp:resource-locked", absl::StatusCode::kUnavailable,
     "somebody else uses the entity exclusively"},
    {"amqp:link:redirect", absl::StatusCode::kUnavailable,
     "connect to the address that it names"},
    {"amqp:connection:redirect", absl::StatusCode::kUnavailable,
     "connect to the address that it names"},
};

const Meaning* Find(std::string_view condition) {
  for (const Meaning& one : kMeanings) {
    if (one.condition == condition) return &one;
  }
  return nullptr;
}

}  // namespace

absl::Status ToStatus(std::string_view what, const wire::Condition& condition) {
  const Meaning* meaning = Find(condition.name);
  if (meaning == nullptr) {
    return MakeStatus(absl::StatusCode::kUnavailable, "{}: {}", what,
                      condition.ToString());
  }
  return MakeStatus(meaning->code, "{}: {}: {}", what, condition.ToString(),
                    meaning->remedy);
}

void ReadOutcome(std::string_view entity, const wire::DeliveryState& state,
                 driver::Outcome* outcome) {
  using Kind = wire::DeliveryState::Kind;
  using driver::Fate;
  switch (state.kind) {
    case Kind::kAccepted:
      outcome->fate = Fate::kAccepted;
      return;
    case Kind::kReleased:
      outcome->fate = Fate::kNotTaken;
      outcome->why = MakeStatus(absl::StatusCode::kUnavailable,
                                "the broker released a message sent to {}: it "
                                "can't take it now",
                                entity);
      return;
    case Kind::kModified:
      outcome->fate =
          state.undeliverable_here ? Fate::kRejected : Fate::kNotTaken;
      outcome->why = MakeStatus(
          state.undeliverable_here ? absl::StatusCode::kInvalidArgument
                                   : absl::StatusCode::kUnavailable,
          "the broker gave back a message sent to {} (modified)", entity);
      return;
    case Kind::kRejected: {
      outcome->why = ToStatus(
          fmt::format("the broker rejected a message sent to {}", entity),
          state.condition);
      bool passes = outcome->why.code() == absl::StatusCode::kResourceExhausted;
      outcome->fate = passes ? Fate::kNotTaken : Fate::kRejected;
      return;
    }
    default:
      outcome->fate = Fate::kUnknown;
      outcome->why = MakeStatus(absl::StatusCode::kUnavailable,
                                "the broker settled a message sent to {} "
                                "without saying what became of it",
                                entity);
      return;
  }
}

}  // namespace tieline::inline v0::amqp
