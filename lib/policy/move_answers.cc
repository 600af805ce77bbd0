// What a move answers and asks for in the state that it is in.
#include <algorithm>

#include "lib/base/mutant.h"
#include "lib/policy/move.h"

namespace tieline::inline v0 {
namespace {

// A place that is read for one generation and listened to for another is read.
void AddReceiver(PlaceId place, MoveCredit credit, MoveWants& wants) {
  for (move_action::Receive& receive : wants.receivers) {
    if (receive.place != place) continue;
    if (credit == MoveCredit::kRead) receive.credit = credit;
    return;
  }
  wants.receivers.push_back({place, credit});
}

}  // namespace

MoveWants Move::Wants() const {
  MoveWants wants;
  if (pending_ && !commit_waits_) wants.commit = pending_;
  if (IsJoining()) return wants;
  if (options_.sends) {
    wants.senders.push_back(record_.present.place);
    if (left_.generation != 0) wants.senders.push_back(left_.place);
  }
  if (options_.reads) AddReceivers(wants);
  const Binding* hop = NextHop();
  if (hop != nullptr && hop->generation != prepared_ && !prepare_waits_ &&
      !MovesNow()) {
    wants.prepare = *hop;
  }
  if (!pending_ && left_.generation == 0) AddQuestions(wants);
  return wants;
}

void Move::AddReceivers(MoveWants& wants) const {
  bool is_oldest = true;
  for (const Undrained& undrained : record_.undrained) {
    if (!is_oldest && options_.ordered) break;
    const bool is_given_up = is_oldest && GivingUp() != nullptr;
    is_oldest = false;
    if (undrained.stage == DrainStage::kAsking || is_given_up) continue;
    AddReceiver(undrained.binding.place,
                undrained.stage == DrainStage::kOpen ? MoveCredit::kRead
                                                     : MoveCredit::kLate,
                wants);
  }
  if (is_oldest || !options_.ordered || Mutant(1)) {
    AddReceiver(record_.present.place, MoveCredit::kRead, wants);
  }
  for (const Retired& retired : record_.retired) {
    if (Mutant(6)) break;
    AddReceiver(retired.binding.place, MoveCredit::kLate, wants);
  }
}

void Move::AddQuestions(MoveWants& wants) const {
  const Binding* giving_up = GivingUp();
  if (giving_up != nullptr) wants.finish.push_back(*giving_up);
  for (const Undrained& undrained : record_.undrained) {
    if (giving_up == &undrained.binding) {
      if (options_.ordered) break;
      continue;
    }
    const bool proves =
        undrained.stage == DrainStage::kOpen && options_.reads && !Mutant(7);
    (proves ? wants.prove : wants.ask).push_back(undrained.binding);
    if (options_.ordered) break;
  }
  for (const Retired& retired : record_.retired) {
    if (Mutant(8)) break;
    (retired.given_up ? wants.prove : wants.retire).push_back(retired.binding);
  }
}

SendTo Move::SendNow(bool key_is_unresolved) const {
  if (!options_.sends || IsJoining() || key_is_unresolved) return {};
  // Where the record may be on disk, the present place is no longer ours.
  if (MovesNow() && (is_in_doubt_ || !commit_waits_) && !Mutant(23)) return {};
  if (starts_ && NextHop() != nullptr && !Mutant(96)) return {};
  const bool place_is_drained_first =
      std::any_of(record_.undrained.begin(), record_.undrained.end(),
                  [&](const Undrained& u) {
                    return u.binding.place == record_.present.place;
                  });
  if (place_is_drained_first) return {};
  return {false, record_.present};
}

Judgement Move::JudgeDelivery(uint64_t stamp, PlaceId place) const {
  if (IsJoining() || stamp > record_.present.generation) {
    return Judgement::kHold;
  }
  bool is_oldest = true;
  for (const Undrained& undrained : record_.undrained) {
    const bool is_of_it = stamp != 0 ? undrained.binding.generation == stamp
                                     : undrained.binding.place == place;
    if (is_of_it) {
      if (is_oldest && GivingUp() != nullptr) return Judgement::kHold;
      // From the proof on, not only from its commit on: what comes between is
      // in a handler when newer messages may be read.
      const Undrained* next =
          pending_ ? pending_->FindUndrained(undrained.binding.generation)
                   : nullptr;
      if (next != nullptr && next->stage == DrainStage::kProved) {
        return Judgement::kDeliverLate;
      }
      if (undrained.stage == DrainStage::kProved) {
        return Judgement::kDeliverLate;
      }
      const bool waits = undrained.stage == DrainStage::kAsking ||
                         (options_.ordered && !is_oldest);
      return waits ? Judgement::kHold : Judgement::kDeliver;
    }
    is_oldest = false;
  }
  const bool is_of_present = stamp != 0 ? stamp == record_.present.generation
                                        : place == record_.present.place;
  if (!is_of_present) {
    return Mutant(3) ? Judgement::kDeliver : Judgement::kDeliverLate;
  }
  return is_oldest || !options_.ordered || Mutant(1) ? Judgement::kDeliver
                                                     : Judgement::kHold;
}

Standing Move::StandingOf(uint64_t generation) const {
  const bool is_leaving =
      left_.generation != 0 && left_.generation <= generation;
  if (record_.present.generation <= generation || is_leaving) {
    return Standing::kSending;
  }
  if (const Undrained* undrained = record_.FindUndrained(generation)) {
    // Who asks now must not begin to read what is just being released.
    const Retired* next =
        pending_ ? pending_->FindRetired(generation) : nullptr;
    if (next != nullptr && !next->given_up) return Standing::kDrained;
    return undrained->stage == DrainStage::kProved ? Standing::kLate
                                                   : Standing::kDraining;
  }
  const Retired* retired = record_.FindRetired(generation);
  return retired != nullptr && retired->given_up ? Standing::kLate
                                                 : Standing::kDrained;
}

MoveState Move::state() const {
  if (IsJoining()) return MoveState::kJoining;
  if (left_.generation != 0) return MoveState::kSwitching;
  if (MovesNow() || NextHop() != nullptr) return MoveState::kPreparing;
  if (!record_.undrained.empty()) return MoveState::kDraining;
  if (!record_.retired.empty()) return MoveState::kRetiring;
  return MoveState::kActive;
}

}  // namespace tieline::inline v0
