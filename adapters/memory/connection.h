// MemoryConnection: one connection to a local broker, with its senders and
// receivers.
//
// Threads: as driver::Connection: one at a time. Only the doorbell is touched
// by others.
#ifndef TIELINE_ADAPTERS_MEMORY_CONNECTION_H_
#define TIELINE_ADAPTERS_MEMORY_CONNECTION_H_

#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "adapters/memory/broker.h"
#include "adapters/memory/doorbell.h"
#include "tieline/driver/driver.h"

namespace tieline::inline v0 {
namespace memory {

class MemoryConnection;

// What a connection runs: a sender or a receiver.
class Handle {
 public:
  explicit Handle(MemoryConnection* connection) : connection_(connection) {}
  virtual ~Handle() = default;

  // Tells its sink what there is to tell. True when there may be more at once.
  virtual bool Step() = 0;
  // The connection is lost (or closes in good order): answers what is open.
  // `in_order`: what the broker has answered may still be told.
  virtual void Finish(bool in_order) = 0;
  // When Step is next due without being asked, by the broker's clock.
  virtual Nanos Due() { return kNever; }

  // Among those that the connection runs next.
  bool ready = false;

 protected:
  MemoryConnection* connection_;  // null once it is gone
  friend class MemoryConnection;
};

class MemoryConnection final : public driver::Connection {
 public:
  MemoryConnection(std::shared_ptr<LocalBroker> broker,
                   const BrokerConfig& config, driver::ConnectionSink* sink,
                   driver::Waker* waker);
  ~MemoryConnection() override;

  driver::PollSet pollable() const override { return {}; }
  driver::Progress Run(absl::Time now) override;
  absl::StatusOr<std::unique_ptr<driver::SenderDriver>> OpenSender(
      const driver::SenderSpec& spec, driver::SenderSink* sink) override;
  absl::StatusOr<std::unique_ptr<driver::ReceiverDriver>> OpenReceiver(
      const driver::ReceiverSpec& spec, driver::ReceiverSink* sink) override;
  void Ask(uint64_t cookie, driver::Request request) override;
  void Close(absl::Time deadline) override;

  // For handles.
  LocalBroker& broker() { return *broker_; }
  const std::shared_ptr<Doorbell>& bell() const { return bell_; }
  bool up() const { return state_ == State::kUp; }
  void MarkReady(Handle* handle);
  void Forget(Handle* handle);
  // The entity of a queue config, made where that is allowed.
  absl::StatusOr<Entity> Resolve(const QueueConfig& queue);

 private:
  enum class State : uint8_t { kConnecting, kUp, kClosing, kOver };

  void Begin();
  void End(const absl::Status& why, bool in_order);
  // Has those run that are due; returns how long it is until the next is.
  absl::Duration MarkDue();
  bool RunHandles();
  driver::Reply Answer(driver::Request& request);

  const std::shared_ptr<LocalBroker> broker_;
  const BrokerConfig& config_;
  driver::ConnectionSink* const sink_;
  const std::shared_ptr<Doorbell> bell_;
  State state_ = State::kConnecting;
  bool rung_ = false;
  absl::Time close_deadline_ = absl::InfiniteFuture();
  std::vector<Handle*> handles_;
  std::vector<Handle*> ready_;
  std::vector<Handle*> running_;
  std::vector<std::pair<uint64_t, driver::Request>> asked_;
};

// The reply to one request, but for its cookie (requests.cc).
driver::Reply Fulfil(LocalBroker& broker, const Entity* entity,
                     driver::Request& request);

Capabilities MemoryCapabilities();
// With what the entity adds.
Capabilities LinkCapabilities(const EntityOptions& options);

}  // namespace memory
}  // namespace tieline::inline v0

#endif  // TIELINE_ADAPTERS_MEMORY_CONNECTION_H_
