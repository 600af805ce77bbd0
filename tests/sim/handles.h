// SimSender and SimReceiver: what the core sends to and receives from. They
// remember what has no answer yet, give each its one answer, and check what the
// core asks of them.
#ifndef TIELINE_TESTS_SIM_HANDLES_H_
#define TIELINE_TESTS_SIM_HANDLES_H_

#include <cstdint>
#include <map>
#include <utility>
#include <vector>

#include "tests/sim/connection.h"

namespace tieline::sim {

class SimSender final : public driver::SenderDriver, public SimHandle {
 public:
  SimSender(SimConnection* connection, uint32_t id, driver::SenderSink* sink,
            bool dead_letters)
      : connection_(connection),
        id_(id),
        sink_(sink),
        dead_letters_(dead_letters) {}
  // What has no answer is in doubt.
  ~SimSender() override;

  size_t Submit(std::span<const driver::Outbound> batch, bool atomic) override;
  void Close() override;
  void Lose() override;

  // ---- Answers.
  void BeOpened(const Capabilities& capabilities);
  void BeAnswered(const std::vector<driver::Outcome>& outcomes);
  void BeClosed(const absl::Status& why);

 private:
  SimConnection* const connection_;
  const uint32_t id_;
  std::vector<driver::Outcome> GiveUp();

  driver::SenderSink* const sink_;
  const bool dead_letters_;             // to a dead-letter entity
  std::map<uint64_t, int> unanswered_;  // cookie to number
  bool open_ = false;
  bool closing_ = false;
  bool closed_ = false;
  bool blocked_ = false;
};

class SimReceiver final : public driver::ReceiverDriver, public SimHandle {
 public:
  SimReceiver(SimConnection* connection, uint32_t id,
              driver::ReceiverSink* sink)
      : connection_(connection), id_(id), sink_(sink) {}
  ~SimReceiver() override { connection_->Forget(id_); }

  void Grant(driver::Lane lane, uint32_t messages, uint64_t bytes) override;
  void Drain() override;
  void Settle(std::span<const driver::Settlement> settlements) override;
  void DropLane(driver::Lane lane, uint32_t epoch) override;
  void Close() override;
  void Lose() override;

  // ---- Answers.
  void BeOpened(const Capabilities& capabilities);
  void BeGiven(std::vector<driver::Inbound> deliveries);
  void BeSettled(const std::vector<driver::Settled>& settled);
  void BeTold(const driver::LaneEvent& event);
  void BeDrained();
  void BeClosed(const absl::Status& why);

 private:
  using Key = std::pair<uint64_t, uint64_t>;  // lane and epoch, id
  static Key KeyOf(const driver::Token& token);

  SimConnection* const connection_;
  const uint32_t id_;
  driver::ReceiverSink* const sink_;
  std::map<Key, int> in_hand_;  // delivered and not settled: the number
  std::map<Key, driver::Settlement> unanswered_;
  std::map<uint32_t, uint32_t> epochs_;  // of the lanes that are open
  bool open_ = false;
  bool closing_ = false;
  bool closed_ = false;
};

}  // namespace tieline::sim

#endif  // TIELINE_TESTS_SIM_HANDLES_H_
