// Judge: what an event log (move_log.h) says about the messages of a run whose
// process was killed and whose brokers were disturbed.
//
// A message that took effect once more is explained by
//   a kill      it was in hand: an earlier process handled it, and had no
//               answer to its completion
//   a mark      the broker said that it delivers it again
//   doubt       its send was submitted more than once, or was without an answer
//               at a kill, so that the next process sent it again
// in this order, or by nothing, which is a fault.
//
// Threads: one.
#ifndef TIELINE_TESTS_ACCEPTANCE_MOVE_JUDGE_H_
#define TIELINE_TESTS_ACCEPTANCE_MOVE_JUDGE_H_

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "tests/acceptance/move_effects.h"
#include "tests/acceptance/move_log.h"

namespace tieline::move_check {

class Judge {
 public:
  explicit Judge(uint64_t keys) : effects_(keys), in_handler_(keys) {}

  void Add(const Record& record);

  struct Counts {
    uint64_t sent = 0;
    uint64_t handled = 0;  // each once
    uint64_t lost = 0;
    uint64_t failed = 0;
    uint64_t late = 0;
    uint64_t redelivered = 0;
    uint64_t twice_by_kill = 0;
    uint64_t twice_marked = 0;
    uint64_t twice_in_doubt = 0;
    uint64_t twice_unexplained = 0;
    uint64_t out_of_order = 0;
    uint64_t out_of_order_marked = 0;
    uint64_t overlaps = 0;  // two handlers with one key
    uint64_t other_ids = 0;
  };
  // All of it, after the last record.
  struct Findings {
    Counts all;
    // By the generation that was applied last when it was seen; what is lost
    // or was in doubt, when it was sent; what a kill explains, when the process
    // was started again.
    std::map<uint64_t, Counts> by_move;
    std::set<uint64_t> unended;  // generations
    uint64_t incarnations = 0;
    std::vector<std::string> first_faults;  // in words, some

    // Nothing lost, unexplained or out of order, and every move ended. Where
    // ids are `suppressed`, only a kill explains a second effect.
    bool IsWell(bool suppressed) const;
  };
  Findings End() const;

 private:
  struct Message {
    uint32_t sent_in = 0;  // incarnations, from 1
    uint32_t handled_in = 0;
    uint32_t at_move = 0;  // where it was sent last
    bool in_doubt = false;
    bool settled = false;
  };
  // One more effect, which is explained at the end: a send's outcome may be
  // known only then.
  struct Second {
    uint64_t number = 0;
    uint64_t at_move = 0;
    uint32_t ms = 0;
    uint32_t in_hand_before = 0;  // this incarnation; 0: it was not
    bool is_marked = false;
  };
  Message& At(uint64_t number);
  void OnIntended(const Record& record);
  void OnHandling(const Record& record);
  void Explain(const Second& second, Findings* findings) const;

  Effects effects_;
  std::vector<Message> messages_;
  std::vector<Second> seconds_;
  std::vector<uint64_t> in_handler_;  // by key: incarnation, 0 for none
  std::set<uint64_t> applied_;
  std::set<uint64_t> ended_;
  std::map<uint64_t, Counts> by_move_;
  std::vector<std::string> faults_;
  std::vector<uint64_t> began_at_move_;  // by incarnation, from 1
  uint32_t incarnation_ = 0;
  uint64_t move_ = 0;
};

}  // namespace tieline::move_check

#endif  // TIELINE_TESTS_ACCEPTANCE_MOVE_JUDGE_H_
