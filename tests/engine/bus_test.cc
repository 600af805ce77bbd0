// The bus from end to end on the memory backend.
#include "tieline/bus.h"

#include <atomic>
#include <future>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "absl/time/clock.h"
#include "lib/base/mutex.h"
#include "tests/support/catch.h"
#include "tieline/memory.h"

namespace tieline {
namespace {

constexpr absl::Duration kLong = absl::Seconds(20);

std::unique_ptr<Bus> OpenBus() {
  memory::Register();
  auto bus = Bus::Open(Config{});
  REQUIRE(bus.ok());
  return *std::move(bus);
}

// A queue of its own for each test.
std::string NewQueue() {
  static std::atomic<int> next{0};
  return "memory://engine/q" + std::to_string(next++);
}

TEST_CASE("a sent message is received, and gone once completed") {
  auto bus = OpenBus();
  const std::string queue = NewQueue();
  auto sender = *bus->OpenSender(queue);
  auto receiver = *bus->OpenReceiver(queue);
  const SendResult sent = sender->Send(Message("hello").set_key("k"));
  INFO(sent.status.ToString());
  REQUIRE(sent.ok());
  CHECK_FALSE(sent.id().empty());
  auto delivery = receiver->Receive(kLong);
  REQUIRE(delivery.ok());
  CHECK(delivery->message().body_view() == "hello");
  CHECK(delivery->message().key() == "k");
  CHECK(delivery->message().id() == sent.id());
  CHECK(delivery->CompleteConfirmed(kLong).ok());
  CHECK(delivery->Complete().code() == absl::StatusCode::kFailedPrecondition);
  CHECK(*bus->Depth(queue, kLong) == 0);
}

TEST_CASE("receiving from an empty queue ends at its deadline") {
  auto bus = OpenBus();
  auto receiver = *bus->OpenReceiver(NewQueue());
  auto delivery = receiver->Receive(absl::Milliseconds(20));
  CHECK(delivery.status().code() == absl::StatusCode::kDeadlineExceeded);
}

TEST_CASE("a waiting receiver is woken by a send from another thread") {
  auto bus = OpenBus();
  const std::string queue = NewQueue();
  auto receiver = *bus->OpenReceiver(queue);
  auto sender = *bus->OpenSender(queue);
  for (int i = 0; i < 200; ++i) {
    auto other = std::async(std::launch::async,
                            [&] { return sender->Send(Message("x")); });
    auto delivery = receiver->Receive(kLong);
    CHECK(other.get().ok());
    REQUIRE(delivery.ok());
    CHECK(delivery->Complete().ok());
  }
}

TEST_CASE("batches keep their order and every message has its result") {
  auto bus = OpenBus();
  const std::string queue = NewQueue();
  auto sender = *bus->OpenSender(queue);
  auto receiver = *bus->OpenReceiver(queue);
  std::vector<Message> messages;
  for (int i = 0; i < 1000; ++i) messages.emplace_back(std::to_string(i));
  const std::vector<SendResult> results =
      sender->SendBatch(std::move(messages));
  REQUIRE(results.size() == 1000);
  for (const SendResult& r : results) REQUIRE(r.ok());
  int next = 0;
  while (next < 1000) {
    auto batch = receiver->ReceiveBatch(100, kLong);
    REQUIRE(batch.ok());
    for (Delivery& d : *batch) {
      REQUIRE(d.message().body_view() == std::to_string(next++));
    }
    CHECK(receiver->CompleteAll(*std::move(batch)).ok());
  }
  CHECK(receiver->Flush(kLong).ok());
  CHECK(*bus->Depth(queue, kLong) == 0);
}

TEST_CASE("an asynchronous batch calls back once, not from the caller") {
  auto bus = OpenBus();
  auto sender = *bus->OpenSender(NewQueue());
  std::atomic<int> calls{0};
  std::atomic<bool> elsewhere{false};
  const auto me = std::this_thread::get_id();
  std::vector<Message> messages(10, Message("x"));
  REQUIRE(sender
              ->SendBatch(std::move(messages),
                          [&](std::span<const SendResult> results) {
                            elsewhere = std::this_thread::get_id() != me;
                            for (const SendResult& r : results) {
                              if (r.ok()) ++calls;
                            }
                          })
              .ok());
  CHECK(sender->Flush(kLong).ok());
  CHECK(bus->Close(kLong).ok());
  CHECK(calls == 10);
  CHECK(elsewhere);
}

TEST_CASE("an abandoned message comes again as another attempt") {
  auto bus = OpenBus();
  const std::string queue = NewQueue();
  auto sender = *bus->OpenSender(queue);
  auto receiver = *bus->OpenReceiver(queue);
  REQUIRE(sender->Send(Message("x")).ok());
  auto first = receiver->Receive(kLong);
  REQUIRE(first.ok());
  CHECK(first->attempts() == 0);
  CHECK(first->Abandon().ok());
  auto second = receiver->Receive(kLong);
  REQUIRE(second.ok());
  CHECK(second->attempts() == 1);
  CHECK(second->Complete().ok());
}

TEST_CASE("a delivery destroyed unsettled comes again") {
  auto bus = OpenBus();
  const std::string queue = NewQueue();
  auto sender = *bus->OpenSender(queue);
  auto receiver = *bus->OpenReceiver(queue);
  REQUIRE(sender->Send(Message("x")).ok());
  { auto first = receiver->Receive(kLong); }
  auto second = receiver->Receive(kLong);
  REQUIRE(second.ok());
  CHECK(second->Complete().ok());
}

TEST_CASE("a processor handles every message, in order for each key") {
  auto bus = OpenBus();
  const std::string queue = NewQueue();
  auto sender = *bus->OpenSender(queue);
  auto receiver = *bus->OpenReceiver(queue);
  constexpr int kKeys = 20;
  constexpr int kEach = 50;
  Mutex mu;
  std::map<std::string, std::vector<int>> seen;
  std::atomic<int> handled{0};
  auto processor = receiver->Process({.concurrency = 4}, [&](Delivery& d) {
    {
      MutexLock lock(&mu);
      seen[std::string(d.message().key())].push_back(
          std::stoi(std::string(d.message().body_view())));
    }
    ++handled;
    return absl::OkStatus();
  });
  std::vector<Message> messages;
  for (int i = 0; i < kEach; ++i) {
    for (int k = 0; k < kKeys; ++k) {
      messages.push_back(
          Message(std::to_string(i)).set_key("key" + std::to_string(k)));
    }
  }
  for (const SendResult& r : sender->SendBatch(std::move(messages))) {
    REQUIRE(r.ok());
  }
  const absl::Time until = absl::Now() + kLong;
  while (handled < kKeys * kEach && absl::Now() < until) {
    std::this_thread::yield();
  }
  CHECK(processor->Stop(kLong).ok());
  CHECK(processor->counts().handled == kKeys * kEach);
  REQUIRE(seen.size() == kKeys);
  for (const auto& [key, list] : seen) {
    REQUIRE(list.size() == kEach);
    CHECK(std::is_sorted(list.begin(), list.end()));
  }
  CHECK(receiver->Flush(kLong).ok());
  CHECK(*bus->Depth(queue, kLong) == 0);
}

TEST_CASE("a handler that throws is counted and its message comes again") {
  auto bus = OpenBus();
  const std::string queue = NewQueue();
  auto sender = *bus->OpenSender(queue);
  auto receiver = *bus->OpenReceiver(queue);
  std::atomic<int> calls{0};
  auto processor = receiver->Process({}, [&](Delivery&) -> absl::Status {
    if (++calls == 1) throw std::runtime_error("first time");
    return absl::OkStatus();
  });
  REQUIRE(sender->Send(Message("x").set_key("k")).ok());
  const absl::Time until = absl::Now() + kLong;
  while (calls < 2 && absl::Now() < until) std::this_thread::yield();
  CHECK(processor->Stop(kLong).ok());
  CHECK(processor->counts().thrown == 1);
  CHECK(processor->counts().handled == 1);
}

TEST_CASE("a failed message of a key is handled again before the next") {
  auto bus = OpenBus();
  const std::string queue = NewQueue();
  auto sender = *bus->OpenSender(queue);
  auto receiver =
      *bus->OpenReceiver(queue, {.retry_min = absl::Milliseconds(1)});
  Mutex mu;
  std::vector<std::string> seen;
  std::atomic<int> handled{0};
  auto processor =
      receiver->Process({.concurrency = 2}, [&](Delivery& d) -> absl::Status {
        MutexLock lock(&mu);
        seen.emplace_back(d.message().body_view());
        if (seen.back() == "m1" && d.attempts() == 0) {
          return absl::InternalError("not the first time");
        }
        ++handled;
        return absl::OkStatus();
      });
  std::vector<Message> messages;
  for (const char* body : {"m0", "m1", "m2"}) {
    messages.push_back(Message(body).set_key("k"));
  }
  for (const SendResult& r : sender->SendBatch(std::move(messages))) {
    REQUIRE(r.ok());
  }
  const absl::Time until = absl::Now() + kLong;
  while (handled < 3 && absl::Now() < until) std::this_thread::yield();
  CHECK(processor->Stop(kLong).ok());
  CHECK(seen == std::vector<std::string>{"m0", "m1", "m1", "m2"});
}

TEST_CASE("a route relays everything in order and completes the source") {
  auto bus = OpenBus();
  RouteConfig config;
  config.from = NewQueue();
  config.to = NewQueue();
  auto sender = *bus->OpenSender(config.from);
  auto receiver = *bus->OpenReceiver(config.to);
  auto route = bus->StartRoute(config);
  REQUIRE(route.ok());
  std::vector<Message> messages;
  for (int i = 0; i < 5000; ++i) messages.emplace_back(std::to_string(i));
  for (const SendResult& r : sender->SendBatch(std::move(messages))) {
    REQUIRE(r.ok());
  }
  int next = 0;
  while (next < 5000) {
    auto batch = receiver->ReceiveBatch(100, kLong);
    REQUIRE(batch.ok());
    for (Delivery& d : *batch) {
      REQUIRE(d.message().body_view() == std::to_string(next++));
    }
    CHECK(receiver->CompleteAll(*std::move(batch)).ok());
  }
  CHECK((*route)->Stop(kLong).ok());
  CHECK((*route)->metrics().relayed == 5000);
  CHECK(*bus->Depth(config.from, kLong) == 0);
}

TEST_CASE("a route's failing message is dead-lettered after its attempts") {
  auto bus = OpenBus();
  RouteConfig config;
  config.from = NewQueue();
  config.to = NewQueue();
  config.dead_letter_after = 3;
  config.retry_min = absl::Milliseconds(1);
  auto sender = *bus->OpenSender(config.from);
  auto receiver = *bus->OpenReceiver(config.to);
  std::atomic<int> tries{0};
  auto route =
      *bus->StartRoute(config, [&](Message& m) -> absl::StatusOr<Verdict> {
        if (m.body_view() == "bad") {
          ++tries;
          return absl::InternalError("can't be changed");
        }
        if (m.body_view() == "drop") return Verdict::kDrop;
        m.set_property("seen", Value(true));
        return Verdict::kPass;
      });
  for (const char* body : {"a", "bad", "drop", "b"}) {
    REQUIRE(sender->Send(Message(body).set_key("k")).ok());
  }
  for (const char* body : {"a", "b"}) {
    auto d = receiver->Receive(kLong);
    REQUIRE(d.ok());
    CHECK(d->message().body_view() == body);
    CHECK(d->message().properties().Find("seen") != nullptr);
    CHECK(d->Complete().ok());
  }
  auto dead = *bus->OpenReceiver(config.from + "/$DeadLetterQueue");
  auto d = dead->Receive(kLong);
  REQUIRE(d.ok());
  CHECK(d->message().body_view() == "bad");
  CHECK(d->Complete().ok());
  CHECK(tries == 3);
  CHECK(route->Stop(kLong).ok());
  CHECK(route->metrics().dead_lettered == 1);
  CHECK(route->metrics().filtered == 1);
}

TEST_CASE("a closed sender refuses, and a full one pushes back") {
  auto bus = OpenBus();
  auto sender = *bus->OpenSender(NewQueue());
  REQUIRE(sender->Close(kLong).ok());
  CHECK(sender->Send(Message("x")).status.code() ==
        absl::StatusCode::kFailedPrecondition);
}

TEST_CASE("an unknown queue is refused by name") {
  auto bus = OpenBus();
  auto sender = bus->OpenSender("nowhere");
  CHECK(sender.status().code() == absl::StatusCode::kNotFound);
  CHECK(sender.status().ToString().find("nowhere") != std::string::npos);
}

}  // namespace
}  // namespace tieline
