// MoveWants: what the move of a queue asks for in one state. Values only.
#ifndef TIELINE_LIB_POLICY_MOVE_WANTS_H_
#define TIELINE_LIB_POLICY_MOVE_WANTS_H_

#include <optional>
#include <vector>

#include "lib/policy/move_events.h"
#include "lib/policy/move_record.h"

namespace tieline::inline v0 {

struct MoveWants {
  std::vector<PlaceId> senders;
  // Each place at most once, none with kNone.
  std::vector<move_action::Receive> receivers;
  std::optional<Binding> prepare;
  std::optional<MoveRecord> commit;
  Bindings prove;
  Bindings ask;
  Bindings finish;
  Bindings retire;

  // Appends what leads from `before` to this: first what ends, then what
  // begins.
  void ActionsSince(const MoveWants& before, MoveActions& out) const;
};

}  // namespace tieline::inline v0

#endif  // TIELINE_LIB_POLICY_MOVE_WANTS_H_
