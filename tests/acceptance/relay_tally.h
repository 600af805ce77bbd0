// What the far end of a relay run has seen: which messages, how often, in what
// order, and how they differ from what was sent.
//
// Threads: as any plain value.
#ifndef TIELINE_TESTS_ACCEPTANCE_RELAY_TALLY_H_
#define TIELINE_TESTS_ACCEPTANCE_RELAY_TALLY_H_

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "tests/acceptance/relay_messages.h"
#include "tieline/message.h"

namespace tieline::relay_check {

class Tally {
 public:
  // Of messages 0 to count - 1. Differences in `may_differ` are counted, and
  // are no faults.
  Tally(Plan plan, uint64_t count, std::set<std::string> may_differ);

  void Add(const Message& got);
  // The run was ended early: only messages 0 to count - 1 were sent. A count
  // above the run's own changes nothing.
  void EndAt(uint64_t count);

  uint64_t received() const { return received_; }
  uint64_t unique() const { return unique_; }
  bool complete() const { return unique_ == count_; }
  uint64_t lost() const { return count_ - unique_; }
  uint64_t duplicates() const { return received_ - strangers_ - unique_; }
  // Messages that came, for the first time, after a later one of their key;
  // neither counts unless it keeps order (KeepsOrder).
  uint64_t disordered() const { return disordered_; }
  // Messages that are none of the run's.
  uint64_t strangers() const { return strangers_; }
  uint64_t different() const { return different_; }
  // Nothing lost, out of order, different or strange.
  bool ok() const;

  // JSON, with the first faults in words, and for each field how many were
  // compared, lost and changed.
  std::string Report() const;

 private:
  void JudgeOrder(uint64_t i);
  void Judge(uint64_t i, const Message& sent, const Message& got);
  void Fault(std::string text);
  // The first that were seen, and the first that never came.
  std::vector<std::string> Faults() const;

  struct Counts {
    uint64_t compared = 0;
    uint64_t lost = 0;
    uint64_t changed = 0;
  };

  const Plan plan_;
  uint64_t count_;
  const std::set<std::string> may_differ_;
  std::vector<bool> seen_;
  std::vector<int64_t> last_of_key_;
  uint64_t received_ = 0;
  uint64_t unique_ = 0;
  uint64_t disordered_ = 0;
  uint64_t strangers_ = 0;
  uint64_t different_ = 0;
  std::map<std::string, Counts> fields_;
  std::vector<std::string> faults_;
};

}  // namespace tieline::relay_check

#endif  // TIELINE_TESTS_ACCEPTANCE_RELAY_TALLY_H_
