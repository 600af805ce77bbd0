#include "adapters/amqp/settlement.h"

#include "adapters/amqp/wire/value_codec.h"
#include "adapters/amqp/wire/writer.h"
#include "lib/base/status.h"

namespace tieline::inline v0::amqp {
namespace {

using Kind = wire::DeliveryState::Kind;

// Appends a map with symbols for keys.
absl::Status WriteMap(const Properties& map, std::string* out) {
  wire::Writer writer;
  size_t mark = writer.Begin();
  for (const Property& one : map) {
    TIELINE_RETURN_IF_ERROR(wire::WriteValue(Value::Symbol(one.name), &writer));
    TIELINE_RETURN_IF_ERROR(wire::WriteValue(one.value, &writer));
  }
  writer.EndMap(mark, static_cast<uint32_t>(map.size() * 2));
  out->assign(writer.view());
  return absl::OkStatus();
}

}  // namespace

absl::Status StateOf(const driver::Settlement& settlement,
                     wire::DeliveryState* state, std::string* scratch) {
  switch (settlement.verb) {
    case driver::Verb::kComplete:
      state->kind = Kind::kAccepted;
      return absl::OkStatus();
    case driver::Verb::kRelease:
      state->kind = Kind::kReleased;
      return absl::OkStatus();
    case driver::Verb::kAbandon:
      state->kind = Kind::kModified;
      state->delivery_failed = true;
      if (settlement.amend == nullptr) return absl::OkStatus();
      TIELINE_RETURN_IF_ERROR(WriteMap(*settlement.amend, scratch));
      state->annotations = *scratch;
      return absl::OkStatus();
    case driver::Verb::kDeadLetter: {
      state->kind = Kind::kRejected;
      state->condition.name = "tieline:dead-letter";
      state->condition.description = settlement.reason;
      if (!settlement.detail.empty()) {
        state->condition.description += ": ";
        state->condition.description += settlement.detail;
      }
      Properties info;
      if (settlement.amend != nullptr) info = *settlement.amend;
      info.Set("DeadLetterReason", settlement.reason);
      info.Set("DeadLetterErrorDescription", settlement.detail);
      TIELINE_RETURN_IF_ERROR(WriteMap(info, scratch));
      state->info = *scratch;
      return absl::OkStatus();
    }
    default:
      return absl::UnimplementedError(
          "plain AMQP 1.0 can't defer messages or renew locks");
  }
}

}  // namespace tieline::inline v0::amqp
