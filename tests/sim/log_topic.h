// LogTopic: a log with partitions, one group that reads it, and a watermark a
// partition, as Kafka's: partitions go to readers as lanes with epochs, can be
// taken away from them, and are read again from the watermark.
#ifndef TIELINE_TESTS_SIM_LOG_TOPIC_H_
#define TIELINE_TESTS_SIM_LOG_TOPIC_H_

#include <cstddef>
#include <cstdint>
#include <set>
#include <vector>

#include "tests/sim/entity.h"

namespace tieline::sim {

class LogTopic final : public Entity {
 public:
  LogTopic(Context context, int partitions)
      : Entity(context), partitions_(static_cast<size_t>(partitions)) {}

  void AddReader(Reader* reader, absl::Time now, const Tell& tell) override;
  void RemoveReader(uint64_t reader, absl::Time now, const Tell& tell) override;
  bool Take(Reader& reader, absl::Time now, driver::Inbound* out) override;
  driver::Settled Settle(Reader& reader, const driver::Settlement& settlement,
                         absl::Time now) override;
  void DropLane(uint64_t reader, driver::Lane lane, uint32_t epoch,
                absl::Time now, const Tell& tell) override;
  bool Rebalance(int lane, absl::Time now, absl::Duration grace,
                 const Tell& tell) override;
  void Expire(absl::Time now, const Tell& tell) override;
  absl::Time next(absl::Time now) const override;
  int64_t undrained() const override;
  void Lose() override;

 private:
  struct Partition {
    std::vector<Copy> log;
    size_t watermark = 0;       // all before it is completed
    size_t position = 0;        // the next to be delivered
    std::set<size_t> done;      // completed above the watermark
    std::set<size_t> returned;  // delivered, and given back
    uint64_t reader = 0;        // 0: nobody's
    uint32_t epoch = 0;
    bool closing = false;
    absl::Time until = absl::InfiniteFuture();
  };

  void Put(Copy copy) override;
  void Assign(const Tell& tell);
  void Close(size_t number, bool is_fault, const Tell& tell);
  driver::LaneEvent Event(size_t number, driver::LaneState state) const;

  std::vector<Partition> partitions_;
  uint64_t turn_ = 0;
};

}  // namespace tieline::sim

#endif  // TIELINE_TESTS_SIM_LOG_TOPIC_H_
