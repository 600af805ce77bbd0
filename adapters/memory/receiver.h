// MemoryReceiver: takes what a queue has, as far as it was granted.
// Threads: those of its connection.
#ifndef TIELINE_ADAPTERS_MEMORY_RECEIVER_H_
#define TIELINE_ADAPTERS_MEMORY_RECEIVER_H_

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "adapters/memory/connection.h"

namespace tieline::inline v0 {
namespace memory {

class MemoryReceiver final : public driver::ReceiverDriver, public Handle {
 public:
  MemoryReceiver(MemoryConnection* connection, QueueConfig queue,
                 driver::ReceiverSink* sink);
  ~MemoryReceiver() override;

  void Grant(driver::Lane lane, uint32_t messages, uint64_t bytes) override;
  void Drain() override;
  void Settle(std::span<const driver::Settlement> settlements) override;
  absl::Status AcceptLane(std::string_view name) override;
  void DropLane(driver::Lane lane, uint32_t epoch) override;
  void Close() override;

  bool Step() override;
  void Finish(bool in_order) override;
  Nanos Due() override;

  absl::Status TakeDeferred(const driver::Request& request,
                            std::vector<driver::Inbound>* out);

 private:
  enum class State : uint8_t { kOpening, kOpen, kClosing, kClosed };

  void Open();
  void TellSettled();
  void TellLanes();
  // True when there may be more.
  bool Deliver();
  void DeliverLane(uint32_t lane);
  // Delivers what a slow broker held back, when its time has come.
  void DeliverLate();
  // The same was taken from a lane that is closed: it is not delivered.
  void DropLate(uint32_t lane);
  Credit* CreditOf(uint32_t lane);
  void Leave(bool lost);
  void CloseWith(const absl::Status& why);

  const QueueConfig config_;
  driver::ReceiverSink* const sink_;
  std::shared_ptr<Queue> queue_;
  Consumer consumer_;
  State state_ = State::kOpening;
  bool draining_ = false;
  Credit credit_;
  std::map<uint32_t, Credit> lane_credit_;
  std::map<uint32_t, uint32_t> lanes_;  // open ones, with their epochs
  std::vector<std::string> accepting_;  // asked for before it was open
  std::vector<driver::Inbound> inbound_;
  std::deque<std::pair<Nanos, driver::Inbound>> late_;  // when, what
  std::vector<driver::Settled> settled_;
  std::vector<driver::Settled> telling_;
};

}  // namespace memory
}  // namespace tieline::inline v0

#endif  // TIELINE_ADAPTERS_MEMORY_RECEIVER_H_
