// What is told about moves, as JSON. The names are those of the structures.
#ifndef TIELINE_LIB_CONTROL_MOVE_JSON_H_
#define TIELINE_LIB_CONTROL_MOVE_JSON_H_

#include "absl/status/statusor.h"
#include "lib/control/reply.h"
#include "tieline/config.h"
#include "tieline/move.h"

namespace tieline::inline v0::control {

// Times as RFC 3339, durations in milliseconds, a status that is not OK as
// {"code":"UNAVAILABLE","error":"..."}.
Json ToJson(const PlannedMove& move);
Json ToJson(const MoveReport& report);

// Where a queue is and was: broker, generation, was.
Json BindingToJson(const QueueConfig& queue);

// kInternal: it is not what ToJson makes. What is left out has its default.
absl::StatusOr<PlannedMove> PlannedMoveFromJson(const Json& json);
absl::StatusOr<MoveReport> MoveReportFromJson(const Json& json);
// A queue with nothing but these fields.
absl::StatusOr<QueueConfig> BindingFromJson(const Json& json);

}  // namespace tieline::inline v0::control

#endif  // TIELINE_LIB_CONTROL_MOVE_JSON_H_
