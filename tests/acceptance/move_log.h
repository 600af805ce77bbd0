// EventLog: what a process that moves a queue did, in a file that outlives its
// kill. Each record is written by itself before the next step is taken, and the
// kernel has it from then on; incarnations of one process write one after the
// other.
#ifndef TIELINE_TESTS_ACCEPTANCE_MOVE_LOG_H_
#define TIELINE_TESTS_ACCEPTANCE_MOVE_LOG_H_

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace tieline::move_check {

enum class Step : uint8_t {
  kStarted = 1,   // an incarnation
  kApplied = 2,   // `number`: the generation of a config that was applied
  kEnded = 3,     // the move to that generation has ended
  kIntended = 4,  // message `number` is about to be given to the sender
  kAccepted = 5,  // `attempts`: submissions
  kFailed = 6,    // nor will it be: `flags` is the SendState
  kHandling = 7,  // its effect, with `flags`
  kHandled = 8,   // its handler is about to complete it
  kSettled = 9,   // the broker has answered the completion
};

constexpr uint8_t kLate = 1;
constexpr uint8_t kRedelivered = 2;
constexpr uint8_t kOtherId = 4;  // not the id that it was sent with

struct Record {
  Step step = Step::kStarted;
  uint8_t flags = 0;
  uint16_t attempts = 0;
  uint32_t ms = 0;  // wall clock, the low bits
  uint64_t number = 0;
};
// No page of the file ends within one: a kill leaves whole records.
static_assert(sizeof(Record) == 16);

// Threads: any.
class EventLog {
 public:
  // Goes on at the end of the file. kInternal: the system's error.
  static absl::StatusOr<EventLog> Open(const std::string& path);
  EventLog(EventLog&& other) noexcept;
  EventLog& operator=(EventLog&&) = delete;
  ~EventLog();

  // Returns when the kernel has it. Where it can't be written the process ends:
  // what is not logged must not happen.
  void Write(Record record) const { Write(std::span(&record, 1)); }
  void Write(std::span<Record> records) const;

 private:
  explicit EventLog(int fd) : fd_(fd) {}
  int fd_;
};

// All that is there; nothing where there is no file.
std::vector<Record> ReadLog(const std::string& path);

}  // namespace tieline::move_check

#endif  // TIELINE_TESTS_ACCEPTANCE_MOVE_LOG_H_
