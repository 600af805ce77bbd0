// The bus in a host's own loop, on a clock that stands still, and over many
// handles.
#include <poll.h>

#include <future>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "tests/engine/rig.h"

namespace tieline {
namespace {

bool Readable(int fd) {
  pollfd p{fd, POLLIN, 0};
  return poll(&p, 1, 0) == 1;
}

TEST_CASE("host_runs: the descriptor tells when there is something to do") {
  BusOptions options;
  options.host_runs = true;
  ScriptedRig rig(options);
  auto sender = *rig.bus->OpenSender("plain");
  std::atomic<int> results{0};
  std::vector<Message> messages(3, Message("x"));
  REQUIRE(sender
              ->SendBatch(std::move(messages),
                          [&](std::span<const SendResult> r) {
                            results += static_cast<int>(r.size());
                          })
              .ok());
  // A loop as a host writes it: run when readable or due.
  absl::Time next = absl::InfinitePast();
  const absl::Time until = absl::Now() + kLong;
  while (results < 3 && absl::Now() < until) {
    if (next <= Clock::System()->Steady() || Readable(rig.bus->fd())) {
      next = rig.bus->RunOnce();
    }
  }
  CHECK(results == 3);
  // Nothing is to be done, until somebody gives it something.
  REQUIRE(Eventually([&] {
    if (next > Clock::System()->Steady() && !Readable(rig.bus->fd())) {
      return true;
    }
    next = rig.bus->RunOnce();
    return false;
  }));
  std::vector<Message> more(1, Message("y"));
  REQUIRE(sender
              ->SendBatch(std::move(more),
                          [&](std::span<const SendResult>) { ++results; })
              .ok());
  CHECK(Readable(rig.bus->fd()));
  CHECK(rig.bus->Close(kLong).ok());
  CHECK(results == 4);
}

TEST_CASE("host_runs: a blocking send works from another thread") {
  BusOptions options;
  options.host_runs = true;
  ScriptedRig rig(options);
  auto sender = *rig.bus->OpenSender("plain");
  auto other = std::async(std::launch::async,
                          [&] { return sender->Send(Message("x")); });
  CHECK(Eventually([&] {
    rig.bus->RunOnce();
    return other.wait_for(std::chrono::seconds(0)) == std::future_status::ready;
  }));
  CHECK(other.get().ok());
}

TEST_CASE("a manual clock: a send's deadline passes when the clock says so") {
  ManualClock clock;
  BusOptions options;
  options.clock = &clock;
  options.host_runs = true;
  ScriptedRig rig(options);
  rig.broker->SetScript([](const Message&) { return std::nullopt; });
  auto sender = *rig.bus->OpenSender("plain");
  std::atomic<int> code{-1};
  std::vector<Message> one(1, Message("x"));
  REQUIRE(sender
              ->SendBatch(std::move(one),
                          [&](std::span<const SendResult> r) {
                            code = static_cast<int>(r[0].status.code());
                          },
                          {.timeout = absl::Seconds(10)})
              .ok());
  for (int i = 0; i < 50; ++i) rig.bus->RunOnce();
  clock.Advance(absl::Seconds(9));
  for (int i = 0; i < 50; ++i) rig.bus->RunOnce();
  CHECK(code == -1);
  CHECK(rig.broker->submits() == 1);
  clock.Advance(absl::Seconds(2));
  for (int i = 0; i < 50; ++i) rig.bus->RunOnce();
  CHECK(code == static_cast<int>(absl::StatusCode::kDeadlineExceeded));
}

TEST_CASE("a manual clock: reconnecting waits for its back-off") {
  ManualClock clock;
  BusOptions options;
  options.clock = &clock;
  memory::BrokerOptions with;
  with.clock = &clock;
  MemoryRig rig(options, with);
  rig.broker->RefuseConnections(true);
  auto sender = *rig.bus->OpenSender(rig.Url("q"));
  const auto connects = [&] {
    uint64_t n = 0;
    for (const BrokerMetrics& m : rig.bus->metrics().brokers) n += m.connects;
    return n;
  };
  REQUIRE(Eventually([&] { return connects() == 1; }));
  rig.broker->RefuseConnections(false);
  REQUIRE(Eventually([&] {
    clock.Advance(absl::Milliseconds(1));
    return connects() == 2;
  }));
  CHECK(sender->WaitOpen(kLong).ok());
}

TEST_CASE("a question that nobody answers ends in time, whatever the clock") {
  ManualClock clock;
  for (Clock* with : {Clock::System(), static_cast<Clock*>(&clock)}) {
    BusOptions options;
    options.clock = with;
    MemoryRig rig(options);
    REQUIRE(rig.broker->CreateQueue("q", {}).ok());
    rig.broker->Stall(true);
    const absl::Time start = absl::Now();
    auto depth = rig.bus->Depth(rig.Url("q"), absl::Milliseconds(100));
    CHECK(depth.status().code() == absl::StatusCode::kDeadlineExceeded);
    CHECK(absl::Now() - start < absl::Seconds(10));
    rig.broker->Stall(false);
    CHECK(*rig.bus->Depth(rig.Url("q"), kLong) == 0);
  }
}

TEST_CASE("a question on a shared connection ends in time too") {
  ScriptedRig rig;
  auto depth = rig.bus->Depth("q", absl::Milliseconds(50));
  CHECK(depth.status().code() == absl::StatusCode::kDeadlineExceeded);
  driver::Request ping;
  CHECK(rig.bus->Ask("q", ping, kLong).ok());
}

TEST_CASE("a thousand handles opened and closed leave nothing behind") {
  MemoryRig rig;
  for (int i = 0; i < 1000; ++i) {
    auto sender = *rig.bus->OpenSender(rig.Url("q"));
    auto receiver = *rig.bus->OpenReceiver(rig.Url("q"));
    if (i % 10 == 0) {
      REQUIRE(sender->Send(Message("x")).ok());
      auto d = receiver->Receive(kLong);
      REQUIRE(d.ok());
      REQUIRE(d->Complete().ok());
    }
  }
  CHECK(rig.broker->Inspect("q")->receivers == 0);
  // The runner may be about to look at the last ones.
  CHECK(Eventually([&] { return rig.bus->metrics().brokers.size() <= 2; }));
  const MetricsSnapshot left = rig.bus->metrics();
  CHECK(left.senders.size() <= 1);
  CHECK(left.receivers.size() <= 1);
}

TEST_CASE("a thousand handles on one connection leave nothing behind") {
  ScriptedRig rig;
  for (int i = 0; i < 1000; ++i) {
    auto sender = *rig.bus->OpenSender("plain");
    auto receiver = *rig.bus->OpenReceiver("q");
    if (i % 10 == 0) REQUIRE(sender->Send(Message("x")).ok());
  }
  CHECK(Eventually([&] { return rig.broker->handles() == 0; }));
  CHECK(rig.bus->metrics().brokers.size() == 1);
  CHECK(Eventually([&] { return rig.bus->metrics().senders.size() <= 1; }));
}

TEST_CASE("handles opened beside a busy connection are always served") {
  ScriptedRig rig;
  std::atomic<bool> stop{false};
  auto busy = *rig.bus->OpenSender("plain");
  std::atomic<int> failed{0};
  std::thread load([&] {
    while (!stop) failed += busy->Send(Message("load")).ok() ? 0 : 1;
  });
  for (int i = 0; i < 500; ++i) {
    auto sender = *rig.bus->OpenSender("to");
    const SendResult r =
        sender->Send(Message("x"), {.timeout = absl::Seconds(10)});
    REQUIRE(r.ok());
  }
  stop = true;
  load.join();
  CHECK(failed == 0);
}

TEST_CASE("what is opened while the bus closes is refused, and nothing hangs") {
  for (int i = 0; i < 50; ++i) {
    ScriptedRig rig;
    std::atomic<bool> started{false};
    std::atomic<int> unexplained{0};
    std::thread other([&] {
      for (int k = 0; k < 20; ++k) {
        auto sender = rig.bus->OpenSender("plain");
        started = true;
        if (!sender.ok()) break;
        const SendResult r =
            (*sender)->Send(Message("x"), {.timeout = absl::Milliseconds(200)});
        if (!r.ok()) {
          unexplained += r.status.ok() ? 1 : 0;
          break;
        }
      }
    });
    REQUIRE(Eventually([&] { return started.load(); }));
    CHECK(rig.bus->Close(kLong).ok());
    other.join();
    CHECK(unexplained == 0);
  }
}

TEST_CASE("closing the bus from its callback is refused") {
  MemoryRig rig;
  auto sender = *rig.bus->OpenSender(rig.Url("q"));
  std::atomic<int> code{-1};
  std::vector<Message> one(1, Message("x"));
  REQUIRE(sender
              ->SendBatch(std::move(one),
                          [&](std::span<const SendResult>) {
                            code =
                                static_cast<int>(rig.bus->Close(kLong).code());
                          })
              .ok());
  REQUIRE(Eventually([&] { return code >= 0; }));
  CHECK(code == static_cast<int>(absl::StatusCode::kFailedPrecondition));
}

}  // namespace
}  // namespace tieline
