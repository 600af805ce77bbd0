// One connection of the adapter, run by hand, for tests on real brokers.
#ifndef TIELINE_TESTS_ADAPTERS_AMQP_CLIENT_H_
#define TIELINE_TESTS_ADAPTERS_AMQP_CLIENT_H_

#include <poll.h>

#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <utility>

#include "tieline/amqp.h"
#include "tieline/driver/driver.h"

namespace tieline::amqp_test {

class Client final : public driver::ConnectionSink, public driver::Waker {
 public:
  explicit Client(BrokerConfig broker) : broker_(std::move(broker)) {
    amqp::Register();
    absl::StatusOr<std::unique_ptr<driver::Connection>> made =
        driver::Find("amqp")->Connect(broker_, this, this, Clock::System(),
                                      Clock::System()->Steady());
    if (made.ok()) {
      connection = *std::move(made);
    } else {
      lost = made.status();
    }
  }

  void OnUp(const Capabilities& can) override {
    up = true;
    capabilities = can;
  }
  void OnReply(driver::Reply r) override { reply = std::move(r); }
  void OnLost(const absl::Status& why) override { lost = why; }
  void Wake() override { woken_ = true; }

  void Turn() {
    woken_ = false;
    const absl::Time now = Clock::System()->Steady();
    if (connection->Run(now).worked || woken_ || lost.has_value()) return;
    const driver::PollSet set = connection->pollable();
    pollfd fd{set.fd,
              static_cast<int16_t>(set.write ? POLLIN | POLLOUT : POLLIN), 0};
    poll(&fd, set.fd < 0 ? 0 : 1, 10);
  }
  // False when the time is over, or the connection, before it is done.
  bool Until(const std::function<bool()>& done,
             absl::Duration patience = absl::Seconds(20)) {
    const absl::Time end = Clock::System()->Steady() + patience;
    while (!done()) {
      if (lost.has_value() || Clock::System()->Steady() > end) return done();
      Turn();
    }
    return true;
  }
  // How connecting ended: OK when it is up.
  absl::Status Connect() {
    Until([this] { return up; });
    if (lost.has_value()) return *lost;
    return up ? absl::OkStatus() : absl::DeadlineExceededError("no answer");
  }
  driver::Reply Ask(driver::Request request) {
    reply.reset();
    connection->Ask(1, std::move(request));
    Until([this] { return reply.has_value(); });
    if (reply.has_value()) return *std::move(reply);
    driver::Reply none;
    none.status = absl::DeadlineExceededError("no reply");
    return none;
  }

  std::unique_ptr<driver::Connection> connection;
  bool up = false;
  Capabilities capabilities;
  std::optional<absl::Status> lost;
  std::optional<driver::Reply> reply;

 private:
  BrokerConfig broker_;
  std::atomic<bool> woken_ = false;
};

}  // namespace tieline::amqp_test

#endif  // TIELINE_TESTS_ADAPTERS_AMQP_CLIENT_H_
