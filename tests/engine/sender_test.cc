// Sends under faults: what becomes of each message, and when it is told.
#include "tieline/sender.h"

#include <future>
#include <map>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "tests/engine/rig.h"

namespace tieline {
namespace {

using driver::Fate;

std::vector<Message> Numbered(int n) {
  std::vector<Message> messages;
  for (int i = 0; i < n; ++i) messages.emplace_back(std::to_string(i));
  return messages;
}

// Counts what is in a queue, by body; completes it.
std::map<std::string, std::set<std::string>> IdsByBody(Bus& bus,
                                                       const std::string& url) {
  std::map<std::string, std::set<std::string>> ids;
  auto receiver = *bus.OpenReceiver(url);
  for (;;) {
    auto batch = receiver->ReceiveBatch(1000, absl::Milliseconds(100));
    if (!batch.ok()) {
      // A slow machine may bring nothing for a while.
      if (*bus.Depth(url, kLong) == 0) return ids;
      continue;
    }
    for (Delivery& d : *batch) {
      ids[std::string(d.message().body_view())].insert(
          std::string(d.message().id()));
    }
    CHECK(receiver->CompleteAll(*std::move(batch)).ok());
  }
}

TEST_CASE("two senders of one bus never stamp the same id") {
  MemoryRig rig;
  auto one = *rig.bus->OpenSender(rig.Url("q"));
  auto two = *rig.bus->OpenSender(rig.Url("q"));
  std::set<std::string> ids;
  for (int i = 0; i < 100; ++i) {
    ids.insert(std::string(one->Send(Message("a")).id()));
    ids.insert(std::string(two->Send(Message("b")).id()));
  }
  CHECK(ids.size() == 200);
}

TEST_CASE("a lost connection: what was in flight is sent again, same id") {
  MemoryRig rig;
  REQUIRE(rig.broker->CreateQueue("q", {}).ok());
  auto sender = *rig.bus->OpenSender(rig.Url("q"));
  REQUIRE(sender->Send(Message("first")).ok());
  // Taken, and the answer of three never comes: only the loss tells.
  REQUIRE(
      rig.broker->FailSends("q", memory::SendFault::kAcceptThenLose, 3).ok());
  std::atomic<int> accepted{0};
  std::vector<uint32_t> attempts;
  std::atomic<bool> done{false};
  REQUIRE(sender
              ->SendBatch(Numbered(10),
                          [&](std::span<const SendResult> results) {
                            for (const SendResult& r : results) {
                              if (r.ok()) ++accepted;
                              attempts.push_back(r.attempts);
                            }
                            done = true;
                          })
              .ok());
  REQUIRE(Eventually([&] { return rig.broker->Inspect("q")->depth() >= 11; }));
  rig.broker->DropConnections();
  REQUIRE(Eventually([&] { return done.load(); }));
  CHECK(accepted == 10);
  const auto ids = IdsByBody(*rig.bus, rig.Url("q"));
  CHECK(ids.size() == 11);
  for (const auto& [body, set] : ids) CHECK(set.size() == 1);
}

TEST_CASE("a send that nobody answers ends in doubt at its deadline") {
  MemoryRig rig;
  REQUIRE(rig.broker->CreateQueue("q", {}).ok());
  auto sender = *rig.bus->OpenSender(rig.Url("q"));
  REQUIRE(sender->WaitOpen(kLong).ok());
  REQUIRE(rig.broker->FailSends("q", memory::SendFault::kLoseOutcome, 1).ok());
  const SendResult r =
      sender->Send(Message("x"), {.timeout = absl::Milliseconds(50)});
  CHECK(r.state == SendState::kUnknown);
  CHECK(r.status.code() == absl::StatusCode::kDeadlineExceeded);
  CHECK_FALSE(r.id().empty());
}

TEST_CASE("a send that was never submitted ends as not sent") {
  MemoryRig rig;
  rig.broker->RefuseConnections(true);
  auto sender = *rig.bus->OpenSender(rig.Url("q"));
  const SendResult r =
      sender->Send(Message("x"), {.timeout = absl::Milliseconds(50)});
  CHECK(r.state == SendState::kNotSent);
  CHECK(r.status.code() == absl::StatusCode::kUnavailable);
  CHECK(r.attempts == 0);
}

TEST_CASE("a busy broker's wait is kept, and the message arrives once") {
  MemoryRig rig;
  REQUIRE(rig.broker->CreateQueue("q", {}).ok());
  auto sender = *rig.bus->OpenSender(rig.Url("q"));
  REQUIRE(
      rig.broker
          ->FailSends("q", memory::SendFault::kBusy, 1, absl::Milliseconds(80))
          .ok());
  const absl::Time start = absl::Now();
  const SendResult r = sender->Send(Message("x"));
  CHECK(r.ok());
  CHECK(r.attempts == 2);
  CHECK(absl::Now() - start >= absl::Milliseconds(80));
  CHECK(rig.broker->Inspect("q")->depth() == 1);
}

TEST_CASE("what the broker refuses for good is rejected with its reason") {
  MemoryRig rig;
  REQUIRE(rig.broker->CreateQueue("q", {}).ok());
  auto sender = *rig.bus->OpenSender(rig.Url("q"));
  REQUIRE(rig.broker->FailSends("q", memory::SendFault::kRejected, 1).ok());
  const SendResult r = sender->Send(Message("x"));
  CHECK(r.state == SendState::kRejected);
  CHECK_FALSE(r.status.ok());
  CHECK(r.attempts == 1);
}

TEST_CASE(
    "at the bound an asynchronous send is refused, a blocking one waits") {
  MemoryRig rig;
  SenderOptions options;
  options.max_pending = 10;
  auto sender = *rig.bus->OpenSender(rig.Url("q"), options);
  REQUIRE(sender->WaitOpen(kLong).ok());
  rig.broker->Stall(true);
  std::atomic<int> results{0};
  const auto count = [&](std::span<const SendResult> r) {
    results += static_cast<int>(r.size());
  };
  REQUIRE(sender->SendBatch(Numbered(10), count).ok());
  std::vector<Message> more = Numbered(1);
  CHECK(sender->SendBatch(std::move(more), count).code() ==
        absl::StatusCode::kResourceExhausted);
  REQUIRE(more.size() == 1);
  CHECK(more[0].body_view() == "0");
  const SendResult late =
      sender->Send(Message("late"), {.timeout = absl::Milliseconds(30)});
  CHECK(late.state == SendState::kNotSent);
  CHECK(late.status.code() == absl::StatusCode::kResourceExhausted);
  auto waiting = std::async(std::launch::async,
                            [&] { return sender->Send(Message("waits")); });
  rig.broker->Stall(false);
  CHECK(waiting.get().ok());
  CHECK(sender->Flush(kLong).ok());
  CHECK(Eventually([&] { return results == 10; }));
}

TEST_CASE(
    "a permanent error ends sends and WaitOpen at once, again and again") {
  ScriptedRig rig;
  rig.broker->refuse["q"] = absl::PermissionDeniedError("not you");
  BusOptions slow;
  auto sender = *rig.bus->OpenSender("q");
  const absl::Time start = absl::Now();
  CHECK(sender->WaitOpen(kLong).code() == absl::StatusCode::kPermissionDenied);
  for (int i = 0; i < 3; ++i) {
    const SendResult r = sender->Send(Message("x"));
    CHECK(r.state == SendState::kNotSent);
    CHECK(r.status.code() == absl::StatusCode::kPermissionDenied);
  }
  CHECK(absl::Now() - start < absl::Seconds(10));
}

TEST_CASE("a sender that lacks what it needs sends nothing") {
  ScriptedRig rig;
  SenderOptions options;
  options.needs = {Capability::kTransactions};
  auto sender = *rig.bus->OpenSender("q", options);
  CHECK(sender->WaitOpen(kLong).code() == absl::StatusCode::kUnimplemented);
  const SendResult r = sender->Send(Message("x"));
  CHECK(r.status.code() == absl::StatusCode::kUnimplemented);
  CHECK(rig.broker->Accepted("q").empty());
}

TEST_CASE("closing gives every pending send its one result") {
  ScriptedRig rig;
  rig.broker->SetScript([](const Message&) { return std::nullopt; });
  auto sender = *rig.bus->OpenSender("plain");
  REQUIRE(sender->WaitOpen(kLong).ok());
  std::atomic<int> calls{0};
  std::atomic<int> cancelled{0};
  for (int i = 0; i < 20; ++i) {
    REQUIRE(sender
                ->SendBatch(Numbered(5),
                            [&](std::span<const SendResult> results) {
                              ++calls;
                              for (const SendResult& r : results) {
                                if (r.status.code() ==
                                    absl::StatusCode::kCancelled) {
                                  ++cancelled;
                                }
                              }
                            })
                .ok());
  }
  auto blocked = std::async(std::launch::async,
                            [&] { return sender->Send(Message("b")); });
  REQUIRE(Eventually([&] { return rig.broker->submits() == 101; }));
  CHECK(sender->Close(absl::Milliseconds(20)).code() ==
        absl::StatusCode::kDeadlineExceeded);
  const SendResult cut_off = blocked.get();
  CHECK(cut_off.status.code() == absl::StatusCode::kCancelled);
  CHECK(cut_off.state == SendState::kUnknown);
  CHECK(Eventually([&] { return calls == 20; }));
  CHECK(rig.bus->Close(kLong).ok());
  CHECK(calls == 20);
  CHECK(cancelled == 100);
}

TEST_CASE("a callback that throws is survived") {
  MemoryRig rig;
  auto sender = *rig.bus->OpenSender(rig.Url("q"));
  std::atomic<int> calls{0};
  REQUIRE(sender
              ->SendBatch(Numbered(1),
                          [&](std::span<const SendResult>) {
                            ++calls;
                            throw std::runtime_error("in a callback");
                          })
              .ok());
  CHECK(Eventually([&] { return calls == 1; }));
  CHECK(sender->Send(Message("goes on")).ok());
}

TEST_CASE("the first of a key is refused: those behind it wait, others go") {
  ScriptedRig rig;
  std::atomic<int> refusals{5};
  rig.broker->SetScript(
      [&](const Message& m) -> std::optional<driver::Outcome> {
        if (m.body_view() == "k-0" && refusals > 0) {
          --refusals;
          return Fated(Fate::kNotTaken, absl::UnavailableError("not now"));
        }
        return Fated(Fate::kAccepted);
      });
  auto sender = *rig.bus->OpenSender("q");
  std::vector<Message> messages;
  for (int i = 0; i < 20; ++i) {
    messages.push_back(Message("k-" + std::to_string(i)).set_key("k"));
    messages.push_back(Message("o-" + std::to_string(i)).set_key("o"));
  }
  for (const SendResult& r : sender->SendBatch(std::move(messages))) {
    REQUIRE(r.ok());
  }
  const std::vector<Message> accepted = rig.broker->Accepted("q");
  REQUIRE(accepted.size() == 40);
  int k = 0;
  int o = 0;
  for (const Message& m : accepted) {
    int& next = m.key() == "k" ? k : o;
    const std::string expected =
        std::string(m.key()) + "-" + std::to_string(next++);
    CHECK(m.body_view() == expected);
  }
  // The other key did not wait for the refused one.
  CHECK(accepted[0].key() == "o");
}

TEST_CASE("several of a key on their way: none overtakes one not taken") {
  // A driver with little room, whose broker keeps the order of what is on its
  // way.
  ScriptedRig rig;
  rig.broker->capabilities.add(Capability::kOrderedPipelining);
  rig.broker->room = 2;
  std::atomic<int> refusals{4};
  std::atomic<bool> refusing{false};
  rig.broker->SetScript(
      [&](const Message& m) -> std::optional<driver::Outcome> {
        if (m.body_view() == "3" && refusals > 0) {
          --refusals;
          refusing = true;
        } else if (m.body_view() == "3") {
          refusing = false;
        }
        // What is behind a refused one is refused, as far as it was sent.
        if (refusing && (m.body_view() == "3" || m.body_view() == "4")) {
          return Fated(Fate::kNotTaken, absl::UnavailableError("not now"));
        }
        return Fated(Fate::kAccepted);
      });
  auto sender = *rig.bus->OpenSender("q");
  std::vector<Message> messages = Numbered(12);
  for (Message& m : messages) m.set_key("k");
  for (const SendResult& r : sender->SendBatch(std::move(messages))) {
    REQUIRE(r.ok());
  }
  const std::vector<Message> accepted = rig.broker->Accepted("q");
  REQUIRE(accepted.size() == 12);
  for (size_t i = 0; i < accepted.size(); ++i) {
    CHECK(accepted[i].body_view() == std::to_string(i));
  }
}

TEST_CASE("expired sends of a key let the next ones go") {
  ScriptedRig rig;
  std::atomic<bool> hold{true};
  rig.broker->SetScript(
      [&](const Message& m) -> std::optional<driver::Outcome> {
        if (hold && m.body_view() == "0") return std::nullopt;
        return Fated(Fate::kAccepted);
      });
  auto sender = *rig.bus->OpenSender("q");
  std::vector<Message> messages = Numbered(5);
  for (Message& m : messages) m.set_key("k");
  const auto results =
      sender->SendBatch(std::move(messages), {.timeout = absl::Seconds(1)});
  CHECK(results[0].state == SendState::kUnknown);
  for (size_t i = 1; i < 5; ++i) {
    CHECK(results[i].state == SendState::kNotSent);
  }
  hold = false;
  rig.broker->AskAgain();
  CHECK(sender->Send(Message("next").set_key("k")).ok());
}

TEST_CASE("re-sends are bounded by the retry budget") {
  BusOptions options;
  options.retry_budget.ratio = 0;
  options.retry_budget.reserve = 5;
  options.retry_budget.per_second = 1;
  ScriptedRig rig(options);
  rig.broker->SetScript([](const Message&) {
    return Fated(Fate::kNotTaken, absl::UnavailableError("never"));
  });
  auto sender = *rig.bus->OpenSender("plain");
  const auto results =
      sender->SendBatch(Numbered(20), {.timeout = absl::Milliseconds(300)});
  for (const SendResult& r : results) {
    CHECK(r.state == SendState::kNotSent);
    CHECK(r.status.code() == absl::StatusCode::kUnavailable);
  }
  // First sends and first re-sends are free; then five, and one a second.
  CHECK(rig.broker->submits() <= 20 + 20 + 5 + 1);
}

TEST_CASE("connections dropped under load: nothing is lost") {
  MemoryRig rig;
  REQUIRE(rig.broker->CreateQueue("q", {}).ok());
  auto sender = *rig.bus->OpenSender(rig.Url("q"));
  std::atomic<bool> stop{false};
  std::thread breaker([&] {
    while (!stop) {
      rig.broker->DropConnections();
      for (int i = 0; i < 2000; ++i) std::this_thread::yield();
    }
  });
  std::map<std::string, std::string> id_of;
  for (int b = 0; b < 40; ++b) {
    std::vector<Message> messages;
    for (int i = 0; i < 50; ++i) {
      messages.emplace_back(std::to_string(b * 50 + i));
    }
    for (const SendResult& r : sender->SendBatch(std::move(messages))) {
      REQUIRE(r.ok());
      id_of[std::string(r.message.body_view())] = std::string(r.id());
    }
  }
  stop = true;
  breaker.join();
  const auto ids = IdsByBody(*rig.bus, rig.Url("q"));
  CHECK(ids.size() == 2000);
  for (const auto& [body, set] : ids) {
    REQUIRE(set.size() == 1);
    REQUIRE(*set.begin() == id_of[body]);
  }
}

}  // namespace
}  // namespace tieline
