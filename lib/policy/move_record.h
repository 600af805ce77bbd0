// MoveRecord: what a process must not forget about the place of one queue.
// Values only; move.h says how they change.
//
// A place is a broker, a generation the number of the queue's binding to one. A
// record is written to the state file as a whole, and read after a restart.
#ifndef TIELINE_LIB_POLICY_MOVE_RECORD_H_
#define TIELINE_LIB_POLICY_MOVE_RECORD_H_

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "absl/types/span.h"

namespace tieline::inline v0 {

// A broker, by a number that its owner gives out and keeps for good.
using PlaceId = uint32_t;

// The queue is, or was, at `place` in this generation. Generation 0 is none.
struct Binding {
  uint64_t generation = 0;
  PlaceId place = 0;

  friend bool operator==(const Binding&, const Binding&) = default;
  template <typename H>
  friend H AbslHashValue(H h, const Binding& b) {
    return H::combine(std::move(h), b.generation, b.place);
  }
};

// Oldest first.
using Bindings = std::vector<Binding>;

// How far the drain of an earlier generation has come.
enum class DrainStage : uint8_t {
  // Known from the config alone: members are asked before anything is read
  // there, since they may be through with it.
  kAsking,
  // What is there is read and delivered in its order.
  kOpen,
  // Seen empty by this process. What still comes there is late. Nothing newer
  // is read until every reading member has come this far.
  kProved,
};

struct Undrained {
  Binding binding;
  DrainStage stage = DrainStage::kOpen;

  friend bool operator==(const Undrained&, const Undrained&) = default;
  template <typename H>
  friend H AbslHashValue(H h, const Undrained& u) {
    return H::combine(std::move(h), u.binding, u.stage);
  }
};

// An earlier generation that nothing waits for any more; its place is still
// listened to.
struct Retired {
  Binding binding;
  // Nobody proved it empty: it was left on somebody's word. It is listened to
  // until it is proved, however long that takes.
  bool given_up = false;

  friend bool operator==(const Retired&, const Retired&) = default;
  template <typename H>
  friend H AbslHashValue(H h, const Retired& r) {
    return H::combine(std::move(h), r.binding, r.given_up);
  }
};

// The changes below return whether they changed anything; a generation that is
// not where the change expects it changes nothing.
struct MoveRecord {
  // Generation 0: this process has no place yet.
  Binding present;
  // Older than `present`, oldest first.
  std::vector<Undrained> undrained;
  // In the order in which they were left; each place at most once, and none
  // that is among the others.
  std::vector<Retired> retired;

  // The queue is at `to` from now on. What it was at, and the bindings
  // `skipped` where this process never was, are to be drained.
  void MoveTo(absl::Span<const Binding> skipped, const Binding& to);
  // kAsking -> kOpen.
  bool Open(uint64_t generation);
  // Seen empty with all senders gone: kOpen -> kProved. A place given up
  // counts as proved when this or a later generation there is.
  bool Prove(uint64_t generation);
  // Every reading member is through with it: it only waits for late ones.
  bool Release(uint64_t generation);
  // Left without a proof.
  bool GiveUp(uint64_t generation);
  // No longer listened to. Not what was given up and is not proved.
  bool LetGo(uint64_t generation);

  const Undrained* FindUndrained(uint64_t generation) const;
  const Retired* FindRetired(uint64_t generation) const;
  // True where the queue is at this place or has not drained it.
  bool Uses(PlaceId place) const;

  friend bool operator==(const MoveRecord&, const MoveRecord&) = default;
  template <typename H>
  friend H AbslHashValue(H h, const MoveRecord& r) {
    return H::combine(std::move(h), r.present, r.undrained, r.retired);
  }

 private:
  bool Retire(uint64_t generation, bool given_up);
};

// What the config says of a queue: `was` and then `broker`, each with the
// generation that is written beside it.
struct MovePlan {
  Bindings bindings;

  // At least one binding, generations above 0 and rising, no two neighbours at
  // the same place.
  bool IsValid() const;
  // Requires IsValid().
  const Binding& target() const { return bindings.back(); }
  bool Names(const Binding& binding) const;

  friend bool operator==(const MovePlan&, const MovePlan&) = default;
};

// The record of a process that starts without one. All that was is to be asked
// for. Requires plan.IsValid().
MoveRecord RecordOf(const MovePlan& plan);

}  // namespace tieline::inline v0

#endif  // TIELINE_LIB_POLICY_MOVE_RECORD_H_
