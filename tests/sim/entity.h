// Entity: what a simulated broker keeps under a name, and the readers on it.
// LockQueue (lock_queue.h) is a queue with locks, LogTopic (log_topic.h) a log
// with partitions and a watermark a group. Both are told the time.
#ifndef TIELINE_TESTS_SIM_ENTITY_H_
#define TIELINE_TESTS_SIM_ENTITY_H_

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/time/time.h"
#include "tests/sim/ledger.h"
#include "tieline/driver/types.h"
#include "tieline/message.h"

namespace tieline::sim {

// One copy of a message on a broker.
struct Copy {
  Message message;
  int number = -1;  // Ledger's
  int64_t position = 0;
  uint32_t attempts = 0;
  int deliveries = 0;
  absl::Time expires = absl::InfiniteFuture();
  absl::Time visible =
      absl::InfinitePast();  // accepted, and held back till then
};

// The broker's side of a receiver.
struct Reader {
  uint64_t id = 0;  // unique on the broker
  uint64_t messages = 0;
  uint64_t bytes = 0;
  bool HasCredit() const { return messages > 0 && bytes > 0; }
};

class Entity {
 public:
  struct Context {
    Ledger* ledger = nullptr;
    int place = 0;
    absl::Duration lock = absl::Seconds(30);
    uint32_t most_attempts = 10;
  };
  // Lane events for a reader, in the order in which they happen.
  using Tell = std::function<void(uint64_t reader, const driver::LaneEvent&)>;

  explicit Entity(Context context) : context_(context) {}
  virtual ~Entity() = default;

  void Store(Copy copy);
  virtual void AddReader(Reader* reader, absl::Time now, const Tell& tell) = 0;
  // What it holds is the entity's again.
  virtual void RemoveReader(uint64_t reader, absl::Time now,
                            const Tell& tell) = 0;
  // What is next for this reader, which has credit; false: nothing.
  virtual bool Take(Reader& reader, absl::Time now, driver::Inbound* out) = 0;
  virtual driver::Settled Settle(Reader& reader,
                                 const driver::Settlement& settlement,
                                 absl::Time now) = 0;
  virtual void DropLane(uint64_t reader, driver::Lane lane, uint32_t epoch,
                        absl::Time now, const Tell& tell) = 0;
  // Takes a lane from whoever has it, once it was handed back or `grace` is
  // over; false: there is nothing to take. At once, as a fault: no grace.
  virtual bool Rebalance(int lane, absl::Time now, absl::Duration grace,
                         const Tell& tell) = 0;
  // Does what is due: locks that expire, lanes that were not handed back.
  virtual void Expire(absl::Time now, const Tell& tell) = 0;
  // When Expire or Take may next have something to do.
  virtual absl::Time next(absl::Time now) const = 0;
  // There and not settled, in anybody's hands or not.
  virtual int64_t undrained() const = 0;
  // All data is gone.
  virtual void Lose() = 0;

  const std::map<uint64_t, Reader*>& readers() const { return readers_; }

 protected:
  virtual void Put(Copy copy) = 0;
  void Deliver(Copy& copy, Reader& reader, driver::Inbound* out);
  Ledger& ledger() const { return *context_.ledger; }
  const Context& context() const { return context_; }
  static std::string KeyOf(const Copy& copy) {
    return std::string(copy.message.key());
  }

  std::map<uint64_t, Reader*> readers_;

 private:
  const Context context_;
  int64_t next_position_ = 0;
};

}  // namespace tieline::sim

#endif  // TIELINE_TESTS_SIM_ENTITY_H_
