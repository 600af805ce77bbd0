// The load of `tieline demo`: simulated charging stations that send messages in
// the manner of OCPP 1.6J. What was sent, and what came of it, is in a Ledger.
#ifndef TIELINE_TOOLS_CHARGER_LOAD_H_
#define TIELINE_TOOLS_CHARGER_LOAD_H_

#include <atomic>
#include <cstdint>
#include <string>
#include <thread>
#include <vector>

#include "tieline/bus.h"
#include "tools/ledger.h"

namespace tieline::tools {

// A charger's message: which charger, and its how manieth.
struct ChargerCall {
  uint32_t charger = 0;
  uint64_t number = 0;  // from 0

  friend bool operator==(const ChargerCall&, const ChargerCall&) = default;
};

// Both are made from the call alone, so that an altered message is found out.
std::string KeyOf(uint32_t charger);
std::string BodyOf(const ChargerCall& call);

// Makes the messages: round robin over the chargers.
// Threads: one.
class ChargerSource {
 public:
  explicit ChargerSource(uint32_t chargers) : next_(chargers) {}
  ChargerCall NextCall();
  uint64_t made() const { return made_; }

 private:
  std::vector<uint64_t> next_;  // number of each charger's next message
  uint64_t made_ = 0;
};
Message MessageFor(const ChargerCall& call);

// Chargers that send at a rate, whatever the broker does: those of a key are
// many on their way when it is slow. Threads: each function from any; it has a
// thread of its own.
class ChargerFleet {
 public:
  struct Options {
    uint32_t chargers = 200;
    double rate = 2000;  // messages a second, all chargers together
  };

  // Begins at once. Both outlive it, and the ledger outlives the sender.
  ChargerFleet(const Options& options, Sender* sender, Ledger* ledger);
  // Stop.
  ~ChargerFleet();
  ChargerFleet(const ChargerFleet&) = delete;
  ChargerFleet& operator=(const ChargerFleet&) = delete;

  // No more messages are made; those on their way are not waited for.
  void Stop();

 private:
  void Run();
  // Waits while the sender has no room.
  void Send(const ChargerCall& call);

  const Options options_;
  Sender* const sender_;
  Ledger* const ledger_;
  std::atomic<bool> stop_{false};
  std::thread thread_;  // last: it uses the others
};

}  // namespace tieline::tools

#endif  // TIELINE_TOOLS_CHARGER_LOAD_H_
