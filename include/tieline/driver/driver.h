// The SPI: what an adapter implements (Driver, Connection, SenderDriver,
// ReceiverDriver) and what the core gives it (the sinks and the Waker).
//
// The rules, for every driver:
// - A connection and its handles are called by one thread at a time; the core
//   sees to it. Different connections run on different threads.
// - Sinks are called only inside Connection::Run, never inside another call.
//   From inside a sink the core may call Submit, Grant, Settle, DropLane and
//   open or close handles, but not Run, and destroys nothing.
// - No call blocks. Drivers do not retry, sleep, log, reconnect or read a
//   clock: `now` comes with Run, and Driver::Connect (steady time).
// - Each submitted cookie gets exactly one Outcome, each accepted settlement
//   exactly one Settled, each Ask one Reply; when the connection is lost or a
//   handle closes, the open ones get theirs (kUnknown, kUnavailable) before
//   OnLost or OnClosed. After OnLost nothing more comes.
// - Destroying a connection (after its handles) frees all at once and calls no
//   sink. Messages handed out earlier stay valid.
#ifndef TIELINE_DRIVER_DRIVER_H_
#define TIELINE_DRIVER_DRIVER_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "tieline/capabilities.h"
#include "tieline/clock.h"
#include "tieline/config.h"
#include "tieline/driver/types.h"
#include "tieline/request.h"

namespace tieline::inline v0 {
namespace driver {

// Asks that the connection be run soon. Any thread, at any time, until the
// connection is destroyed; cheap when it was asked already.
class Waker {
 public:
  virtual void Wake() = 0;

 protected:
  ~Waker() = default;
};

class ConnectionSink {
 public:
  // Connected and authenticated; once. Handles may be opened before.
  virtual void OnUp(const Capabilities& capabilities) = 0;
  virtual void OnReply(Reply reply) = 0;
  // Once, the last call: OK after Close, else why it could not be made or was
  // lost (kUnavailable; kUnauthenticated, kPermissionDenied, kInvalidArgument
  // are for good).
  virtual void OnLost(const absl::Status& why) = 0;

 protected:
  ~ConnectionSink() = default;
};

class SenderSink {
 public:
  // The entity is there and may be sent to. Once.
  virtual void OnOpened(const Capabilities& capabilities) = 0;
  // Submit took less than it was given, and may take more now.
  virtual void OnSendable() = 0;
  virtual void OnOutcomes(std::span<const Outcome> outcomes) = 0;
  // Once, the last call: OK after Close; else why it could not be opened or
  // was closed by the broker (kNotFound, kPermissionDenied, kUnavailable, ...).
  // The connection goes on. Not called when the connection itself is lost.
  virtual void OnClosed(const absl::Status& why) = 0;

 protected:
  ~SenderSink() = default;
};

class ReceiverSink {
 public:
  virtual void OnOpened(const Capabilities& capabilities) = 0;
  // Never more than was granted. The sink moves the messages out.
  virtual void OnDeliveries(std::span<Inbound> deliveries) = 0;
  virtual void OnSettled(std::span<const Settled> settled) = 0;
  // Lane 0 of a plain receiver is open from OnOpened on, without an event.
  virtual void OnLane(const LaneEvent& event) = 0;
  // The answer to Drain: no credit is left and nothing more is on its way.
  virtual void OnDrained() = 0;
  virtual void OnClosed(const absl::Status& why) = 0;  // as SenderSink's

 protected:
  ~ReceiverSink() = default;
};

class SenderDriver {
 public:
  virtual ~SenderDriver() = default;
  // Takes a prefix of `batch` and returns its length; less than all when there
  // is no credit or room (OnSendable follows) or it is not open yet. `atomic`:
  // all or none, as one unit at the broker (kTransactions), else 0.
  virtual size_t Submit(std::span<const Outbound> batch, bool atomic) = 0;
  // Joins later submissions to the receiver's transaction; kUnimplemented
  // without kTransactions.
  virtual absl::Status Join(class ReceiverDriver* receiver);
  // Sends what was taken, then closes. OnClosed follows.
  virtual void Close() = 0;
};

class ReceiverDriver {
 public:
  virtual ~ReceiverDriver() = default;
  // Adds credit: so many more messages, and so many more bytes of bodies, may
  // be delivered (bytes are exceeded by one message at most). `lane` is
  // kAllLanes, or a lane that then has its own credit.
  virtual void Grant(Lane lane, uint32_t messages, uint64_t bytes) = 0;
  // Takes back all credit; OnDrained follows.
  virtual void Drain() = 0;
  virtual void Settle(std::span<const Settlement> settlements) = 0;
  // Sessions: asks for one by name, or the next free one (empty name).
  virtual absl::Status AcceptLane(std::string_view name);
  // Gives a lane back: one that is closing, or a session. Its unsettled
  // deliveries are the broker's again. kClosed follows.
  virtual void DropLane(Lane lane, uint32_t epoch) = 0;
  // What was settled goes out, what was not is the broker's again. OnClosed
  // follows once the broker has answered.
  virtual void Close() = 0;
};

class Connection {
 public:
  virtual ~Connection() = default;
  virtual PollSet pollable() const = 0;
  // Does what is ready, and returns when it next needs to be called. Does a
  // bounded amount of work; `worked` says that there may be more.
  virtual Progress Run(absl::Time now) = 0;
  // The sink must outlive the handle. An error here is one that needs no
  // broker to find (kInvalidArgument, kUnimplemented); others come by OnClosed.
  virtual absl::StatusOr<std::unique_ptr<SenderDriver>> OpenSender(
      const SenderSpec& spec, SenderSink* sink) = 0;
  virtual absl::StatusOr<std::unique_ptr<ReceiverDriver>> OpenReceiver(
      const ReceiverSpec& spec, ReceiverSink* sink) = 0;
  // One Reply with this cookie follows.
  virtual void Ask(uint64_t cookie, Request request) = 0;
  // Closes handles and connection; OnLost(OK) follows, at `deadline` (steady)
  // at the latest.
  virtual void Close(absl::Time deadline) = 0;
};

// One for each kind of broker; shared by all connections, called from any
// thread.
class Driver {
 public:
  virtual ~Driver() = default;
  // True when Run does no input or output and takes microseconds: the core then
  // runs it on the caller's thread, one connection a handle.
  virtual bool runs_inline() const { return false; }
  // What every connection of this kind has for certain: for refusing a config
  // before connecting.
  virtual Capabilities capabilities() const = 0;
  // Checks what can be checked without a broker: kInvalidArgument names the
  // field.
  virtual absl::Status Check(const BrokerConfig& broker,
                             const std::vector<QueueConfig>& queues) const = 0;
  // Begins to connect. `broker`, `sink`, `waker` and `clock` outlive the
  // connection.
  virtual absl::StatusOr<std::unique_ptr<Connection>> Connect(
      const BrokerConfig& broker, ConnectionSink* sink, Waker* waker,
      const Clock* clock, absl::Time now) = 0;
};

// Registers a driver under a URL scheme, for the process. Any thread; a second
// registration of a scheme is ignored.
void Register(std::string_view scheme, std::shared_ptr<Driver> driver);
// Null when none is registered.
std::shared_ptr<Driver> Find(std::string_view scheme);
std::vector<std::string> Schemes();

}  // namespace driver
}  // namespace tieline::inline v0

#endif  // TIELINE_DRIVER_DRIVER_H_
