// While no broker takes messages they go to disk, and from there, in their
// order, to a broker when one does.
#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <string>
#include <thread>
#include <vector>

#include "lib/engine/spool_entry.h"
#include "lib/engine/spool_lanes.h"
#include "lib/store/store.h"
#include "tests/engine/spool_rig.h"
#include "tieline/move.h"

namespace tieline {
namespace {

using memory::SendFault;

constexpr absl::Duration kAfter = SpoolRig::kAfter;

TEST_CASE("while the broker is away sends go to disk, and then to the broker") {
  SpoolRig rig;
  rig.Open();
  auto sender = rig.OpenSender();
  CHECK(sender->Send(Keyed("k", "0")).state == SendState::kAccepted);
  rig.Down("a");
  for (int i = 1; i < 20; ++i) {
    const SendResult result = sender->Send(Keyed("k", std::to_string(i)));
    CHECK(result.state == SendState::kSpooled);
    CHECK(result.ok());
    CHECK(result.status.ok());
    CHECK(!result.id().empty());
  }
  CHECK(rig.Metrics().spooled == 19);
  CHECK(rig.Metrics().in_spool == 19);
  CHECK(rig.Metrics().pending == 0);
  rig.Up("a");
  CHECK(rig.IsEmpty());
  CHECK(Eventually([&] {
    return sender->Send(Keyed("k", "20")).state == SendState::kAccepted;
  }));
  const std::vector<std::string> came = rig.Receive(21);
  CHECK(std::vector(came.begin(), came.begin() + 20) == Numbers(0, 20));
  CHECK(Eventually([&] { return rig.JournalOf("spool").size() >= 2; }));
}

TEST_CASE("host_runs: the host's loop writes the spool, no thread does") {
  SpoolRig rig;
  rig.Down("a");
  BusOptions options;
  options.host_runs = true;
  rig.bus = *Bus::Open(rig.config, std::move(options));
  auto sender = rig.OpenSender();
  std::vector<SendState> states;
  std::vector<Message> messages;
  for (const auto& number : Numbers(0, 3))
    messages.push_back(Keyed("k", number));
  REQUIRE(sender
              ->SendBatch(std::move(messages),
                          [&](std::span<const SendResult> results) {
                            for (const auto& r : results) {
                              states.push_back(r.state);
                            }
                          })
              .ok());
  const auto runs_until = [&](const auto& is_there) {
    return Eventually([&] {
      rig.bus->RunOnce();
      return is_there();
    });
  };
  CHECK(runs_until([&] { return states.size() == 3; }));
  CHECK(states == std::vector<SendState>(3, SendState::kSpooled));
  for (const auto& task :
       std::filesystem::directory_iterator("/proc/self/task")) {
    std::ifstream name(task.path() / "comm");
    std::string line;
    std::getline(name, line);
    CHECK(line != "tieline-store");
  }
  rig.Up("a");
  CHECK(runs_until([&] { return rig.Metrics().in_spool == 0; }));
  CHECK(rig.brokers["a"]->Inspect("q")->depth() == 3);
}

TEST_CASE("what a broker that hangs has is on disk too, and is sent once") {
  SpoolRig rig;
  rig.Open();
  auto sender = rig.OpenSender();
  CHECK(sender->Send(Keyed("k", "0")).ok());
  rig.brokers["a"]->Stall(true);
  // The first ones are at the driver, and in doubt.
  std::vector<Message> batch;
  for (int i = 1; i < 50; ++i) batch.push_back(Keyed("k", std::to_string(i)));
  for (const SendResult& result : sender->SendBatch(std::move(batch))) {
    CHECK(result.state == SendState::kSpooled);
  }
  rig.brokers["a"]->Stall(false);
  CHECK(rig.IsEmpty());
  CHECK(rig.Receive(50) == Numbers(0, 50));
  CHECK(rig.brokers["a"]->Inspect("q")->depth() == 0);
}

TEST_CASE("who sent nothing for a while waits for the broker all the same") {
  SpoolRig rig;
  rig.config.queues["q"].spool = absl::Milliseconds(400);
  rig.Open();
  rig.brokers["a"]->Delay(absl::Milliseconds(20));
  auto sender = rig.OpenSender();
  CHECK(sender->Send(Keyed("k", "0")).state == SendState::kAccepted);
  const absl::Time until = absl::Now() + absl::Milliseconds(500);
  CHECK(Eventually([&] { return absl::Now() > until; }));
  CHECK(sender->Send(Keyed("k", "1")).state == SendState::kAccepted);
  CHECK(rig.Metrics().spooled == 0);
}

TEST_CASE("what is in the spool when a process ends is sent by the next one") {
  SpoolRig rig;
  rig.Down("a");
  rig.Open();
  for (int part = 0; part < 3; ++part) {
    auto sender = rig.OpenSender();
    for (int i = 0; i < 10; ++i) {
      const int number = 10 * part + i;
      CHECK(sender->Send(Keyed("k", std::to_string(number))).state ==
            SendState::kSpooled);
    }
    sender.reset();
    rig.bus.reset();
    rig.Open();
  }
  rig.Up("a");
  // Also where the queue has no spool any more.
  if (GENERATE(false, true)) {
    rig.bus.reset();
    rig.config.queues["q"].spool = absl::ZeroDuration();
    rig.Open();
  }
  auto sender = rig.OpenSender();
  CHECK(sender->Send(Keyed("k", "30")).ok());
  CHECK(rig.IsEmpty());
  CHECK(rig.Receive(31) == Numbers(0, 31));
}

TEST_CASE("senders that are gone leave what they spooled to the next one") {
  SpoolRig rig;
  rig.Down("a");
  rig.Open();
  for (const char* key : {"x", "y", "z"}) {
    auto first = rig.OpenSender();
    auto second = rig.OpenSender();
    CHECK(first->Send(Keyed(key, std::string("1") + key)).ok());
    CHECK(second->Send(Keyed(key, std::string("2") + key)).ok());
  }
  rig.Up("a");
  auto last = rig.OpenSender();
  CHECK(rig.IsEmpty());
  std::vector<std::string> came = rig.Receive(6);
  std::sort(came.begin(), came.end());
  CHECK(came == std::vector<std::string>{"1x", "1y", "1z", "2x", "2y", "2z"});
}

TEST_CASE("a full spool pushes back, and keeps the order") {
  SpoolRig rig;
  rig.config.spool_bytes = 1 << 20;
  rig.Down("a");
  rig.Open();
  SenderOptions options;
  options.timeout = absl::Milliseconds(500);
  auto sender = rig.OpenSender(options);
  const std::string filler(60'000, '.');
  int spooled = 0;
  SendResult result;
  do {
    result = sender->Send(Keyed("k", std::to_string(spooled) + filler));
    if (result.ok()) ++spooled;
  } while (result.ok() && spooled < 100);
  CHECK(spooled > 10);
  CHECK(spooled < 20);
  CHECK(result.state == SendState::kNotSent);
  CHECK(absl::IsResourceExhausted(result.status));
  CHECK(result.status.message().find("spool_bytes") != std::string::npos);
  rig.Up("a");
  CHECK(rig.IsEmpty());
  CHECK(Eventually([&] {
    return sender->Send(Keyed("k", "end")).state == SendState::kAccepted;
  }));
  std::vector<std::string> came = rig.Receive(static_cast<size_t>(spooled) + 1);
  for (int i = 0; i < spooled; ++i) {
    CHECK(came[static_cast<size_t>(i)] == std::to_string(i) + filler);
  }
}

TEST_CASE("what the broker refuses for good is kept apart, and told") {
  SpoolRig rig;
  rig.Open();
  auto sender = rig.OpenSender();
  CHECK(sender->Send(Keyed("k", "0")).ok());
  rig.Down("a");
  std::string id;
  for (int i = 1; i < 4; ++i) {
    const SendResult result = sender->Send(Keyed("k", std::to_string(i)));
    CHECK(result.state == SendState::kSpooled);
    if (i == 1) id = result.id();
  }
  CHECK(rig.brokers["a"]->FailSends("q", SendFault::kRejected, 1).ok());
  rig.Up("a");
  CHECK(rig.IsEmpty());
  CHECK(rig.Receive(3) == std::vector<std::string>{"0", "2", "3"});
  CHECK(Eventually([&] {
    const std::vector<std::string> told = rig.JournalOf("spool");
    return std::count_if(told.begin(), told.end(),
                         [&](const std::string& text) {
                           return text.find("rejected") != std::string::npos &&
                                  text.find(id) != std::string::npos;
                         }) == 1;
  }));
  sender.reset();
  rig.bus.reset();
  StoreOptions options;
  options.path = rig.config.state_file;
  auto store = *Store::Open(options);
  const auto rejected = store->AddQueue(SpoolLanes::RejectedName("q"));
  const auto chunk = store->ReadSpool(*rejected, 1, 1000);
  REQUIRE(chunk->entries.size() == 1);
  const auto entry = DecodeSpoolEntry(chunk->entries.front().bytes);
  CHECK(entry->message.body().view() == "1");
  CHECK(entry->message.id() == id);
}

TEST_CASE("a message whose time is over is not sent from the spool") {
  SpoolRig rig;
  rig.Down("a");
  rig.Open();
  auto sender = rig.OpenSender();
  CHECK(sender->Send(Keyed("k", "0").set_ttl(absl::Milliseconds(20))).state ==
        SendState::kSpooled);
  CHECK(sender->Send(Keyed("k", "1").set_ttl(absl::Hours(1))).ok());
  const absl::Time until = absl::Now() + absl::Milliseconds(30);
  CHECK(Eventually([&] { return absl::Now() > until; }));
  rig.Up("a");
  CHECK(rig.IsEmpty());
  auto receiver = *rig.bus->OpenReceiver("q");
  auto delivery = receiver->Receive(kLong);
  REQUIRE(delivery.ok());
  CHECK(delivery->message().body().view() == "1");
  CHECK(delivery->message().ttl() < absl::Hours(1));
  CHECK(delivery->message().ttl() > absl::Minutes(50));
}

TEST_CASE("a message that the spool has no room for at all is told so") {
  SpoolRig rig;
  rig.Down("a");
  rig.Open();
  auto sender = rig.OpenSender();
  const SendResult result =
      sender->Send(Keyed("k", std::string(size_t{5} << 20, '.')));
  CHECK(result.state == SendState::kNotSent);
  CHECK(absl::IsResourceExhausted(result.status));
  CHECK(sender->Send(Keyed("k", "small")).state == SendState::kSpooled);
}

TEST_CASE("a spool that begins after the sends have ended is refused") {
  SpoolRig rig;
  rig.Open();
  SenderOptions options;
  options.timeout = kAfter;
  const auto sender = rig.bus->OpenSender("q", options);
  CHECK(absl::IsInvalidArgument(sender.status()));
}

TEST_CASE("a sender that is closed keeps what is in its spool") {
  SpoolRig rig;
  rig.Down("a");
  rig.Open();
  auto sender = rig.OpenSender();
  CHECK(sender->Send(Keyed("k", "0")).ok());
  absl::Status told;
  CHECK(sender
            ->SendBatch({Keyed("k", "1")},
                        [&](std::span<const SendResult> results) {
                          told = results[0].status;
                        })
            .ok());
  CHECK(sender->Close(kLong).ok());
  CHECK(rig.bus->Close(kLong).ok());
  CHECK(told.ok());
  rig.Up("a");
  rig.Open();
  auto next = rig.OpenSender();
  CHECK(rig.Receive(2) == Numbers(0, 2));
}

TEST_CASE("a queue that moves takes its spool along") {
  SpoolRig rig;
  rig.Open();
  auto sender = rig.OpenSender();
  CHECK(sender->Send(Keyed("k", "0")).ok());
  CHECK(rig.Receive(1) == Numbers(0, 1));
  rig.Down("a");
  for (int i = 1; i < 10; ++i) {
    CHECK(sender->Send(Keyed("k", std::to_string(i))).state ==
          SendState::kSpooled);
  }
  const auto moving = rig.Move("b");
  CHECK(rig.IsEmpty());
  CHECK(Eventually([&] {
    return sender->Send(Keyed("k", "10")).state == SendState::kAccepted;
  }));
  CHECK(rig.brokers["b"]->Inspect("q")->depth() >= 10);
  moving->Proceed();
  const std::vector<std::string> came = rig.Receive(10);
  CHECK(came == Numbers(1, 11));
}

TEST_CASE("a route completes what was spooled only where its config says so") {
  const bool accepts = GENERATE(false, true);
  SpoolRig rig;
  QueueConfig& from = rig.config.queues["from"];
  from = rig.config.queues["q"];
  from.name = from.entity = "from";
  from.broker = "b";
  from.spool = absl::ZeroDuration();
  rig.Down("a");
  rig.Open();
  RouteConfig route;
  route.from = "from";
  route.to = "q";
  route.accept_spooled = accepts;
  auto running = *rig.bus->StartRoute(route);
  auto source = *rig.bus->OpenSender("from");
  for (int i = 0; i < 10; ++i) {
    CHECK(source->Send(Keyed("k", std::to_string(i))).state ==
          SendState::kAccepted);
  }
  if (accepts) {
    CHECK(Eventually(
        [&] { return rig.brokers["b"]->Inspect("from")->depth() == 0; }));
  } else {
    const absl::Time until = absl::Now() + 3 * kAfter;
    CHECK(Eventually([&] { return absl::Now() > until; }));
    CHECK(rig.brokers["b"]->Inspect("from")->depth() == 10);
  }
  rig.Up("a");
  CHECK(rig.Receive(10) == Numbers(0, 10));
}

TEST_CASE("a broker that comes and goes under load: in order, none lost") {
  SpoolRig rig;
  rig.Open();
  SenderOptions options;
  options.max_pending = 500;
  auto sender = rig.OpenSender(options);
  std::atomic<bool> stop{false};
  std::atomic<int> failed{0};
  constexpr int kKeys = 7;
  int sent = 0;
  std::thread load([&] {
    while (!stop || sent < 3000) {
      std::vector<Message> batch;
      for (int i = 0; i < 5; ++i, ++sent) {
        batch.push_back(
            Keyed(std::to_string(sent % kKeys), std::to_string(sent)));
      }
      for (const SendResult& result : sender->SendBatch(std::move(batch))) {
        if (!result.ok()) ++failed;
      }
    }
  });
  for (int round = 0; round < 8; ++round) {
    const uint64_t spooled = rig.Metrics().spooled;
    if (round % 2 == 0) {
      rig.Down("a");
    } else {
      rig.brokers["a"]->Stall(true);
    }
    CHECK(Eventually([&] { return rig.Metrics().spooled > spooled + 20; }));
    const uint64_t accepted = rig.Metrics().accepted;
    if (round % 2 == 0) {
      rig.Up("a");
    } else {
      rig.brokers["a"]->Stall(false);
    }
    // It is not always spooling.
    CHECK(Eventually([&] { return rig.Metrics().accepted > accepted + 20; }));
  }
  stop = true;
  load.join();
  CHECK(failed == 0);
  CHECK(rig.IsEmpty());
  // A message that was on its way when a connection went may come twice.
  std::map<int, int> newest;
  std::map<int, int> count;
  auto receiver = *rig.bus->OpenReceiver("q");
  while (count.size() < static_cast<size_t>(sent)) {
    auto delivery = receiver->Receive(kLong);
    REQUIRE(delivery.ok());
    const int number =
        std::stoi(std::string(delivery->message().body().view()));
    int& last = newest.try_emplace(number % kKeys, -1).first->second;
    if (++count[number] == 1) CHECK(number > last);
    last = std::max(last, number);
    CHECK(delivery->Complete().ok());
  }
}

TEST_CASE("an entry of the spool is read as it was written") {
  SpoolEntry entry;
  entry.sequence = 0x0102030405060708;
  entry.index = 9;
  entry.spooled_at = absl::FromUnixMillis(1700000000123);
  entry.message = Keyed("k", "body").set_ttl(absl::Seconds(10));
  std::string bytes;
  EncodeSpoolEntry(entry, &bytes);
  const auto back = DecodeSpoolEntry(bytes);
  REQUIRE(back.ok());
  CHECK(back->sequence == entry.sequence);
  CHECK(back->index == entry.index);
  CHECK(back->spooled_at == entry.spooled_at);
  CHECK(back->message.body().view() == "body");
  CHECK(back->TtlLeft(entry.spooled_at) == absl::Seconds(10));
  CHECK(back->TtlLeft(entry.spooled_at + absl::Seconds(4)) == absl::Seconds(6));
  CHECK(back->TtlLeft(entry.spooled_at + absl::Hours(1)) ==
        absl::ZeroDuration());
  // A clock that was set back.
  CHECK(back->TtlLeft(entry.spooled_at - absl::Hours(1)) == absl::Seconds(10));
  for (size_t size = 0; size < bytes.size(); ++size) {
    CHECK(absl::IsDataLoss(
        DecodeSpoolEntry(std::string_view(bytes).substr(0, size)).status()));
    if (size > 30) break;  // the message's own are the codec's
  }
}

}  // namespace
}  // namespace tieline
