// Rig: the stage on which one behaviour plays. It owns the connections and
// handles of a behaviour, runs them, records what the driver tells, and checks
// the rules that hold for every driver in every behaviour: no sink call outside
// Run, one outcome a cookie, one answer a settlement, never more than was
// granted, nothing after OnLost and OnClosed.
//
// Threads: everything on the test's thread.
#ifndef TIELINE_ADAPTERS_CONFORMANCE_RIG_H_
#define TIELINE_ADAPTERS_CONFORMANCE_RIG_H_

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "adapters/conformance/harness.h"
#include "tieline/driver/driver.h"
#include "tieline/message.h"

namespace tieline::conformance {

class Rig;

// Thrown to end a behaviour that this backend can't be asked.
struct NotApplicable {
  std::string reason;
};

// A connection with what it told.
class Peer final : public driver::ConnectionSink, public driver::Waker {
 public:
  Peer(Rig* rig, BrokerConfig broker);

  void Wake() override { woken = true; }
  void OnUp(const Capabilities& caps) override;
  void OnReply(driver::Reply reply) override;
  void OnLost(const absl::Status& why) override;

  void Run(absl::Time now);
  uint64_t Ask(driver::Request request);

  Rig* rig;
  BrokerConfig broker;
  std::unique_ptr<driver::Connection> connection;
  std::atomic<bool> woken = false;
  bool running = false;
  int ups = 0;
  Capabilities capabilities;
  std::optional<absl::Status> lost;
  std::map<uint64_t, std::vector<driver::Reply>> replies;  // by cookie asked
  driver::Progress progress;
};

class Sender final : public driver::SenderSink {
 public:
  Sender(Rig* r, Peer* p) : rig(r), peer(p) {}

  void OnOpened(const Capabilities& caps) override;
  void OnSendable() override;
  void OnOutcomes(std::span<const driver::Outcome> list) override;
  void OnClosed(const absl::Status& why) override;

  // Queues messages for submission; returns the first one's cookie. The rest
  // follow without gaps.
  uint64_t Send(std::vector<Message> list);
  uint64_t Send(Message message);
  // Submits what is queued, as far as the driver takes it.
  void Pump();
  // How many of the messages with cookies below `next` were answered so.
  size_t Count(driver::Fate fate) const;
  bool Answered(uint64_t cookie) const { return outcomes.contains(cookie); }
  bool AllAnswered() const { return outcomes.size() == sent.size(); }

  Rig* rig;
  Peer* peer;
  std::map<uint64_t, std::unique_ptr<Message>> sent;
  // Destroyed before what was submitted to it.
  std::unique_ptr<driver::SenderDriver> handle;
  std::map<uint64_t, driver::Outcome> outcomes;
  std::vector<uint64_t> order;  // cookies in the order of their outcomes
  uint64_t submitted = 0;       // of the cookies 1, 2, 3, ...
  bool blocked = false;         // OnSendable has yet to come
  int opened = 0;
  std::optional<absl::Status> closed;
  Capabilities capabilities;
};

class Receiver final : public driver::ReceiverSink {
 public:
  Receiver(Rig* r, Peer* p) : rig(r), peer(p) {}

  void OnOpened(const Capabilities& caps) override;
  void OnDeliveries(std::span<driver::Inbound> list) override;
  void OnSettled(std::span<const driver::Settled> list) override;
  void OnLane(const driver::LaneEvent& event) override;
  void OnDrained() override;
  void OnClosed(const absl::Status& why) override;

  void Grant(uint32_t messages, uint64_t bytes = uint64_t{1} << 40,
             driver::Lane lane = driver::kAllLanes);
  void Settle(driver::Token token, driver::Verb verb,
              const Properties* amend = nullptr, std::string_view reason = "",
              std::string_view detail = "");
  void SettleAll(driver::Verb verb);  // of all in `got`

  Rig* rig;
  Peer* peer;
  std::unique_ptr<driver::ReceiverDriver> handle;
  std::vector<driver::Inbound> got;
  std::vector<driver::Settled> settled;
  std::vector<driver::LaneEvent> lanes;
  uint64_t granted = 0;
  uint64_t delivered = 0;
  uint64_t settling = 0;
  int opened = 0;
  int drained = 0;
  std::optional<absl::Status> closed;
  Capabilities capabilities;
};

class Rig {
 public:
  explicit Rig(Harness* harness, Capabilities* known);
  ~Rig();
  Rig(const Rig&) = delete;
  Rig& operator=(const Rig&) = delete;

