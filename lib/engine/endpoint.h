// Endpoint: one connection to a broker, kept up, and the handles on it.
//
// Everything that touches the driver happens inside the endpoint's strand: on
// the runner's thread, or, where the driver runs inline, on the thread of
// whoever calls Poke. Handles mark themselves dirty and are pumped there.
//
// Threads: any, but for what says "in the strand".
#ifndef TIELINE_LIB_ENGINE_ENDPOINT_H_
#define TIELINE_LIB_ENGINE_ENDPOINT_H_

#include <atomic>
#include <cstdint>
#include <functional>
#include <limits>
#include <map>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "lib/base/mutex.h"
#include "lib/engine/runner.h"
#include "lib/engine/strand.h"
#include "lib/policy/backoff.h"
#include "tieline/bus_options.h"
#include "tieline/config.h"
#include "tieline/driver/driver.h"
#include "tieline/metrics.h"

namespace tieline::inline v0 {

// A sender or receiver on an endpoint. All calls in the strand, but
// OnInlineWake.
class EndpointUser : public std::enable_shared_from_this<EndpointUser> {
 public:
  virtual ~EndpointUser() = default;
  // The connection is up: open the driver's handle.
  virtual void OnUp(driver::Connection* connection) = 0;
  // The connection is gone; the driver's handle must be destroyed now.
  virtual void OnDown(const absl::Status& why) = 0;
  // Does what is due; returns when it is next due.
  virtual absl::Time Pump(absl::Time now) = 0;
  // The driver asks to be run. True when a thread that waits in this handle
  // will do so. Any thread.
  virtual bool OnInlineWake() { return false; }

