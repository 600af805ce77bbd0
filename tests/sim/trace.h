// Trace: what happened in a run, in order: small entries for messages, texts
// for what concerns a whole broker or process. Kept always; formatted only for
// a run that failed.
#ifndef TIELINE_TESTS_SIM_TRACE_H_
#define TIELINE_TESTS_SIM_TRACE_H_

#include <cstdint>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "absl/time/time.h"

namespace tieline::sim {

enum class What : uint8_t {
  kGiven,       // to a sender, by the application
  kSubmitted,   // to the driver
  kArrived,     // at the broker, and what it made of it: the next entries
  kStored,      // a copy on the broker
  kDuplicate,   // taken, and dropped by the broker's duplicate detection
  kBusy,        // not taken
  kRefused,     // rejected
  kOutcome,     // heard by the core: detail is the fate
  kDelivered,   // handed to the core: detail is the broker's attempts
  kSettled,     // by the core: detail is the verb
  kCompleted,   // at the broker
  kReturned,    // the broker's again
  kStale,       // a settlement that came too late
  kExpired,     // by its TTL, at the broker
  kLost,        // with the broker's data
  kDeadLetter,  // at the broker, or as a copy
  kEffect,      // at the sink
  kResult,      // told to the application: detail is the state
  kForgotten,   // its process was killed before it had a result
  kNote,        // a text
};

class Trace {
 public:
  struct Entry {
    absl::Time at;
    int32_t message = -1;
    What what = What::kNote;
    uint8_t place = 0;  // a broker's number
    uint32_t detail = 0;
  };

  // Prints what happens when it happens: for runs that crash.
  static inline bool is_live = false;

  void Add(absl::Time at, int message, What what, int place, uint32_t detail) {
    entries_.push_back(
        {at, message, what, static_cast<uint8_t>(place), detail});
    if (is_live) Print();
  }
  void Note(absl::Time at, std::string text);
  size_t size() const { return entries_.size(); }
  // Of all entries: the same for the same run.
  uint64_t Digest() const;
  // One line for each entry of these messages (none: of all), and all notes.
  std::string Format(absl::Time start, const std::set<int>& messages) const;

 private:
  std::string Line(absl::Time start, const Entry& entry) const;
  void Print() const;

  std::vector<Entry> entries_;
  std::vector<std::string> notes_;
};

}  // namespace tieline::sim

#endif  // TIELINE_TESTS_SIM_TRACE_H_
