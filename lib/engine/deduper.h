// Deduper: keeps second copies from a leg's consumer, by the queue's inbox.
//
// Each delivery is claimed by its id before the consumer has it. When the
// consumer completes it, the id goes to the disk first and the broker is told
// after that, so that whoever sees the broker's redelivery knows what was
// handled. What the consumer gives back ends its claim. A second copy of what
// is in hand waits here for what becomes of the first, and what has its key
// behind it; so does everything while the inbox has no room.
//
// A delivery whose message can't be told from others (inbox_id.h) is let
// through without a claim.
//
// Threads: Admit, TakeReady and Drop in the leg's strand, the rest from any
// thread; all without the leg's lock. The leg is called with no lock held.
#ifndef TIELINE_LIB_ENGINE_DEDUPER_H_
#define TIELINE_LIB_ENGINE_DEDUPER_H_

#include <atomic>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/hash/hash.h"
#include "lib/base/mutex.h"
#include "lib/engine/inbox.h"
#include "tieline/config.h"
#include "tieline/driver/types.h"

namespace tieline::inline v0 {

// The leg that a deduper works for.
class DeduperLeg {
 public:
  virtual ~DeduperLeg() = default;
  // The ids of these are on disk: the broker may be told.
  virtual void CompleteDurable(std::span<const driver::Token> tokens,
                               uint32_t incarnation) = 0;
  // TakeReady may have something, or less is pending.
  virtual void OnDeduperChange() = 0;
  // A message was let through that has the id of another.
  virtual void OnOtherBody(std::string_view id) = 0;
};

class Deduper final : public InboxUser,
                      public std::enable_shared_from_this<Deduper> {
 public:
  // `keeps_positions`: a message is where the broker says it is for as long as
  // ids are kept, also after a restart of either.
  Deduper(std::shared_ptr<Inbox> inbox, const QueueConfig& queue,
          bool keeps_positions);
  // Once, before anything else.
  void Join(std::weak_ptr<DeduperLeg> leg);

  // Moves to the front what the consumer is to have, and returns it. What is to
  // be completed undelivered is added to `copies`; the rest waits here.
  std::span<driver::Inbound> Admit(std::span<driver::Inbound> deliveries,
                                   uint32_t incarnation,
                                   std::vector<driver::Token>* copies);
  // What waited and need not any more.
  std::vector<driver::Inbound> TakeReady(uint32_t incarnation,
                                         std::vector<driver::Token>* copies);
  bool has_ready() const { return ready_.load(std::memory_order_acquire); }

  // Drops what waits here of `incarnation`, after `see`: all of it, or what
  // came on a lane.
  using See = std::function<void(const driver::Inbound&)>;
  void Drop(uint32_t incarnation, std::optional<driver::Lane> lane,
            const See& see);

  // The consumer handled these. What has no claim is left in `tokens`; of the
  // others CompleteDurable follows.
  void Complete(std::vector<driver::Token>* tokens, uint32_t incarnation);
  // It did not, and will not.
  void GiveUp(const driver::Token& token, uint32_t incarnation);

  // Completed, and not on disk yet.
  size_t pending() const { return pending_.load(std::memory_order_acquire); }
  // Has the inbox do what is due; returns when it is to be called again.
  absl::Time Tick() { return inbox_->Tick(); }
  // Ends all claims.
  void Close();

  // InboxUser.
  void OnVerdict(uint64_t cookie, InboxVerdict verdict) override;
  void OnDurable(std::span<const uint64_t> cookies,
                 const absl::Status& status) override;
  void OnDue() override;

 private:
  enum class State : uint8_t {
    kFree,
    kWaits,   // for a verdict
    kNew,     // has one: it is to be delivered
    kCopy,    // has one: it is not
    kGone,    // nobody waits for its verdict any more
    kInHand,  // of the consumer
    kSealed,  // completed, on its way to the disk
  };
  struct Claim {
    driver::Token token;
    uint32_t incarnation = 0;
    State state = State::kFree;
    std::string id;
  };
  using Slot = uint32_t;
  struct Waiting {
    driver::Inbound inbound;
    uint32_t incarnation = 0;
    std::optional<Slot> slot;  // none: it was not asked about yet
  };
  struct Name {
    driver::Token token;
    uint32_t incarnation = 0;
    friend bool operator==(const Name&, const Name&) = default;
    template <typename H>
    friend H AbslHashValue(H h, const Name& n) {
      return H::combine(std::move(h), n.token.lane, n.token.epoch, n.token.id,
                        n.incarnation);
    }
  };

  // What becomes of a delivery now.
  enum class Way : uint8_t { kDeliver, kComplete, kWait };
  Way Ask(const driver::Inbound& inbound, uint32_t incarnation,
          std::optional<Slot>* slot) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  bool IsBehind(const driver::Inbound& inbound) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void Wait(driver::Inbound inbound, uint32_t incarnation,
            std::optional<Slot> slot) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // What waited for a verdict has it, or is asked about.
  Way WayNow(Waiting& waiting) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void TellOtherBodies();
  Slot TakeSlot() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void FreeSlot(Slot slot) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  std::shared_ptr<DeduperLeg> leg() const;

  const std::shared_ptr<Inbox> inbox_;
  const std::string broker_;
  const std::string entity_;
  const bool unique_ids_;
  const bool keeps_positions_;
  std::weak_ptr<DeduperLeg> leg_;
  Inbox::UserNumber user_ = 0;

  std::atomic<size_t> pending_{0};
  std::atomic<bool> ready_{false};

  mutable Mutex mu_;
  // By slot; an id stays where it is while its claim lasts.
  std::deque<Claim> claims_ ABSL_GUARDED_BY(mu_);
  std::vector<Slot> free_ ABSL_GUARDED_BY(mu_);
  absl::flat_hash_map<Name, Slot> slots_ ABSL_GUARDED_BY(mu_);
  std::deque<Waiting> waiting_ ABSL_GUARDED_BY(mu_);
  // Of what waits.
  absl::flat_hash_set<std::string> keys_ ABSL_GUARDED_BY(mu_);
  bool full_ ABSL_GUARDED_BY(mu_) = false;
  std::vector<std::string> other_bodies_ ABSL_GUARDED_BY(mu_);
  bool closed_ ABSL_GUARDED_BY(mu_) = false;
};

}  // namespace tieline::inline v0

#endif  // TIELINE_LIB_ENGINE_DEDUPER_H_
