// Ledger: the oracle. It stands outside the code under test and knows of each
// message what the application gave and was told, what copies each broker had
// and has, and each effect at the sink. It checks what can be seen at once;
// checks.h says the rest, and which invariant of the design each check is for.
#ifndef TIELINE_TESTS_SIM_LEDGER_H_
#define TIELINE_TESTS_SIM_LEDGER_H_

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/time/time.h"
#include "tests/sim/timeline.h"
#include "tests/sim/trace.h"
#include "tieline/bus_options.h"
#include "tieline/driver/types.h"
#include "tieline/message.h"
#include "tieline/sender.h"

namespace tieline::sim {

struct Violation {
  int invariant = 0;  // 0: the SPI or the public contract
  int message = -1;
  std::string text;
  int other = -1;  // another message that it has to do with
};

// What is known of one message.
struct Life {
  int producer = 0;
  int key = -1;      // -1: none
  int sequence = 0;  // among its producer's
  bool ordered = false;
  std::string body;
  std::string id;        // as first seen at a driver
  absl::Time deadline;   // of its send
  absl::Time result_at;  // when the application was told
  bool has_result = false;
  bool forgotten = false;   // its process was killed first
  bool spool_lost = false;  // spooled, and the state file did not come back
  bool has_ttl = false;
  bool may_be_late = false;  // one copy was where silence counts as a proof
  SendState result = SendState::kNotSent;
  // Copies at the brokers that are moved between.
  int stored = 0;
  int completed = 0;
  int dead = 0;
  int expired = 0;
  int lost = 0;  // with the broker's data
  // What may make a second effect, or one out of order, right.
  int rejections = 0;    // by a broker, heard of or not
  int doubts = 0;        // outcomes "unknown", at the source or at the sink
  int sink_doubts = 0;   // of these
  int kills = 0;         // before its latest effect
  int kill_effects = 0;  // effects that a kill explains
  int redeliveries = 0;  // deliveries of a copy beyond its first
  int rereads = 0;       // kills at which it may have been in the spool
  int in_time = 0;       // deliveries before its place was drained
  int too_late = 0;      // and after
  int effects = 0;
  int submissions = 0;  // to the brokers that are moved between, that count
  uint64_t stamp = 0;   // of the latest
};

class Ledger {
 public:
  explicit Ledger(const Timeline* timeline) : timeline_(timeline) {}

  // ---- The application's side.
  // A message to give; its number.
  int NewMessage(Life life);
  // The number that the body begins with; -1: none of ours.
  static int NumberOf(const Message& message);
  static std::string BodyOf(int number, int size);
  // The generation that the message was sent in.
  static uint64_t StampOf(const Message& message);
  void OnGiven(int number, absl::Time deadline);
  void OnResult(const SendResult& result);
  void OnForgotten(int number);

  // ---- The operator's side.
  // The queue's generation is bound to a broker.
  void Bind(uint64_t generation, int place) {
    bound_[generation] = place;
    if (retains_) ++replays_;
  }
  // What comes late from there needs no other reason than that.
  void MayBeLateFrom(int place) { may_be_late_from_.insert(place); }
  // How often messages may be sent again, by each producer.
  void SetBudget(const RetryBudgetOptions& budget) { budget_ = budget; }
  // A process has said that it is in this generation.
  void OnMoved(int process, uint64_t generation);
  // One goes on without the rest of that generation.
  void OnDrained(uint64_t generation);
  // It starts again, not from where it was: what was spooled may be gone.
  void OnForgottenProcess();
  // It started with an older record, and can't go on to where the queue is.
  void OnBehind(int process) {
    submitted_[process] = 0;
    behind_ = true;
  }
  // It was killed: what it had written to its spool may be sent once more.
  void OnKilled();
  // Senders have a spool.
  void SetSpools() { spools_ = true; }
  // And keep what a broker accepted, for the next one.
  void SetRetains() { retains_ = true; }
  // Second copies are suppressed by their ids.
  void SetSuppresses() { suppresses_ = true; }
  // A producer's messages are the business of a new sender.
  void OnNewSender(int producer) { ++sendings_[producer].senders; }

  // ---- The drivers' side.
  // -1 for the process: a copy that is dead-lettered.
  void OnSubmitted(const Message& message, int place, int process);
  void OnOutcome(int number, driver::Fate fate, int place);
  void OnDelivered(int number, int place, bool again);
  void Add(int number, What what, int place, uint32_t detail = 0);

  // ---- The brokers' side.
  void OnStored(const Message& message, int number, int place);
  void OnRejected(int number, int place);
  void OnCompleted(int number, int place);
  void OnEffect(const Message& message, int place);
  void OnDeadLetter(const Message& message, int place);

  void Note(std::string text) {
    trace_.Note(timeline_->now(), std::move(text));
  }
  void Violate(int invariant, int message, std::string text, int other = -1);
  bool failed() const { return !violations_.empty(); }

  const std::vector<Violation>& violations() const { return violations_; }
  const std::vector<Life>& lives() const { return lives_; }
  Life& life(int number) { return lives_[static_cast<size_t>(number)]; }
  const Trace& trace() const { return trace_; }

 private:
  struct Sending {
    int senders = 0;
    int first = 0;     // messages submitted once
    int budgeted = 0;  // submissions beyond a message's second
  };

  bool Known(int number) const {
    return number >= 0 && static_cast<size_t>(number) < lives_.size();
  }
  void CheckCopy(const Message& message, int number);
  void CheckOrder(int number);
  void CheckLate(const Message& message, int number);
  void CheckBudget(int number);
  void CheckStamp(const Message& message, int number, int place, int process);

  const Timeline* const timeline_;
  Trace trace_;
  std::vector<Life> lives_;
  std::vector<Violation> violations_;
  // By producer and key: the latest message that took effect.
  std::map<std::pair<int, int>, int> in_effect_;
  std::set<std::string, std::less<>> ids_;
  std::map<uint64_t, int> bound_;      // generation to place
  std::map<int, uint64_t> submitted_;  // process to its latest generation
  std::set<int> may_be_late_from_;     // places
  std::set<int> drained_;              // places
  int kills_ = 0;
  bool suppresses_ = false;
  bool spools_ = false;
  bool retains_ = false;
  int replays_ = 0;  // how often what is retained may have been sent again
  bool behind_ = false;
  RetryBudgetOptions budget_;
  std::map<int, Sending> sendings_;  // by producer
};

}  // namespace tieline::sim

#endif  // TIELINE_TESTS_SIM_LEDGER_H_
