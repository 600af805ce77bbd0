// Places: the brokers and entities that one queue is, was or will be at, by the
// numbers that lib/policy/move knows them by; and what a state file keeps of a
// queue's move, which names them.
//
// Threads: one at a time.
#ifndef TIELINE_LIB_MOVE_PLACES_H_
#define TIELINE_LIB_MOVE_PLACES_H_

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "lib/policy/move_record.h"
#include "tieline/config.h"

namespace tieline::inline v0 {

class Places {
 public:
  // The place of `queue`'s broker and entity. A new one keeps `queue` as it is,
  // for what is opened there.
  PlaceId Add(const QueueConfig& queue);
  const QueueConfig& at(PlaceId place) const { return places_[place - 1]; }
  // "broker" where the name alone tells the place, else "broker/entity".
  std::string NameOf(PlaceId place) const;
  // What the config says of a queue: `was`, then `broker`.
  MovePlan PlanOf(const QueueConfig& queue);

  // The record as JSON, brokers and entities by name.
  std::string Encode(const MoveRecord& record) const;
  // kDataLoss: it is none. `queue` gives a new place its other settings.
  absl::StatusOr<MoveRecord> Decode(std::string_view text,
                                    const QueueConfig& queue);

 private:
  std::vector<QueueConfig> places_;  // PlaceId - 1
};

// Of what the config says about where a queue is and was, and nothing else of
// it: 16 digits.
std::string DigestOf(const QueueConfig& queue);

}  // namespace tieline::inline v0

#endif  // TIELINE_LIB_MOVE_PLACES_H_
