#include "lib/policy/move_wants.h"

#include <algorithm>

namespace tieline::inline v0 {
namespace {

template <typename List, typename Value>
bool Has(const List& list, const Value& value) {
  return std::find(list.begin(), list.end(), value) != list.end();
}

// An action for each binding that `now` has and `before` has not.
template <typename Action>
void AddNew(const Bindings& before, const Bindings& now, MoveActions& out) {
  for (const Binding& binding : now) {
    if (!Has(before, binding)) out.push_back(Action{binding});
  }
}

}  // namespace

void MoveWants::ActionsSince(const MoveWants& before, MoveActions& out) const {
  const auto same_place = [](PlaceId place) {
    return [place](const move_action::Receive& r) { return r.place == place; };
  };
  for (const auto& was : before.receivers) {
    if (std::none_of(receivers.begin(), receivers.end(),
                     same_place(was.place))) {
      out.push_back(move_action::Receive{was.place, MoveCredit::kNone});
    }
  }
  for (const PlaceId place : before.senders) {
    if (!Has(senders, place)) out.push_back(move_action::CloseSender{place});
  }
  for (const PlaceId place : senders) {
    if (!Has(before.senders, place)) {
      out.push_back(move_action::OpenSender{place});
    }
  }
  for (const auto& receive : receivers) {
    if (!Has(before.receivers, receive)) out.push_back(receive);
  }
  if (prepare && prepare != before.prepare) {
    out.push_back(move_action::Prepare{*prepare});
  }
  if (commit && commit != before.commit) {
    out.push_back(move_action::Commit{*commit});
  }
  AddNew<move_action::ProveDrained>(before.prove, prove, out);
  AddNew<move_action::AskMembers>(before.ask, ask, out);
  AddNew<move_action::AwaitHandlers>(before.finish, finish, out);
  AddNew<move_action::AwaitRetired>(before.retire, retire, out);
}

}  // namespace tieline::inline v0
