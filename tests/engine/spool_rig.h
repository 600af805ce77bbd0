// What tests of the spool share: two memory brokers that come and go, and a
// queue that keeps on disk what they don't take.
#ifndef TIELINE_TESTS_ENGINE_SPOOL_RIG_H_
#define TIELINE_TESTS_ENGINE_SPOOL_RIG_H_

#include <algorithm>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tests/engine/rig.h"
#include "tests/store/temp_folder.h"
#include "tieline/move.h"

namespace tieline::inline v0 {

// Memory brokers "a" and "b"; queue "q", ordered by key, at "a".
struct SpoolRig {
  static constexpr absl::Duration kAfter = absl::Milliseconds(50);

  SpoolRig() {
    for (const char* broker : {"a", "b"}) {
      brokers[broker] = memory_brokers.Add(broker, &config);
    }
    QueueConfig& q = config.queues["q"];
    q.name = q.entity = "q";
    q.broker = "a";
    q.ordered = Order::kPerKey;
    q.create = true;
    q.spool = kAfter;
    config.state_file = folder.File("state.db");
    config.move.quiet_period = absl::Milliseconds(100);
    config.move.retire_time = absl::Milliseconds(100);
  }
  void Open() { bus = OpenBus(config); }
  std::unique_ptr<Sender> OpenSender(SenderOptions options = {}) const {
    auto sender = bus->OpenSender("q", std::move(options));
    INFO(sender.status().ToString());
    REQUIRE(sender.ok());
    return *std::move(sender);
  }
  // Returns when the bus knows it: what it sends before that may get there, and
  // be in doubt.
  void Down(const char* broker) {
    brokers[broker]->RefuseConnections(true);
    brokers[broker]->DropConnections();
    CHECK((bus == nullptr || Eventually([&] {
             const auto all = bus->metrics().brokers;
             return std::none_of(all.begin(), all.end(), [&](const auto& b) {
               return b.broker == broker && b.up;
             });
           })));
  }
  std::unique_ptr<Moving> Move(const char* broker) const {
    Config next = bus->config();
    QueueConfig& q = next.queues["q"];
    q.was.push_back({q.broker, q.generation, ""});
    q.broker = broker;
    ++q.generation;
    const auto plan = bus->Plan(next);
    REQUIRE(plan.ok());
    return *bus->Apply(*plan);
  }
  void Up(const char* broker) { brokers[broker]->RefuseConnections(false); }
  SenderMetrics Metrics() const { return bus->metrics().senders.front(); }
  bool IsEmpty() const {
    return Eventually([this] {
      uint64_t there = 0;
      for (const auto& sender : bus->metrics().senders) {
        there += sender.in_spool;
      }
      return there == 0;
    });
  }
  // All bodies that come, in their order.
  std::vector<std::string> Receive(size_t count) const {
    std::vector<std::string> bodies;
    auto receiver = *bus->OpenReceiver("q");
    while (bodies.size() < count) {
      auto delivery = receiver->Receive(kLong);
      if (!delivery.ok()) break;
      bodies.emplace_back(delivery->message().body().view());
      CHECK(delivery->Complete().ok());
    }
    CHECK(receiver->Close(kLong).ok());
    return bodies;
  }
  std::vector<std::string> JournalOf(std::string_view kind) const {
    std::vector<std::string> texts;
    const auto records = bus->ReadJournal(0, 1000);
    REQUIRE(records.ok());
    for (const JournalRecord& record : *records) {
      if (record.kind == kind) texts.push_back(record.json);
    }
    return texts;
  }

  testing::TempFolder folder;
  Config config;
  MemoryBrokers memory_brokers;
  std::map<std::string, std::shared_ptr<memory::Broker>> brokers;
  std::unique_ptr<Bus> bus;
};

inline Message Keyed(const std::string& key, const std::string& body) {
  return Message(body).set_key(key);
}

inline std::vector<std::string> Numbers(int from, int to) {
  std::vector<std::string> numbers;
  for (int i = from; i < to; ++i) numbers.push_back(std::to_string(i));
  return numbers;
}

}  // namespace tieline::inline v0

#endif  // TIELINE_TESTS_ENGINE_SPOOL_RIG_H_
