// MemorySender: hands batches to an entity and keeps the answers until Run.
// Threads: those of its connection.
#ifndef TIELINE_ADAPTERS_MEMORY_SENDER_H_
#define TIELINE_ADAPTERS_MEMORY_SENDER_H_

#include <cstdint>
#include <deque>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include "adapters/memory/connection.h"

namespace tieline::inline v0 {
namespace memory {

class MemorySender final : public driver::SenderDriver, public Handle {
 public:
  MemorySender(MemoryConnection* connection, QueueConfig queue,
               driver::SenderSink* sink);
  ~MemorySender() override;

  size_t Submit(std::span<const driver::Outbound> batch, bool atomic) override;
  void Close() override;

  bool Step() override;
  void Finish(bool in_order) override;
  Nanos Due() override;

 private:
  enum class State : uint8_t { kOpening, kOpen, kClosing, kClosed };

  void Open();
  // Makes answers late when the broker is slow, and keeps their order.
  // Answers come when it is `due`, in their order; 0: at once.
  void HoldBack(Nanos due);
  void Tell();
  void GiveUp(const absl::Status& why);
  void CloseWith(const absl::Status& why);

  const QueueConfig queue_;
  driver::SenderSink* const sink_;
  Entity entity_;
  State state_ = State::kOpening;
  bool blocked_ = false;  // Submit took less than it was given
  // A message was not taken, and the sink doesn't know yet: what comes behind
  // it is not taken either, so that order holds.
  bool refusing_ = false;
  driver::Outcome refusal_;
  std::vector<driver::Outcome> outcomes_;
  std::vector<driver::Outcome> telling_;
  std::deque<std::pair<Nanos, driver::Outcome>> delayed_;
  std::vector<uint64_t> lost_;  // cookies whose answer never comes
  std::shared_ptr<Vacancy> vacancy_;
};

}  // namespace memory
}  // namespace tieline::inline v0

#endif  // TIELINE_ADAPTERS_MEMORY_SENDER_H_
