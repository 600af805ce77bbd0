// Requests: the rare operations of a connection, one task each, on links of
// their own that live as long as the task.
//
//   ping           a session that begins and ends; any broker
//   create         attaching a sender, which declares or auto-creates
//   peek           a browsing receiver (Artemis)
//   depth, undrained, fix start, list, delete
//                  Artemis's management address
// Everything else, and everything on brokers without it: kUnimplemented.
// Threads: those of the connection.
#ifndef TIELINE_ADAPTERS_AMQP_REQUESTS_H_
#define TIELINE_ADAPTERS_AMQP_REQUESTS_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "absl/time/time.h"
#include "adapters/amqp/engine/handlers.h"
#include "tieline/driver/driver.h"

namespace tieline::inline v0::amqp {

class AmqpConnection;

// One operation under way.
class Task : public wire::LinkHandler {
 public:
  Task(AmqpConnection* connection, driver::Request request)
      : connection_(connection), request_(std::move(request)) {}
  virtual ~Task() = default;
  // The connection is up.
  virtual void Start() = 0;
  // Gives its links back.
  virtual void Stop() = 0;
  const driver::Request& request() const { return request_; }
  std::optional<driver::Reply>* reply() { return &reply_; }

  void OnAttached(wire::Link*) override {}
  void OnSendable(wire::Link*) override {}
  void OnOutcome(wire::Link*, uint64_t, const wire::DeliveryState&) override {}
  void OnDelivery(wire::Link*, wire::Delivery) override {}
  void OnSettled(wire::Link*, uint32_t, uint64_t,
                 const wire::DeliveryState&) override {}
  void OnDrained(wire::Link*) override {}

 protected:
  // Ends the task, once.
  void Finish(driver::Reply reply) {
    if (!reply_.has_value()) reply_ = std::move(reply);
  }
  void Finish(absl::Status status) {
    driver::Reply reply;
    reply.status = std::move(status);
    Finish(std::move(reply));
  }

  AmqpConnection* const connection_;
  const driver::Request request_;

 private:
  std::optional<driver::Reply> reply_;
};

class Requests {
 public:
  explicit Requests(AmqpConnection* connection) : connection_(connection) {}

  void Ask(uint64_t cookie, driver::Request request);
  // Starts and ends tasks, and replies to those that are done.
  void Run(absl::Time now);
  void OnPong();
  // Gives links back; what is open is answered with OnLost.
  void Close();
  void OnLost(const absl::Status& why);
  // Run has something to say at once.
  bool answered() const;
  // When Run must be called without an event.
  absl::Time deadline() const;

 private:
  struct Open {
    uint64_t cookie;
    std::unique_ptr<Task> task;
  };

  void Start();

  AmqpConnection* const connection_;
  // Until the connection is up, and its broker known.
  std::vector<std::pair<uint64_t, driver::Request>> waiting_;
  std::vector<Open> open_;
  bool closed_ = false;
};

}  // namespace tieline::inline v0::amqp

#endif  // TIELINE_ADAPTERS_AMQP_REQUESTS_H_
