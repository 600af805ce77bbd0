// What the memory broker means, seen through a bus: topics, copies for
// subscriptions, time on an injected clock, and the faults that tests ask for.
#include <atomic>
#include <chrono>
#include <future>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "absl/time/clock.h"
#include "tests/support/catch.h"
#include "tieline/bus.h"
#include "tieline/memory.h"

namespace tieline {
namespace {

constexpr absl::Duration kSoon = absl::Seconds(20);
constexpr absl::Duration kNow = absl::Milliseconds(50);
constexpr std::chrono::milliseconds kUnanswered{50};

struct Rig {
  Rig() {
    memory::Register();
    static std::atomic<int> made{0};
    name = "semantics" + std::to_string(made++);
    memory::BrokerOptions options;
    options.clock = &clock;
    broker = *memory::Broker::Create(name, options);
    BusOptions with;
    with.clock = &clock;
    bus = *Bus::Open(Config{}, with);
  }
  ~Rig() {
    bus.reset();
    memory::Broker::Remove(name);
  }
  std::string Url(const std::string& entity) const {
    return "memory://" + name + "/" + entity;
  }
  SendResult Send(const std::string& entity, Message message) const {
    auto sender = *bus->OpenSender(Url(entity));
    return sender->Send(std::move(message));
  }
  // Bodies that are there now, completed.
  std::multiset<std::string> Take(const std::string& entity,
                                  size_t wanted) const {
    auto receiver = *bus->OpenReceiver(Url(entity));
    std::multiset<std::string> bodies;
    while (bodies.size() < wanted) {
      auto batch = receiver->ReceiveBatch(wanted - bodies.size(), kSoon);
      REQUIRE(batch.ok());
      for (Delivery& d : *batch) {
        bodies.emplace(d.message().body_view());
        REQUIRE(d.Complete().ok());
      }
    }
    REQUIRE(receiver->Flush(kSoon).ok());
    REQUIRE(receiver->Close(kSoon).ok());
    return bodies;
  }
  size_t Active(const std::string& entity) const {
    return broker->Inspect(entity)->active;
  }
  // Waits until that many are there.
  void AwaitActive(const std::string& entity, size_t wanted) const {
    const absl::Time last = absl::Now() + kSoon;
    while (absl::Now() < last) {
      const auto state = broker->Inspect(entity);
      if (state.ok() && state->active >= wanted) return;
      std::this_thread::yield();
    }
    FAIL("there are fewer than " << wanted << " messages in " << entity);
  }

