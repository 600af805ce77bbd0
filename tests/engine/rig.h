// What tests of the core share: buses on the memory and the scripted backend,
// and waiting for a condition with a deadline.
#ifndef TIELINE_TESTS_ENGINE_RIG_H_
#define TIELINE_TESTS_ENGINE_RIG_H_

#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

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

// A bus that has to open, and is quick to connect again.
inline std::unique_ptr<Bus> OpenBus(Config config, BusOptions options = {}) {
  options.reconnect.min_delay = absl::Milliseconds(1);
  options.reconnect.max_delay = absl::Milliseconds(20);
  auto opened = Bus::Open(std::move(config), std::move(options));
  INFO(opened.status().ToString());
  REQUIRE(opened.ok());
  return *std::move(opened);
}

// Memory brokers of its own, by the names that a config has for them.
class MemoryBrokers {
 public:
  MemoryBrokers() { memory::Register(); }
  MemoryBrokers(const MemoryBrokers&) = delete;
  MemoryBrokers& operator=(const MemoryBrokers&) = delete;
  ~MemoryBrokers() {
    for (const std::string& name : names_) memory::Broker::Remove(name);
  }
  std::shared_ptr<memory::Broker> Add(const std::string& broker, Config* config,
                                      memory::BrokerOptions with = {}) {
    const std::string name = NextName(broker.c_str());
    names_.push_back(name);
    BrokerConfig& b = config->brokers[broker];
    b.name = broker;
    b.url.scheme = "memory";
    b.url.hosts.push_back({name, 0});
    return *memory::Broker::Create(name, std::move(with));
  }

 private:
  std::vector<std::string> names_;
};

// A bus, and a broker of its own that does what the test says.
struct MemoryRig {
  explicit MemoryRig(BusOptions options = {}, memory::BrokerOptions with = {}) {
    memory::Register();
    name = NextName("rig");
    broker = *memory::Broker::Create(name, std::move(with));
    bus = OpenBus(Config{}, std::move(options));
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
    bus = OpenBus(std::move(config), std::move(options));
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
