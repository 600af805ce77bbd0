// Runs one connection as the core does: until nothing is left, then waits.
#ifndef TIELINE_BENCHMARKS_END_TO_END_KAFKA_LOOP_H_
#define TIELINE_BENCHMARKS_END_TO_END_KAFKA_LOOP_H_

#include <poll.h>

#include <memory>
#include <utility>

#include "benchmarks/end_to_end/kafka/bare.h"
#include "tieline/driver/driver.h"
#include "tieline/kafka.h"

namespace tieline::bench {

class Loop final : public driver::ConnectionSink, public driver::Waker {
 public:
  explicit Loop(const Flags& flags) : broker_(BrokerOf(flags)) {
    kafka::Register();
    auto made = driver::Find("kafka")->Connect(
        broker_, this, this, Clock::System(), Clock::System()->Steady());
    Check(made.status());
    connection = *std::move(made);
    while (!up) Turn();
  }
  static void Check(const absl::Status& status) {
    if (status.ok()) return;
    std::fprintf(stderr, "%s\n", status.ToString().c_str());
    std::exit(1);
  }
  void OnUp(const Capabilities&) override { up = true; }
  void OnReply(driver::Reply) override {}
  void OnLost(const absl::Status& why) override {
    Check(why);
    lost = true;
  }
  void Wake() override { woken = true; }
  void Turn() {
    woken = false;
    const absl::Time now = Clock::System()->Steady();
    const driver::Progress progress = connection->Run(now);
    if (progress.worked || woken || lost) return;
    pollfd fd{connection->pollable().fd, POLLIN, 0};
    const absl::Duration wait = std::clamp(
        progress.next - now, absl::ZeroDuration(), absl::Milliseconds(20));
    const auto spec = absl::ToTimespec(wait);
    ppoll(&fd, 1, &spec, nullptr);
  }

  std::unique_ptr<driver::Connection> connection;
  bool up = false;
  bool lost = false;
  bool woken = false;

 private:
  BrokerConfig broker_;
};

}  // namespace tieline::bench

#endif  // TIELINE_BENCHMARKS_END_TO_END_KAFKA_LOOP_H_
