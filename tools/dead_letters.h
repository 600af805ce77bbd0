// The dead letters of a queue: where they are, which there are, and which of
// them a command means. `tieline dlq` is made of this.
//
// Threads: one at a time; calls to the bus block.
#ifndef TIELINE_TOOLS_DEAD_LETTERS_H_
#define TIELINE_TOOLS_DEAD_LETTERS_H_

#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "lib/dead_letters.h"
#include "tieline/bus.h"

namespace tieline::tools {

struct DeadLetterPlace {
  DeadLetterKind kind = DeadLetterKind::kCopy;
  std::string source;  // the entity whose dead letters are meant
  std::string entity;  // where they are
  std::string queue;   // the name in the config by which they are received
  // Of the broker's kind: dead letters are settled one by one; they can be
  // looked at without being taken, and have ids.
  bool settles_singly = true;
  bool can_look = true;
};

// Finds the place for `queue` of the config, and adds it to the config as a
// queue. AMQP brokers are asked what they are. kNotFound: there is no such
// place; kDeadlineExceeded and what the broker answers.
absl::StatusOr<DeadLetterPlace> AddDeadLetterPlace(const std::string& queue,
                                                   absl::Duration timeout,
                                                   Config* config);

// One that is there.
struct DeadLetter {
  std::string id;  // empty: it has none
  int32_t partition = 0;
  bool is_of_source = true;  // else another queue's, at the same place
  const driver::Inbound* inbound = nullptr;
  DeadLetterMarks marks;
};
DeadLetter DeadLetterOf(const DeadLetterPlace& place,
                        const driver::Inbound& inbound, int32_t partition);

// Looks at what is there, in the order of each partition, until `see` says
// false. Takes nothing. kUnimplemented where the broker can't; a place that is
// not there is empty.
absl::Status LookAtDeadLetters(
    Bus* bus, const DeadLetterPlace& place, absl::Duration timeout,
    const std::function<bool(const DeadLetter&)>& see);

// Which dead letters a command takes: those with the ids, or without any the
// oldest `most`. It is shown what is there, and then says what is wrong.
class DeadLetterChoice {
 public:
  DeadLetterChoice(std::vector<std::string> ids, uint64_t most,
                   const DeadLetterPlace& place);

  // In the order of each partition. False: the rest need not be shown.
  bool See(const DeadLetter& letter);
  // kNotFound: ids that are not there; kFailedPrecondition: where a place
  // settles in order, ids that have others before them.
  absl::Status Check() const;

  bool Has(const std::string& id) const { return chosen_.count(id) != 0; }
  // Only after Check.
  size_t size() const { return chosen_.size(); }
  // There are more than `most`.
  bool has_more() const { return has_more_; }

 private:
  const uint64_t most_;
  const bool in_order_;
  std::set<std::string> missing_;  // asked for and not seen yet
  const bool takes_all_;
  std::set<std::string> chosen_;
  bool has_more_ = false;
  // By partition: the first that was passed over.
  std::map<int32_t, std::string> passed_over_;
  std::string out_of_order_;  // what is wrong, once it is
};

}  // namespace tieline::tools

#endif  // TIELINE_TOOLS_DEAD_LETTERS_H_