  Harness& harness() { return *harness_; }
  const Limits& limits() const { return limits_; }
  absl::Time Now() { return harness_->clock()->Steady(); }

  // Ends the behaviour as not applicable.
  [[noreturn]] static void Skip(std::string reason);
  // ... unless the backend has the capability.
  void Need(Capability capability);
  bool Has(Capability capability);
  // What the connection and a link of each kind report, together.
  const Capabilities& capabilities();
  // The value; ends the behaviour as not applicable on kUnimplemented, fails it
  // on other errors.
  template <typename T>
  T Get(absl::StatusOr<T> value) {
    Demand(value.status());
    return *std::move(value);
  }
  void Demand(const absl::Status& status);

  QueueConfig NewQueue(const Shape& shape = {}) {
    return Get(harness_->NewQueue(shape));
  }
  // Begins a connection; does not wait.
  Peer& Begin();
  Peer& Begin(BrokerConfig broker);
  // The behaviour's usual connection, up.
  Peer& Main();
  // A connection of its own, up.
  Peer& Connect();
  // Handles on a connection (Main() by default). Open... waits for OnOpened.
  Sender& BeginSender(const QueueConfig& queue, Peer* peer = nullptr,
                      bool ordered = false);
  Sender& OpenSender(const QueueConfig& queue, Peer* peer = nullptr,
                     bool ordered = false);
  Receiver& BeginReceiver(const QueueConfig& queue, Peer* peer = nullptr);
  Receiver& OpenReceiver(const QueueConfig& queue, Peer* peer = nullptr);
  Receiver& BeginReceiver(const driver::ReceiverSpec& spec, Peer* peer);
  // Destroys a handle or connection (with its handles).
  void Drop(Sender& sender);
  void Drop(Receiver& receiver);
  void Drop(Peer& peer);

  // Runs everything until `done` or the time is over; returns done().
  bool Until(const std::function<bool()>& done);
  bool Until(const std::function<bool()>& done, absl::Duration patience);
  // Runs everything for as long as what must not come would take to come.
  void Quiet();
  // Lets time pass, at once where the harness can; ends the behaviour as not
  // applicable when it can't and `by` is more than a few seconds.
  void Pass(absl::Duration by);
  // One turn of everything.
  void Turn();

  // Sends, and fails the behaviour unless all are accepted.
  void MustSend(Sender& sender, std::vector<Message> list);
  void MustSend(Sender& sender, Message message);
  // Grants `n` and waits for so many more deliveries; returns the new ones (the
  // messages are shared with got).
  std::vector<driver::Inbound> MustTake(Receiver& receiver, size_t n);
  // Settles, and fails the behaviour unless it is answered OK.
  void MustSettle(Receiver& receiver, driver::Token token, driver::Verb verb);
  // Settles one and returns the answer's status.
  absl::Status SettleOne(Receiver& receiver, driver::Token token,
                         driver::Verb verb, const Properties* amend = nullptr,
                         std::string_view reason = "",
                         std::string_view detail = "");
  // The one reply to a request.
  driver::Reply Await(Peer& peer, driver::Request request);
  // Sends a message through a fresh queue and receives it.
  Message RoundTrip(Message message);
  // Cuts, and waits until every connection knows.
  void MustCut();

  // A rule that holds for every driver was broken.
  void Violation(std::string what) { violations_.push_back(std::move(what)); }
  const std::vector<std::string>& violations() const { return violations_; }

 private:
  Harness* harness_;
  Capabilities* known_;  // the backend's, remembered between behaviours
  Limits limits_;
  Peer* main_ = nullptr;
  std::vector<std::unique_ptr<Peer>> peers_;
  std::vector<std::unique_ptr<Sender>> senders_;
  std::vector<std::unique_ptr<Receiver>> receivers_;
  std::vector<std::string> violations_;
};

// `n` messages with the bodies "<prefix>0", "<prefix>1", ...
std::vector<Message> Numbered(size_t n, std::string_view prefix = "m");
// Bodies of what was received, in order.
std::vector<std::string> Bodies(const std::vector<driver::Inbound>& list);
// A request for one queue.
driver::Request MakeRequest(driver::Request::Op op, const QueueConfig& queue);

}  // namespace tieline::conformance

#endif  // TIELINE_ADAPTERS_CONFORMANCE_RIG_H_
