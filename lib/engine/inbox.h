// Inbox: suppresses second copies of the messages of one queue, by message id.
//
// Whoever handles messages of the queue claims each id first. kNew: it handles
// the message, then says Done or Failed. kDone: the message is a second copy,
// and is dropped. kInHand: another copy is being handled, or its id is on its
// way to the disk; the caller is told later what became of it, as if it had
// asked then. Done puts the id into the store; a source is completed only when
// that is durable (OnDurable), so that after a crash what was handled is known,
// or comes again.
//
// Ids are evicted once they are out of the window, and not between BeginMove
// and a window after EndMove. At its bounds it takes no claim (kFull): callers
// stop receiving until OnDue.
//
// The store being full or failed delays OnDurable, it does not lose it: what
// waits is tried again by Tick. Ids that wait are bounded by the claims.
//
// Threads: every function from any thread. Users are called on the store's
// thread, and on threads that call Done, Failed, EndMove or Close, with no lock
// held; from there they may call everything. Call those four while holding no
// lock that a user takes. Lock order: Inbox::mu_ before the store's. The store
// outlives the inbox.
#ifndef TIELINE_LIB_ENGINE_INBOX_H_
#define TIELINE_LIB_ENGINE_INBOX_H_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "lib/base/mutex.h"
#include "lib/policy/claims.h"
#include "lib/store/store.h"
#include "tieline/clock.h"

namespace tieline::inline v0 {

// Who handles messages of an inbox's queue. Cookies are its own.
class InboxUser {
 public:
  virtual ~InboxUser() = default;
  // One that was kInHand: kNew, kDone or kDoneOtherBody. With kNew and
  // kDoneOtherBody the claim is the user's: a user that has no use for it any
  // more says Failed.
  virtual void OnVerdict(uint64_t cookie, InboxVerdict verdict) = 0;
  // Of Done: OK when the ids are on disk; kCancelled when the inbox or store
  // was closed before that (they may be there or not).
  virtual void OnDurable(std::span<const uint64_t> cookies,
                         const absl::Status& status) = 0;
  // There was no room (kFull), and now there may be; or Tick is to be called
  // sooner than it said.
  virtual void OnDue() = 0;
};

struct InboxOptions {
  // How long, and how many, ids stay.
  InboxWindow window = {.age = absl::Hours(1)};
  // Bound of ids in hand or on their way to the disk.
  size_t claims = 100'000;
  // Bound of ids in the store, of all its queues: StoreOptions::inbox_ids.
  int64_t ids = 1'000'000;
  // What one batch to the store takes at most, in ids and in bytes (at most
  // StoreOptions::commit_bytes). The next is filled while one is on its way.
  size_t batch_ids = 1000;
  int64_t batch_bytes = 256 << 10;
  // How often ids that are out of the window are evicted.
  absl::Duration evict_every = absl::Seconds(1);
  // How long to wait after the store refused or failed.
  absl::Duration retry = absl::Milliseconds(100);

  // kInvalidArgument, naming the field and its range.
  absl::Status Validate() const;
};

class Inbox : public std::enable_shared_from_this<Inbox> {
 public:
  using UserNumber = uint32_t;

  // For the queue of that number in the store. `clock` is asked for steady
  // time. kInvalidArgument: options.
  static absl::StatusOr<std::shared_ptr<Inbox>> Make(
      Store* store, QueueId queue, const InboxOptions& options, Clock* clock);

  // Adds a user, which is called until it leaves (a call that has begun goes on
  // then). Its claims are to be ended by Done or Failed all the same.
  UserNumber Join(std::shared_ptr<InboxUser> user);
  void Leave(UserNumber user);

  // Asks what is to be done with a message; see above. `id` as of inbox_id.h:
  // 1 to StoreBatch::kMaxId bytes. `digest` is that of its body.
  InboxVerdict Claim(std::string_view id, uint64_t digest, UserNumber user,
                     uint64_t cookie);
  // The message of a claim was handled. OnDurable follows, for this user and
  // cookie, unless it left. A claim is ended once, by this or by Failed: what
  // is said of it after that is ignored.
  void Done(std::string_view id, UserNumber user, uint64_t cookie);
  // The message of a claim was not handled: another copy may be.
  void Failed(std::string_view id);

  // No id is evicted from the first BeginMove until the window's age after the
  // last EndMove. A process that was started again in between says both again.
  void BeginMove();
  void EndMove();

  // Does what is due; returns when it is to be called again (steady time).
  absl::Time Tick();
  // Answers what waits with kCancelled. Claims are kFull from then on.
  void Close();

  struct State {
    size_t claims = 0;   // in hand, or on their way to the disk
    size_t waiting = 0;  // copies that wait for another's outcome
    size_t to_store = 0;
    uint64_t suppressed = 0;  // kDone
    uint64_t other_body = 0;  // kDoneOtherBody
    uint64_t refused = 0;     // kFull
    absl::Status last_error;  // why the store did not take ids, or OK
  };
  State state() const;

 private:
  struct Item {
    Claims::Number claim = 0;
    Claims::Who who;
  };

  Inbox(Store* store, QueueId queue, const InboxOptions& options, Clock* clock);

  bool IsFull() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void Count(InboxVerdict verdict) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void End(Claims::Number claim, bool handled)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void Flush() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void PutBack(const absl::Status& why) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void Evict(absl::Time now) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void OnCommitted(const absl::Status& status);
  void OnEvicted();
  // What users are told, with no lock held.
  void TellDurable(const std::vector<Item>& items, const absl::Status& status);
  void TellVerdicts();
  void TellDue();
  std::shared_ptr<InboxUser> UserOf(UserNumber number) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  Store* const store_;
  const QueueId queue_;
  const InboxOptions options_;
  Clock* const clock_;

  mutable Mutex mu_;
  absl::flat_hash_map<UserNumber, std::shared_ptr<InboxUser>> users_
      ABSL_GUARDED_BY(mu_);
  UserNumber last_user_ ABSL_GUARDED_BY(mu_) = 0;
  Claims claims_ ABSL_GUARDED_BY(mu_);
  std::vector<Item> to_store_ ABSL_GUARDED_BY(mu_);
  std::vector<Item> storing_ ABSL_GUARDED_BY(mu_);  // the batch on its way
  bool delayed_ ABSL_GUARDED_BY(mu_) = false;       // until retry_at_
  absl::Time retry_at_ ABSL_GUARDED_BY(mu_) = absl::InfinitePast();
  int64_t stored_ids_ ABSL_GUARDED_BY(mu_) = 0;  // as of the last answer
  int moves_ ABSL_GUARDED_BY(mu_) = 0;
  bool evicting_ ABSL_GUARDED_BY(mu_) = false;
  absl::Time keep_until_ ABSL_GUARDED_BY(mu_) = absl::InfinitePast();
  absl::Time next_eviction_ ABSL_GUARDED_BY(mu_) = absl::InfinitePast();
  // Verdicts to be told, one thread at a time: a user that answers one by
  // Failed must not be called in turn from inside.
  std::deque<Claims::Told> verdicts_ ABSL_GUARDED_BY(mu_);
  bool telling_ ABSL_GUARDED_BY(mu_) = false;
  bool refused_ ABSL_GUARDED_BY(mu_) = false;  // since the last OnDue
  bool due_ ABSL_GUARDED_BY(mu_) = false;      // sooner than the last Tick said
  bool closed_ ABSL_GUARDED_BY(mu_) = false;
  State counts_ ABSL_GUARDED_BY(mu_);
};

}  // namespace tieline::inline v0

#endif  // TIELINE_LIB_ENGINE_INBOX_H_