 private:
  friend class Endpoint;
  std::atomic<bool> dirty_{false};
  absl::Time timer_ = absl::InfiniteFuture();  // in the strand
  bool up_ = false;                            // in the strand
  uint64_t number_ = 0;  // in the order of being attached; in the strand
};

// Real time that an answer is waited for beyond its deadline: the one who sees
// the deadline pass knows the reason.
inline constexpr absl::Duration kAnswerGrace = absl::Milliseconds(200);

struct EndpointContext {
  Runner* runner = nullptr;
  Clock* clock = nullptr;
  const BusOptions* options = nullptr;  // outlives the endpoint
};

class Endpoint final : public Runnable,
                       public driver::ConnectionSink,
                       public driver::Waker {
 public:
  using ReplyCallback = std::function<void(driver::Reply)>;

  Endpoint(BrokerConfig broker, std::shared_ptr<driver::Driver> driver,
           EndpointContext context);
  ~Endpoint() override;

  void Attach(std::shared_ptr<EndpointUser> user);
  // After this returns and the strand has run, `user` is not called again;
  // its driver handle must be gone or is destroyed by OnDown.
  void Detach(std::shared_ptr<EndpointUser> user);

  // The handle has something to do. Cheap when it said so already.
  void MarkDirty(EndpointUser* user);
  // Runs the strand on this thread where the driver runs inline; else wakes
  // the runner.
  void Poke();
  // As Poke, for what may wait while the driver lets its work gather.
  void PokeUnlessResting();
  // Pumps the handle on this thread, if it may: what it submits is on its way
  // when this returns. Else as MarkDirty and Poke. For who hands messages from
  // one endpoint's strand to another's.
  void PumpNow(EndpointUser* user);
  // Has the runner run it.
  void Schedule() { context_.runner->Schedule(this); }
  // Has the runner run it within `wait`, or up to `slack` later where it is to
  // be run by then anyway.
  void RunWithin(absl::Duration wait, absl::Duration slack);

  // `done` is called in the strand, once. `receiver`, where there is one, is
  // asked in the strand for the receiver that the request is for; null: it is
  // not open (kUnavailable).
  using FindReceiver = std::function<driver::ReceiverDriver*()>;
  void Ask(driver::Request request, ReplyCallback done,
           FindReceiver receiver = {});

  // Drops the connection, if there is one, as if it had been lost for `why`.
  void Reset(absl::Status why);
  // Closes the connection; nothing is attached any more. Returns when it is
  // closed or the time is over.
  absl::Status Close(absl::Duration timeout);

  bool runs_inline() const { return inline_; }
  bool up() const { return up_.load(std::memory_order_acquire); }
  // Why it is not up; OK when it is or nothing is known yet.
  absl::Status last_error() const;
  driver::Driver& driver() const { return *driver_; }
  const BrokerConfig& broker() const { return broker_; }
  Clock* clock() const { return context_.clock; }
  Runner* runner() const { return context_.runner; }
  const BusOptions& options() const { return *context_.options; }
  BrokerMetrics metrics() const;
  void Log(LogLevel level, std::string_view text) const;
  // Uniform in [0, 1).
  double Random();

  void Wake() override;                         // driver::Waker
  void RunFromRunner(absl::Time now) override;  // Runnable
  void RunTooLate() override;
  void OnUp(const Capabilities& capabilities) override;
  void OnReply(driver::Reply reply) override;
  void OnLost(const absl::Status& why) override;

 private:
  enum class State { kIdle, kConnecting, kUp, kWaiting, kClosing, kClosed };
  struct Question {
    driver::Request request;
    ReplyCallback done;
    FindReceiver receiver;
  };

  void RunStrand();
  // One turn inside the strand; true when there may be more to do at once.
  bool Turn(absl::Time now);
  void TakeCommands() ABSL_LOCKS_EXCLUDED(mu_);
  void Connect(absl::Time now);
  void DropConnection(const absl::Status& why);
  void End();
  void RefuseLate();
  void PumpDirty(absl::Time now);
  void PumpOne(EndpointUser* user, absl::Time now);
  void SetTimer(EndpointUser* user, absl::Time when);
  // In the order in which they were attached: what follows must not depend on
  // where they lie in memory.
  std::vector<EndpointUser*> UsersInOrder() const;
  bool AnyDirty() const;
  void SendQuestions();
  void FailQuestions(const absl::Status& why);
  void ExpireQuestions(absl::Time now);
  void Arm(absl::Time next);

  const BrokerConfig broker_;
  const std::shared_ptr<driver::Driver> driver_;
  const EndpointContext context_;
  const bool inline_;
  Strand strand_;
  std::atomic<bool> up_{false};
  // driver::Progress::rests_until of the last turn.
  std::atomic<int64_t> rests_until_ns_{std::numeric_limits<int64_t>::min()};
  // The handle of an inline endpoint, which has one: its own flag says that it
  // is dirty, and no list is kept.
  std::atomic<EndpointUser*> sole_user_{nullptr};
  // Something is in `dirty_`, or in what TakeCommands takes.
  std::atomic<bool> any_dirty_{false};
  std::atomic<bool> any_command_{false};

  // In the strand; of one that is not inline: on the runner's thread.
  // The driver is about to run, and need not be woken for what it is given.
  bool before_run_ = false;
  State state_ = State::kIdle;
  std::unique_ptr<driver::Connection> connection_;
  bool lost_ = false;
  absl::Status lost_why_;
  Backoff backoff_;
  absl::Time retry_at_ = absl::InfinitePast();
  absl::Time connect_deadline_ = absl::InfiniteFuture();
  std::unordered_map<EndpointUser*, std::shared_ptr<EndpointUser>> users_;
  uint64_t next_user_ = 0;
  std::vector<std::shared_ptr<EndpointUser>> retained_;
  std::multimap<absl::Time, EndpointUser*> user_timers_;
  std::vector<EndpointUser*> pumping_;
  driver::PollSet watched_;
  std::map<uint64_t, Question> asked_;  // sent, by cookie
  std::vector<Question> to_ask_;
  uint64_t next_cookie_ = 1;
  absl::Time close_by_ = absl::InfiniteFuture();

  mutable Mutex mu_;
  std::vector<EndpointUser*> dirty_ ABSL_GUARDED_BY(mu_);
  std::vector<std::shared_ptr<EndpointUser>> attaching_ ABSL_GUARDED_BY(mu_);
  std::vector<std::shared_ptr<EndpointUser>> detaching_ ABSL_GUARDED_BY(mu_);
  std::vector<Question> new_questions_ ABSL_GUARDED_BY(mu_);
  bool close_wanted_ ABSL_GUARDED_BY(mu_) = false;
  absl::Status reset_wanted_ ABSL_GUARDED_BY(mu_);  // OK: none
  absl::Time close_wanted_by_ ABSL_GUARDED_BY(mu_);
  bool closed_ ABSL_GUARDED_BY(mu_) = false;
  Condition closed_cv_;
  absl::Status last_error_ ABSL_GUARDED_BY(mu_);
  uint64_t connects_ ABSL_GUARDED_BY(mu_) = 0;
  uint64_t losses_ ABSL_GUARDED_BY(mu_) = 0;
  uint64_t random_state_ ABSL_GUARDED_BY(mu_);
};

}  // namespace tieline::inline v0

#endif  // TIELINE_LIB_ENGINE_ENDPOINT_H_
