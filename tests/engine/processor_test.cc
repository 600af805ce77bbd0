// Processors when things go wrong: failing handlers, lanes that go, stopping.
#include "tieline/processor.h"

#include <map>
#include <string>
#include <thread>
#include <vector>

#include "lib/base/mutex.h"
#include "tests/engine/rig.h"

namespace tieline {
namespace {

ReceiverOptions Fast() {
  ReceiverOptions options;
  options.retry_min = absl::Milliseconds(1);
  options.retry_max = absl::Milliseconds(5);
  options.max_attempts = 0;
  return options;
}

struct Log {
  void Add(const Message& m) {
    MutexLock lock(&mu);
    bodies[std::string(m.key())].push_back(std::string(m.body_view()));
  }
  Mutex mu;
  std::map<std::string, std::vector<std::string>> bodies;
};

TEST_CASE("a failing message holds back its key alone, and keeps its order") {
  ScriptedRig rig;
  auto receiver = *rig.bus->OpenReceiver("q", Fast());
  for (int i = 0; i < 10; ++i) {
    rig.broker->Put("q", Message(std::to_string(i)).set_key("k"));
    rig.broker->Put("q", Message(std::to_string(i)).set_key("o"));
  }
  Log done;
  std::atomic<int> failures{3};
  std::atomic<int> handled{0};
  std::atomic<bool> others_went{false};
  auto processor =
      receiver->Process({.concurrency = 4}, [&](Delivery& d) -> absl::Status {
        if (d.message().key() == "k" && d.message().body_view() == "0") {
          if (--failures >= 0) return absl::InternalError("not yet");
        }
        done.Add(d.message());
        if (d.message().key() == "o" && failures >= 0) others_went = true;
        ++handled;
        return absl::OkStatus();
      });
  REQUIRE(Eventually([&] { return handled == 20; }));
  CHECK(processor->Stop(kLong).ok());
  CHECK(others_went);
  CHECK(processor->counts().failed == 3);
  for (const char* key : {"k", "o"}) {
    REQUIRE(done.bodies[key].size() == 10);
    for (int i = 0; i < 10; ++i) {
      CHECK(done.bodies[key][static_cast<size_t>(i)] == std::to_string(i));
    }
  }
  CHECK(receiver->Flush(kLong).ok());
  CHECK(rig.broker->Depth("q") == 0);
}

TEST_CASE("stopping ends at its deadline although a handler still runs") {
  MemoryRig rig;
  auto sender = *rig.bus->OpenSender(rig.Url("q"));
  auto receiver = *rig.bus->OpenReceiver(rig.Url("q"));
  std::atomic<bool> entered{false};
  std::atomic<bool> leave{false};
  auto processor = receiver->Process({}, [&](Delivery&) {
    entered = true;
    while (!leave) std::this_thread::yield();
    return absl::OkStatus();
  });
  for (int i = 0; i < 5; ++i) REQUIRE(sender->Send(Message("x")).ok());
  REQUIRE(Eventually([&] { return entered.load(); }));
  const absl::Time start = absl::Now();
  CHECK(processor->Stop(absl::Milliseconds(50)).code() ==
        absl::StatusCode::kDeadlineExceeded);
  CHECK(absl::Now() - start < absl::Seconds(10));
  CHECK(processor->counts().running == 1);
  leave = true;
  CHECK(processor->Stop(kLong).ok());
  CHECK(processor->counts().handled == 1);
  processor.reset();
  CHECK(receiver->Flush(kLong).ok());
  // The others were given back, none as an attempt.
  CHECK(rig.broker->Inspect("q")->active == 4);
}

TEST_CASE("a handler that stops its own processor is refused") {
  MemoryRig rig;
  auto sender = *rig.bus->OpenSender(rig.Url("q"));
  auto receiver = *rig.bus->OpenReceiver(rig.Url("q"));
  std::atomic<Processor*> itself{nullptr};
  std::atomic<bool> refused{false};
  auto processor = receiver->Process({}, [&](Delivery&) {
    while (itself == nullptr) std::this_thread::yield();
    refused = itself.load()->Stop(kLong).code() ==
              absl::StatusCode::kFailedPrecondition;
    return absl::OkStatus();
  });
  itself = processor.get();
  REQUIRE(sender->Send(Message("x")).ok());
  CHECK(Eventually([&] { return processor->counts().handled == 1; }));
  CHECK(refused);
}

TEST_CASE("what was received before the processor began is handled") {
  MemoryRig rig;
  auto sender = *rig.bus->OpenSender(rig.Url("q"));
  for (int i = 0; i < 10; ++i) {
    REQUIRE(sender->Send(Message(std::to_string(i)).set_key("k")).ok());
  }
  auto receiver = *rig.bus->OpenReceiver(rig.Url("q"));
  auto first = receiver->Receive(kLong);
  REQUIRE(first.ok());
  CHECK(first->Complete().ok());
  Log log;
  std::atomic<int> handled{0};
  auto processor = receiver->Process({}, [&](Delivery& d) {
    log.Add(d.message());
    ++handled;
    return absl::OkStatus();
  });
  REQUIRE(Eventually([&] { return handled == 9; }));
  for (size_t i = 0; i < 9; ++i) {
    CHECK(log.bodies["k"][i] == std::to_string(i + 1));
  }
}

TEST_CASE("after a processor, the receiver receives again") {
  MemoryRig rig;
  auto sender = *rig.bus->OpenSender(rig.Url("q"));
  auto receiver = *rig.bus->OpenReceiver(rig.Url("q"));
  std::atomic<int> handled{0};
  const Handler count = [&](Delivery&) {
    ++handled;
    return absl::OkStatus();
  };
  auto first = receiver->Process({}, count);
  REQUIRE(sender->Send(Message("1")).ok());
  REQUIRE(Eventually([&] { return handled == 1; }));
  CHECK(first->Stop(kLong).ok());
  REQUIRE(sender->Send(Message("2")).ok());
  auto pulled = receiver->Receive(kLong);
  REQUIRE(pulled.ok());
  CHECK(pulled->Complete().ok());
  auto second = receiver->Process({}, count);
  REQUIRE(sender->Send(Message("3")).ok());
  CHECK(Eventually([&] { return handled == 2; }));
}

TEST_CASE("lanes and connections that go while handlers run: order per key") {
  ScriptedRig rig;
  rig.broker->announce_lanes = true;
  auto receiver = *rig.bus->OpenReceiver("q", Fast());
  constexpr int kKeys = 5;
  constexpr int kEach = 60;
  for (int i = 0; i < kEach; ++i) {
    for (int k = 0; k < kKeys; ++k) {
      rig.broker->Put(
          "q", Message(std::to_string(i)).set_key("k" + std::to_string(k)));
    }
  }
  Mutex mu;
  std::map<std::string, int> next;     // the least not seen yet
  std::map<std::string, int> running;  // handlers of one connection's lane
  bool in_order = true;
  std::atomic<int> calls{0};
  auto processor =
      receiver->Process({.concurrency = 4}, [&](Delivery& d) -> absl::Status {
        const std::string key(d.message().key());
        const int i = std::stoi(std::string(d.message().body_view()));
        {
          MutexLock lock(&mu);
          // Never ahead; behind only as a redelivery.
          if (i > next[key]) in_order = false;
          next[key] = std::max(next[key], i + 1);
          if (++running[key] > 1) in_order = false;
        }
        if (++calls % 7 == 0) std::this_thread::yield();
        {
          MutexLock lock(&mu);
          --running[key];
        }
        if (calls % 11 == 0) return absl::InternalError("again");
        return absl::OkStatus();
      });
  uint64_t rounds = 0;
  while (rig.broker->Depth("q") > 0 && rounds < 3000) {
    const int before = calls;
    Eventually(
        [&] { return calls > before + 5 || rig.broker->Depth("q") == 0; },
        absl::Milliseconds(100));
    ++rounds;
    if (rounds % 4 == 0) {
      rig.broker->DropConnections();
    } else if (rounds % 2 == 0) {
      rig.broker->CloseLane(absl::Milliseconds(5));
      rig.broker->OpenLane();
    }
  }
  CHECK(rig.broker->Depth("q") == 0);
  CHECK(processor->Stop(kLong).ok());
  CHECK(in_order);
  for (const auto& [key, n] : next) CHECK(n == kEach);
}

}  // namespace
}  // namespace tieline
