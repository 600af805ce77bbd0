// LockQueue: a queue whose messages are locked while somebody has them, as
// Service Bus's: locks expire, what comes back goes to its old place, past its
// attempts it is dead-lettered. Where it keeps order by key, the messages of a
// key are in one reader's hands at a time.
#ifndef TIELINE_TESTS_SIM_LOCK_QUEUE_H_
#define TIELINE_TESTS_SIM_LOCK_QUEUE_H_

#include <cstdint>
#include <map>
#include <string>

#include "tests/sim/entity.h"

namespace tieline::sim {

class LockQueue final : public Entity {
 public:
  LockQueue(Context context, bool ordered)
      : Entity(context), ordered_(ordered) {}

  void AddReader(Reader* reader, absl::Time now, const Tell& tell) override;
  void RemoveReader(uint64_t reader, absl::Time now, const Tell& tell) override;
  bool Take(Reader& reader, absl::Time now, driver::Inbound* out) override;
  driver::Settled Settle(Reader& reader, const driver::Settlement& settlement,
                         absl::Time now) override;
  void DropLane(uint64_t, driver::Lane, uint32_t, absl::Time,
                const Tell&) override {}
  bool Rebalance(int, absl::Time, absl::Duration, const Tell&) override {
    return false;
  }
  void Expire(absl::Time now, const Tell& tell) override;
  absl::Time next(absl::Time now) const override;
  int64_t undrained() const override {
    return static_cast<int64_t>(ready_.size() + locked_.size());
  }
  void Lose() override;

 private:
  struct Locked {
    Copy copy;
    uint64_t reader = 0;
    absl::Time until;
  };
  // Whose hands a key is in, and how many of it.
  struct Holder {
    uint64_t reader = 0;
    int count = 0;
  };

  void Put(Copy copy) override {
    ready_.emplace(copy.position, std::move(copy));
  }
  void Leave(const Locked& locked);
  // It is ready again, or past its attempts.
  void Return(Locked locked, bool counts);

  const bool ordered_;
  std::map<int64_t, Copy> ready_;       // by position
  std::map<uint64_t, Locked> locked_;   // by token
  std::map<std::string, Holder> held_;  // by key
  uint64_t next_token_ = 1;
};

}  // namespace tieline::sim

#endif  // TIELINE_TESTS_SIM_LOCK_QUEUE_H_
