// The tasks behind Requests.
#ifndef TIELINE_ADAPTERS_AMQP_TASKS_H_
#define TIELINE_ADAPTERS_AMQP_TASKS_H_

#include <string>
#include <vector>

#include "adapters/amqp/requests.h"

namespace tieline::inline v0::amqp {

class PingTask final : public Task {
 public:
  using Task::Task;
  void Start() override;
  void Stop() override {}
  void OnDetached(wire::Link*, const wire::Condition&) override {}
  void OnPong() { Finish(absl::OkStatus()); }
};

class CreateTask final : public Task {
 public:
  using Task::Task;
  void Start() override;
  void Stop() override;
  void OnAttached(wire::Link* link) override;
  void OnDetached(wire::Link* link, const wire::Condition& why) override;

 private:
  wire::Link* link_ = nullptr;
};

class PeekTask final : public Task {
 public:
  using Task::Task;
  void Start() override;
  void Stop() override;
  void OnAttached(wire::Link* link) override;
  void OnDetached(wire::Link* link, const wire::Condition& why) override;
  void OnDelivery(wire::Link* link, wire::Delivery delivery) override;
  void OnDrained(wire::Link* link) override;

 private:
  wire::Link* link_ = nullptr;
  int64_t seen_ = 0;
  driver::Reply result_;
};

// One operation by Artemis's management: one or several request messages, one
// after the other, and their replies on a dynamic address.
class ManagementTask final : public Task {
 public:
  using Task::Task;
  void Start() override;
  void Stop() override;
  void OnAttached(wire::Link* link) override;
  void OnDetached(wire::Link* link, const wire::Condition& why) override;
  void OnSendable(wire::Link* link) override;
  void OnOutcome(wire::Link* link, uint64_t cookie,
                 const wire::DeliveryState& state) override;
  void OnDelivery(wire::Link* link, wire::Delivery delivery) override;

 private:
  void SendNext();
  absl::Status ReadReply(const Message& message);

  wire::Link* sender_ = nullptr;
  wire::Link* receiver_ = nullptr;
  std::string reply_to_;
  size_t sent_ = 0;
  std::vector<int64_t> counts_;  // of the replies that have one
};

}  // namespace tieline::inline v0::amqp

#endif  // TIELINE_ADAPTERS_AMQP_TASKS_H_
