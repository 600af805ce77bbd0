// What became of numbered messages: which are missing, which took effect more
// than once or out of order. Number n has key n % keys, and is sent after the
// lower numbers of its key.
//
// Threads: any.
#ifndef TIELINE_TESTS_ACCEPTANCE_MOVE_EFFECTS_H_
#define TIELINE_TESTS_ACCEPTANCE_MOVE_EFFECTS_H_

#include <cstdint>
#include <mutex>
#include <vector>

namespace tieline::move_check {

class Effects {
 public:
  explicit Effects(uint64_t keys) : last_(keys) {}

  enum class Verdict {
    kFirst,
    kSecond,            // one more of a message that was handled
    kOutOfOrder,        // a later one of its key was handled before
    kOutOfOrderMarked,  // and it is marked late or redelivered
    kBehindMarked,      // only a later one that was marked was
  };
  struct Counts {
    uint64_t accepted = 0;
    uint64_t handled = 0;  // each once
    uint64_t lost = 0;     // accepted and not handled
    uint64_t twice = 0;
    uint64_t out_of_order = 0;
    uint64_t out_of_order_marked = 0;  // kBehindMarked too
  };

  // A broker has it. A second time changes nothing.
  void OnAccepted(uint64_t number);
  Verdict OnHandled(uint64_t number, bool is_marked);

  uint64_t keys() const { return last_.size(); }
  bool WasAccepted(uint64_t number) const;
  Counts counts() const;

 private:
  // The highest that were handled of a key, plus 1.
  struct Last {
    uint64_t unmarked = 0;
    uint64_t marked = 0;
  };
  uint8_t& At(uint64_t number);
  Verdict Judge(uint64_t number, bool is_marked);

  mutable std::mutex mu_;
  std::vector<uint8_t> seen_;  // bits
  std::vector<Last> last_;
  Counts counts_;
};

}  // namespace tieline::move_check

#endif  // TIELINE_TESTS_ACCEPTANCE_MOVE_EFFECTS_H_
