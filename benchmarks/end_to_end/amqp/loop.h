// Runs one connection as the core does: until nothing is left, then waits.
#ifndef TIELINE_BENCHMARKS_END_TO_END_AMQP_LOOP_H_
#define TIELINE_BENCHMARKS_END_TO_END_AMQP_LOOP_H_

#include <poll.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>

#include "benchmarks/end_to_end/bench.h"
#include "tieline/amqp.h"
#include "tieline/driver/driver.h"

namespace tieline::bench {

inline void Check(const absl::Status& status) {
  if (status.ok()) return;
  std::fprintf(stderr, "%s\n", status.ToString().c_str());
  std::exit(1);
}

class Loop final : public driver::ConnectionSink, public driver::Waker {
 public:
  explicit Loop(const Flags& flags) {
    amqp::Register();
    broker_.name = "bench";
    broker_.url = *Url::Parse(flags.url);
    broker_.auth.user = broker_.url.user;
    broker_.auth.password = broker_.url.password;
    auto made = driver::Find("amqp")->Connect(
        broker_, this, this, Clock::System(), Clock::System()->Steady());
    Check(made.status());
    connection = *std::move(made);
    while (!up) Turn();
  }
  void OnUp(const Capabilities&) override { up = true; }
  void OnReply(driver::Reply) override {}
  void OnLost(const absl::Status& why) override {
    Check(why);
    lost = true;
  }
  void Wake() override { woken = true; }
  // Waits first, when the last turn left nothing to do: what its sinks were
  // told may have ended the waiting.
  void Turn() {
    if (idle && !woken) {
      const driver::PollSet set = connection->pollable();
      pollfd fd{set.fd, static_cast<short>(POLLIN | (set.write ? POLLOUT : 0)),
                0};
      poll(&fd, 1, 100);
    }
    woken = false;
    const absl::Time now = Clock::System()->Steady();
    idle = !connection->Run(now).worked && !lost;
  }
  void Close() {
    connection->Close(Clock::System()->Steady() + absl::Seconds(5));
    while (!lost) Turn();
  }

  std::unique_ptr<driver::Connection> connection;
  bool up = false;
  bool lost = false;
  bool woken = false;
  bool idle = false;

 private:
  BrokerConfig broker_;
};

inline QueueConfig QueueOf(const Flags& flags) {
  QueueConfig queue;
  queue.name = queue.entity = flags.queue;
  return queue;
}

}  // namespace tieline::bench

#endif  // TIELINE_BENCHMARKS_END_TO_END_AMQP_LOOP_H_
