// What tests of the core share: buses on the memory and the scripted backend,
// and waiting for a condition with a deadline.
#ifndef TIELINE_TESTS_ENGINE_RIG_H_
#define TIELINE_TESTS_ENGINE_RIG_H_

#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <utility>

#include "absl/time/clock.h"
#include "tests/engine/scripted.h"
#include "tests/support/catch.h"
#include "tieline/bus.h"
#include "tieline/memory.h"

namespace tieline::inline v0 {

inline constexpr absl::Duration kLong = absl::Seconds(30);

template <typename Condition>
bool Eventually(Condition condition, absl::Duration within = kLong) {
  const absl::Time until = absl::Now() + within;
  while (!condition()) {
    if (absl::Now() > until) return false;
    std::this_thread::yield();
  }
  return true;
}

inline std::string NextName(const char* what) {
  static std::atomic<int> next{0};
  return what + std::to_string(next++);
}

// A bus, and a broker of its own that does what the test says.
struct MemoryRig {
  explicit MemoryRig(BusOptions options = {}, memory::BrokerOptions with = {}) {
    memory::Register();
    name = NextName("rig");
    broker = *memory::Broker::Create(name, std::move(with));
    options.reconnect.min_delay = absl::Milliseconds(1);
    options.reconnect.max_delay = absl::Milliseconds(20);
    auto opened = Bus::Open(Config{}, std::move(options));
    REQUIRE(opened.ok());
    bus = *std::move(opened);
  }
  ~MemoryRig() {
    bus.reset();
    memory::Broker::Remove(name);
  }
  std::string Url(const std::string& queue) const {
    return "memory://" + name + "/" + queue;
  }

  std::string name;
  std::shared_ptr<memory::Broker> broker;
  std::unique_ptr<Bus> bus;
};

// The same on a broker that neither redelivers nor dead-letters; queue "q" is
// ordered by key, queue "plain" is not.
struct ScriptedRig {
  explicit ScriptedRig(BusOptions options = {}) {
    const std::string name = NextName("script");
    broker = scripted::Broker::Create(name);
    Config config;
    BrokerConfig& b = config.brokers["b"];
    b.name = "b";
    b.url.scheme = "scripted";
    b.allow_plaintext = true;
    b.url.hosts.push_back({name, 0});
    for (const char* queue : {"q", "plain", "to"}) {
      QueueConfig& q = config.queues[queue];
      q.name = q.entity = queue;
      q.broker = "b";
      q.ordered = queue[0] == 'p' ? Order::kNone : Order::kPerKey;
    }
    options.reconnect.min_delay = absl::Milliseconds(1);
    options.reconnect.max_delay = absl::Milliseconds(20);
    auto opened = Bus::Open(std::move(config), std::move(options));
    INFO(opened.status().ToString());
    REQUIRE(opened.ok());
    bus = *std::move(opened);
  }

  std::shared_ptr<scripted::Broker> broker;
  std::unique_ptr<Bus> bus;
};

inline driver::Outcome Fated(driver::Fate fate, absl::Status why = {}) {
  driver::Outcome outcome;
  outcome.fate = fate;
  outcome.why = std::move(why);
  return outcome;
}

}  // namespace tieline::inline v0

#endif  // TIELINE_TESTS_ENGINE_RIG_H_
