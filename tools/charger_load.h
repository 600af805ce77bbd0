// A load that checks itself: simulated charging stations send messages in the
// manner of OCPP 1.6J, and a receiver finds out whether all came, once and in
// order. For `tieline demo`.
#ifndef TIELINE_TOOLS_CHARGER_LOAD_H_
#define TIELINE_TOOLS_CHARGER_LOAD_H_

#include <atomic>
#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "tieline/bus.h"

namespace tieline::tools {

// Makes the messages: round robin over the chargers, each numbered per charger.
// Threads: one.
class ChargerSource {
 public:
  explicit ChargerSource(uint32_t chargers) : next_(chargers) {}
  Message Next();
  uint64_t made() const { return made_; }

 private:
  std::vector<uint64_t> next_;  // number of each charger's next message
  uint64_t made_ = 0;
};

// Checks what arrives. Threads: any.
class ChargerCheck {
 public:
  struct Counts {
    uint64_t received = 0;    // first copies
    uint64_t duplicates = 0;  // further copies of a message
    uint64_t out_of_order = 0;
    uint64_t malformed = 0;
  };
  void Add(const Message& message);
  Counts counts() const;

 private:
  mutable std::mutex mu_;
  std::map<std::string, uint64_t, std::less<>> expected_;  // by key
  Counts counts_;
};

}  // namespace tieline::tools

#endif  // TIELINE_TOOLS_CHARGER_LOAD_H_
