// Ledger: what became of each message of the demo, counted apart from the
// library: it keeps books of what was given to the sender, what the sender was
// told, and what was handled in the end. It knows messages by what their bodies
// say, not by anything that the library made or counts.
//
// Threads: each function from any.
#ifndef TIELINE_TOOLS_LEDGER_H_
#define TIELINE_TOOLS_LEDGER_H_

#include <cstdint>
#include <mutex>
#include <string_view>
#include <vector>

#include "absl/time/time.h"
#include "tieline/message.h"
#include "tieline/metrics.h"

namespace tieline::tools {

struct ChargerCall;

class Ledger {
 public:
  struct Counts {
    uint64_t sent = 0;      // given to the sender
    uint64_t accepted = 0;  // the sender was told that a broker has it
    uint64_t failed = 0;    // the sender was told otherwise
    uint64_t handled = 0;   // messages, first copies
    uint64_t lost = 0;      // accepted, and not handled up to now
    // Further copies of a message, handled.
    uint64_t duplicates = 0;
    // First copies handled after a later message of their charger.
    uint64_t order_violations = 0;
    // Handled, and not what was sent: body, key or properties.
    uint64_t altered = 0;

    uint64_t unanswered() const { return sent - accepted - failed; }
    bool all_is_well() const {
      return lost == 0 && duplicates == 0 && order_violations == 0 &&
             altered == 0 && failed == 0 && unanswered() == 0;
    }
  };
  // What senders waited for their answers.
  struct Waits {
    Histogram histogram;
    absl::Duration longest = absl::ZeroDuration();
  };

  explicit Ledger(uint32_t chargers) : books_(chargers) {}

  void Sent(const ChargerCall& call);
  // `waited`: from when the charger wanted to send it.
  void Answered(const ChargerCall& call, bool accepted, absl::Duration waited);
  void Handled(const Message& message);

  Counts counts() const;
  // Since the last call.
  Waits TakeWaits();

 private:
  enum : uint8_t { kSent = 1, kAccepted = 2, kHandled = 4 };
  struct Book {
    std::vector<uint8_t> entries;  // of each message, by its number
    uint64_t next = 0;             // above all numbers that were handled
  };
  uint8_t* Find(const ChargerCall& call);

  mutable std::mutex mu_;
  std::vector<Book> books_;  // by charger
  Counts counts_;            // but for `lost`
  uint64_t kept_ = 0;        // accepted and handled
  Waits waits_;
};

}  // namespace tieline::tools

#endif  // TIELINE_TOOLS_LEDGER_H_
