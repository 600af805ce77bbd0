// LaneTable: the lanes of a receiver, what is unsettled on each, and the credit
// that all have together.
//
// Threads: none of its own; ReceiverLeg::mu_ guards it. A message costs no
// look-up as long as its lane is that of the one before.
#ifndef TIELINE_LIB_ENGINE_LANE_TABLE_H_
#define TIELINE_LIB_ENGINE_LANE_TABLE_H_

#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/node_hash_map.h"
#include "absl/time/time.h"
#include "tieline/driver/types.h"

namespace tieline::inline v0 {

class LaneTable {
 public:
  using Drop = std::pair<driver::Lane, uint32_t>;  // lane, epoch

  // The bounds of what is granted and unsettled. `number` is the leg's, the
  // upper byte of its incarnations.
  LaneTable(uint32_t credit, uint64_t credit_bytes, uint8_t number)
      : credit_(credit),
        credit_bytes_(credit_bytes),
        incarnation_(uint32_t{number} << kNumberShift) {}
  static uint8_t NumberOf(uint32_t incarnation) {
    return static_cast<uint8_t>(incarnation >> kNumberShift);
  }

  // Grows with every lost connection or link, below the leg's number: tokens of
  // an earlier one are stale.
  uint32_t incarnation() const { return incarnation_; }
  // The token may be settled: its lane is open, too.
  bool IsCurrent(const driver::Token& token, uint32_t incarnation);
  // The token is its lane's, which may be closing.
  bool HasEpoch(const driver::Token& token, uint32_t incarnation);
  // By lane; "" when there is none.
  std::string Name(driver::Lane lane) const;
  uint64_t unsettled() const { return unsettled_; }
  uint32_t stalled() const { return stalled_; }

  // Delivered against credit, or (deferred messages) beside it.
  void Arrived(const driver::Inbound& inbound);
  void ArrivedOnCredit(std::span<const driver::Inbound> inbound);
  // `n` of the lane's messages are settled or the broker's again.
  void Settled(driver::Lane lane, uint32_t n);
  void Apply(const driver::LaneEvent& event);
  void Forget(driver::Lane number);
  // Closing lanes to hand back: nothing of theirs is unsettled, or their time
  // has passed. Returns when the next one's does.
  absl::Time TakeClosed(absl::Time now, std::vector<Drop>* drop);

  // What may be granted beyond what is granted and unsettled; counted as
  // granted. False when it is too little to bother.
  bool TakeGrant(uint64_t* messages, uint64_t* bytes);
  // All that was granted came back.
  void Drained() { granted_ = granted_bytes_ = 0; }
  // The connection or link is gone: a new incarnation, with nothing.
  void Reset();

 private:
  static constexpr int kNumberShift = 24;

  struct Info {
    uint32_t epoch = 0;
    bool announced = false;  // by an event; a plain receiver's lane is not
    bool open = false;
    bool closing = false;
    bool stalled = false;
    uint32_t unsettled = 0;
    absl::Time until = absl::InfiniteFuture();
    std::string name;
  };

  Info& Of(driver::Lane lane);
  Info* Find(driver::Lane lane);
  void Settled(Info& lane, uint32_t n);

  const uint32_t credit_;
  const uint64_t credit_bytes_;
  uint32_t incarnation_;
  absl::node_hash_map<uint32_t, Info> lanes_;
  Info* last_ = nullptr;
  uint32_t last_number_ = 0;
  bool closing_ = false;
  uint32_t stalled_ = 0;
  uint64_t granted_ = 0;
  uint64_t granted_bytes_ = 0;
  uint64_t unsettled_ = 0;
  uint64_t unsettled_bytes_ = 0;
};

}  // namespace tieline::inline v0

#endif  // TIELINE_LIB_ENGINE_LANE_TABLE_H_
