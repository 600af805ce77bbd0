// Takes chosen dead letters out of their place: each is completed only once
// what becomes of it is certain, and all others stay where and as they are.
//
// Threads: one at a time; calls block.
#ifndef TIELINE_TOOLS_DEAD_LETTER_TAKER_H_
#define TIELINE_TOOLS_DEAD_LETTER_TAKER_H_

#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <stop_token>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "tieline/bus.h"
#include "tools/dead_letters.h"

namespace tieline::tools {

struct TakeOptions {
  // Where to send them; null: nowhere, they are deleted.
  Sender* to = nullptr;
  // They lose their ids; the sender may stamp new ones. Without it a queue that
  // drops a second message of an id is refused (kFailedPrecondition).
  bool drops_ids = false;
  // What there is to be taken; null: whatever comes, up to `most`, for places
  // that can't be looked at.
  const DeadLetterChoice* choice = nullptr;
  uint64_t most = 0;
  // How long to wait for the next one.
  absl::Duration idle = absl::Seconds(5);
  absl::Duration timeout = absl::Seconds(10);
  std::stop_token stop;
  // Told how many are done, now and then. May be empty.
  std::function<void(uint64_t)> progress;
};

struct TakeResult {
  uint64_t taken = 0;   // sent, or to be deleted, and completed
  uint64_t failed = 0;  // refused by the destination: they stay
  absl::Status first_failure;
  std::string first_failed_id;
  // Chosen, and not seen: others have them.
  uint64_t missing = 0;
  // Nobody knows whether there are more.
  bool may_have_more = false;
  // What ended it early, or what the place answered to the settlements: then
  // some of `taken` may still be there.
  absl::Status status;
};

class DeadLetterTaker {
 public:
  DeadLetterTaker(Bus* bus, const DeadLetterPlace& place, TakeOptions options);

  TakeResult Run();

 private:
  enum class Action : uint8_t {
    kTake,
    kPass,  // completed, and no more
    kKeep,  // to be as if it had not been received
  };
  struct Item {
    Delivery delivery;
    std::string id;
    int32_t partition = 0;
    Action action = Action::kKeep;
  };

  absl::Status Gather(Receiver* receiver);
  void Sort(Delivery delivery);
  Action ActionOf(const DeadLetter& letter);
  bool IsFull() const;
  bool IsDone() const;
  // Sends the items and settles them, in order.
  void Finish();
  void Settle(Item item, const SendResult* result);
  void Keep(Item item);

  Bus* const bus_;
  const DeadLetterPlace place_;
  const TakeOptions options_;
  const uint64_t wanted_;

  std::vector<Item> items_;  // in the order in which they came
  uint64_t to_take_ = 0;     // of the items
  uint64_t bytes_ = 0;
  uint64_t seen_ = 0;  // of those that are wanted
  // The ids of those, and whether they were taken: after a lost connection they
  // come again.
  std::map<std::string, bool> seen_ids_;
  std::vector<Delivery> held_;
  // Where something stays before others, in a place that settles in order.
  std::set<int32_t> stuck_;
  TakeResult result_;
};

}  // namespace tieline::tools

#endif  // TIELINE_TOOLS_DEAD_LETTER_TAKER_H_