  ManualClock clock;
  std::string name;
  std::shared_ptr<memory::Broker> broker;
  std::unique_ptr<Bus> bus;
};

using Bodies = std::multiset<std::string>;

TEST_CASE("a topic gives each subscription a copy of what its rule takes") {
  Rig rig;
  REQUIRE(rig.broker->CreateTopic("news").ok());
  const auto subscribe = [&](const char* to, memory::Broker::Rule rule) {
    return rig.broker->CreateSubscription("news", to, {}, std::move(rule)).ok();
  };
  REQUIRE(subscribe("all", nullptr));
  REQUIRE(subscribe("even", [](const Message& m) {
    return (m.body_view().back() - '0') % 2 == 0;
  }));
  REQUIRE(subscribe("none", [](const Message&) { return false; }));
  for (int i = 0; i < 4; ++i) {
    REQUIRE(rig.Send("news", Message(std::to_string(i))).ok());
  }
  CHECK(rig.Active("news/Subscriptions/none") == 0);
  CHECK(rig.Take("news/Subscriptions/all", 4) == Bodies{"0", "1", "2", "3"});
  CHECK(rig.Active("news/Subscriptions/even") == 2);
  CHECK(rig.Take("NEWS/subscriptions/EVEN", 2) == Bodies{"0", "2"});
}

TEST_CASE("a topic without a subscription takes a message and keeps none") {
  Rig rig;
  REQUIRE(rig.broker->CreateTopic("void").ok());
  CHECK(rig.Send("void", Message("gone")).ok());
  REQUIRE(rig.broker->CreateSubscription("void", "late", {}, nullptr).ok());
  CHECK(rig.Active("void/Subscriptions/late") == 0);
  CHECK(rig.broker->CreateSubscription("none", "s", {}, nullptr).code() ==
        absl::StatusCode::kNotFound);
  CHECK(rig.broker->CreateTopic("void").code() ==
        absl::StatusCode::kAlreadyExists);
}

TEST_CASE("a lock that runs out makes the message anybody's again") {
  Rig rig;
  memory::EntityOptions options;
  options.lock_duration = absl::Seconds(30);
  REQUIRE(rig.broker->CreateQueue("locked", options).ok());
  REQUIRE(rig.Send("locked", Message("one")).ok());
  auto receiver = *rig.bus->OpenReceiver(rig.Url("locked"));
  auto delivery = receiver->Receive(kSoon);
  REQUIRE(delivery.ok());
  CHECK(delivery->attempts() == 0);
  CHECK(delivery->locked_until() - rig.clock.Now() == absl::Seconds(30));
  rig.clock.Advance(absl::Seconds(31));
  auto again = receiver->Receive(kSoon);
  REQUIRE(again.ok());
  CHECK(again->redelivered());
  CHECK(again->attempts() == 1);
  CHECK(delivery->CompleteConfirmed(kSoon).code() ==
        absl::StatusCode::kAborted);
  CHECK(again->CompleteConfirmed(kSoon).ok());
}

TEST_CASE("what expired goes to the dead-letter queue where asked") {
  Rig rig;
  memory::EntityOptions options;
  options.default_ttl = absl::Minutes(1);
  options.dead_letter_expired = true;
  REQUIRE(rig.broker->CreateQueue("brief", options).ok());
  REQUIRE(rig.Send("brief", Message("old")).ok());
  rig.clock.Advance(absl::Seconds(61));
  REQUIRE(rig.Send("brief", Message("new")).ok());
  CHECK(rig.Take("brief", 1) == Bodies{"new"});
  CHECK(rig.Take("brief/$DeadLetterQueue", 1) == Bodies{"old"});
}

TEST_CASE("a second message of an id is dropped within the window alone") {
  Rig rig;
  memory::EntityOptions options;
  options.duplicate_window = absl::Minutes(10);
  REQUIRE(rig.broker->CreateQueue("once", options).ok());
  const auto send = [&](const char* body) {
    return rig.Send("once", Message(body).set_id("same")).ok();
  };
  REQUIRE(send("first"));
  REQUIRE(send("dropped"));
  CHECK(rig.Active("once") == 1);
  rig.clock.Advance(absl::Minutes(11));
  REQUIRE(send("later"));
  CHECK(rig.Take("once", 2) == Bodies{"first", "later"});
}

TEST_CASE("a full queue takes no more until there is room") {
  Rig rig;
  memory::EntityOptions options;
  options.max_messages = 2;
  options.max_message_bytes = 1000;
  REQUIRE(rig.broker->CreateQueue("small", options).ok());
  REQUIRE(rig.Send("small", Message("1")).ok());
  REQUIRE(rig.Send("small", Message("2")).ok());
  auto sender = *rig.bus->OpenSender(rig.Url("small"));
  std::atomic<bool> taken{false};
  std::vector<Message> third;
  third.emplace_back("3");
  REQUIRE(sender
              ->SendBatch(std::move(third),
                          [&](std::span<const SendResult> results) {
                            taken = results.front().ok();
                            taken.notify_all();
                          })
              .ok());
  CHECK(rig.Take("small", 2) == Bodies{"1", "2"});
  rig.clock.Advance(absl::Seconds(5));  // past the back-off, not the deadline
  CHECK(rig.Take("small", 1) == Bodies{"3"});
  CHECK(sender->Flush(kSoon).ok());
  // Its callback is called a moment later.
  taken.wait(false);
  CHECK(taken);
  const SendResult large = sender->Send(Message(std::string(2000, 'x')));
  CHECK(large.state == SendState::kRejected);
  CHECK(large.status.code() == absl::StatusCode::kInvalidArgument);
}

TEST_CASE("a send that a test has refused is told so, and others go on") {
  Rig rig;
  REQUIRE(rig.broker->CreateQueue("q", {}).ok());
  REQUIRE(rig.broker->FailSends("q", memory::SendFault::kRejected, 1).ok());
  CHECK(rig.Send("q", Message("refused")).state == SendState::kRejected);
  CHECK(rig.Active("q") == 0);
  CHECK(rig.Send("q", Message("taken")).ok());
  CHECK(rig.Active("q") == 1);
  CHECK(rig.broker->FailSends("none", memory::SendFault::kBusy, 1).code() ==
        absl::StatusCode::kNotFound);
}

TEST_CASE("a broker that refuses connections is found again when it stops") {
  Rig rig;
  rig.broker->RefuseConnections(true);
  auto sender = *rig.bus->OpenSender(rig.Url("q"));
  CHECK(sender->WaitOpen(kNow).code() == absl::StatusCode::kDeadlineExceeded);
  rig.broker->RefuseConnections(false);
  rig.clock.Advance(absl::Minutes(1));
  CHECK(sender->WaitOpen(kSoon).ok());
  CHECK(sender->Send(Message("after all")).ok());
  CHECK(rig.Active("q") == 1);
}

TEST_CASE("answers of a slow broker come late, by its own clock") {
  Rig rig;
  rig.broker->Delay(absl::Seconds(5));
  auto sender = *rig.bus->OpenSender(rig.Url("q"));
  REQUIRE(sender->WaitOpen(kSoon).ok());
  auto sent = std::async(std::launch::async,
                         [&] { return sender->Send(Message("late")); });
  rig.AwaitActive("q", 1);  // the broker has it, and has not said so
  rig.clock.Advance(absl::Seconds(4));
  CHECK(sent.wait_for(kUnanswered) == std::future_status::timeout);
  rig.clock.Advance(absl::Seconds(2));
  CHECK(sent.get().ok());
  rig.broker->Delay(absl::ZeroDuration());
  CHECK(sender->Send(Message("at once")).ok());
  CHECK(rig.Take("q", 2) == Bodies{"late", "at once"});
}

TEST_CASE("deliveries of a slow broker come late, locked meanwhile") {
  Rig rig;
  auto sender = *rig.bus->OpenSender(rig.Url("q"));
  REQUIRE(sender->Send(Message("1")).ok());
  REQUIRE(sender->Send(Message("2")).ok());
  rig.broker->Delay(absl::Seconds(5));
  auto receiver = *rig.bus->OpenReceiver(rig.Url("q"));
  CHECK(absl::IsDeadlineExceeded(receiver->Receive(kNow).status()));
  CHECK(rig.broker->Inspect("q")->locked == 2);
  rig.broker->Delay(absl::ZeroDuration());
  REQUIRE(sender->Send(Message("3")).ok());
  CHECK(absl::IsDeadlineExceeded(receiver->Receive(kNow).status()));
  rig.clock.Advance(absl::Seconds(6));
  for (const char* body : {"1", "2", "3"}) {
    auto delivery = receiver->Receive(kSoon);
    REQUIRE(delivery.ok());
    CHECK(delivery->message().body_view() == body);
    CHECK(delivery->Complete().ok());
  }
}

TEST_CASE("a slow broker answers and delivers without anything else to do") {
  memory::Register();
  auto broker = *memory::Broker::Create("slow-by-itself");
  auto bus = *Bus::Open(Config{});
  constexpr char kUrl[] = "memory://slow-by-itself/q";
  auto sender = *bus->OpenSender(kUrl);
  REQUIRE(sender->WaitOpen(kSoon).ok());
  broker->Delay(absl::Milliseconds(20));
  CHECK(sender->Send(Message("one"), {.timeout = kSoon}).ok());
  auto receiver = *bus->OpenReceiver(kUrl);
  auto delivery = receiver->Receive(kSoon);
  REQUIRE(delivery.ok());
  CHECK(delivery->Complete().ok());
  CHECK(receiver->Flush(kSoon).ok());
  memory::Broker::Remove("slow-by-itself");
}

TEST_CASE("what a slow broker was about to deliver is the next receiver's") {
  Rig rig;
  auto sender = *rig.bus->OpenSender(rig.Url("q"));
  REQUIRE(sender->Send(Message("one")).ok());
  rig.broker->Delay(absl::Seconds(5));
  auto receiver = *rig.bus->OpenReceiver(rig.Url("q"));
  CHECK(absl::IsDeadlineExceeded(receiver->Receive(kNow).status()));
  REQUIRE(receiver->Close(kSoon).ok());
  CHECK(rig.Active("q") == 1);
  rig.broker->Delay(absl::ZeroDuration());
  CHECK(rig.Take("q", 1) == Bodies{"one"});
}

TEST_CASE("answers keep their order when a broker gets faster") {
  Rig rig;
  rig.broker->Delay(absl::Seconds(5));
  auto sender = *rig.bus->OpenSender(rig.Url("q"));
  REQUIRE(sender->WaitOpen(kSoon).ok());
  auto first = std::async(std::launch::async,
                          [&] { return sender->Send(Message("first")); });
  rig.AwaitActive("q", 1);
  rig.broker->Delay(absl::ZeroDuration());
  auto second = std::async(std::launch::async,
                           [&] { return sender->Send(Message("second")); });
  rig.AwaitActive("q", 2);
  CHECK(second.wait_for(kUnanswered) == std::future_status::timeout);
  rig.clock.Advance(absl::Seconds(6));
  CHECK(first.get().ok());
  CHECK(second.get().ok());
}

TEST_CASE("a send whose late answer is lost is there, and is sent again") {
  Rig rig;
  rig.broker->Delay(absl::Seconds(5));
  auto sender = *rig.bus->OpenSender(rig.Url("q"));
  REQUIRE(sender->WaitOpen(kSoon).ok());
  auto sent = std::async(std::launch::async,
                         [&] { return sender->Send(Message("twice")); });
  rig.AwaitActive("q", 1);
  rig.broker->DropConnections();
  while (sent.wait_for(kUnanswered) != std::future_status::ready) {
    rig.clock.Advance(absl::Seconds(1));
  }
  const SendResult result = sent.get();
  CHECK(result.ok());
  CHECK(result.attempts == 2);
  rig.broker->Delay(absl::ZeroDuration());
  CHECK(rig.Take("q", 2) == Bodies{"twice", "twice"});
}

TEST_CASE("what a dropped connection had in hand is delivered again first") {
  Rig rig;
  auto sender = *rig.bus->OpenSender(rig.Url("q"));
  for (const char* body : {"1", "2", "3"}) {
    REQUIRE(sender->Send(Message(body)).ok());
  }
  auto receiver = *rig.bus->OpenReceiver(rig.Url("q"), {.credit = 2});
  auto before = receiver->ReceiveBatch(2, kSoon);
  REQUIRE(before.ok());
  rig.broker->DropConnections();
  std::string order;
  while (order.size() < 3) {
    rig.clock.Advance(absl::Seconds(1));  // until it may connect again
    auto again = receiver->Receive(kNow);
    if (!again.ok()) continue;
    order += again->message().body_view();
    CHECK(again->attempts() == (order.size() < 3 ? 1 : 0));
    REQUIRE(again->Complete().ok());
  }
  CHECK(order == "123");
  REQUIRE(receiver->Flush(kSoon).ok());
  for (Delivery& stale : *before) CHECK(absl::IsAborted(stale.Complete()));
  CHECK(rig.broker->Inspect("q")->depth() == 0);
}

TEST_CASE("a stalled broker answers everything once it goes on") {
  Rig rig;
  auto sender = *rig.bus->OpenSender(rig.Url("q"));
  auto receiver = *rig.bus->OpenReceiver(rig.Url("q"));
  REQUIRE(sender->Send(Message("before")).ok());
  auto first = receiver->Receive(kSoon);
  REQUIRE(first.ok());
  rig.broker->Stall(true);
  auto sent = std::async(std::launch::async,
                         [&] { return sender->Send(Message("meanwhile")); });
  CHECK(sent.wait_for(kUnanswered) == std::future_status::timeout);
  CHECK(absl::IsDeadlineExceeded(
      first->CompleteConfirmed(absl::Milliseconds(50))));
  rig.broker->Stall(false);
  CHECK(sent.get().ok());
  auto second = receiver->Receive(kSoon);
  REQUIRE(second.ok());
  CHECK(second->message().body_view() == "meanwhile");
}

TEST_CASE("a processor gets what comes after a thread received by itself") {
  Rig rig;
  auto sender = *rig.bus->OpenSender(rig.Url("q"));
  auto receiver = *rig.bus->OpenReceiver(rig.Url("q"));
  REQUIRE(sender->Send(Message("first")).ok());
  auto first = receiver->Receive(kSoon);
  REQUIRE(first.ok());
  CHECK(first->message().body_view() == "first");
  REQUIRE(first->Complete().ok());
  CHECK(absl::IsDeadlineExceeded(receiver->Receive(kNow).status()));

  std::promise<std::string> body;
  auto processor = receiver->Process({}, [&](Delivery& d) {
    body.set_value(std::string(d.message().body_view()));
    return absl::OkStatus();
  });
  auto got = body.get_future();
  REQUIRE(sender->Send(Message("second")).ok());
  REQUIRE(got.wait_for(std::chrono::seconds(20)) == std::future_status::ready);
  CHECK(got.get() == "second");
}

}  // namespace
}  // namespace tieline
