// SimConnection: the client's end of a session, and with its handles the driver
// that the core sees. It also checks what the core does against the contracts
// of the SPI.
#ifndef TIELINE_TESTS_SIM_CONNECTION_H_
#define TIELINE_TESTS_SIM_CONNECTION_H_

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <set>

#include "tests/sim/broker.h"
#include "tests/sim/session.h"
#include "tieline/driver/driver.h"

namespace tieline::sim {

class Process;

// A sender or receiver on a connection.
class SimHandle {
 public:
  virtual ~SimHandle() = default;
  // The connection is lost: what was asked gets its answer.
  virtual void Lose() = 0;
};

class SimConnection final : public driver::Connection {
 public:
  SimConnection(SimBroker* broker, Process* process,
                driver::ConnectionSink* sink, driver::Waker* waker);
  ~SimConnection() override;

  driver::PollSet pollable() const override { return {}; }
  driver::Progress Run(absl::Time now) override;
  absl::StatusOr<std::unique_ptr<driver::SenderDriver>> OpenSender(
      const driver::SenderSpec& spec, driver::SenderSink* sink) override;
  absl::StatusOr<std::unique_ptr<driver::ReceiverDriver>> OpenReceiver(
      const driver::ReceiverSpec& spec, driver::ReceiverSink* sink) override;
  void Ask(uint64_t cookie, driver::Request request) override;
  void Close(absl::Time deadline) override;

  // An answer has come; it is done when the core runs the connection.
  void Hear(Answer answer);
  // The handle of this number; null: it is gone.
  SimHandle* Find(uint32_t handle) const;
  void Forget(uint32_t handle) { handles_.erase(handle); }
  // ---- Answers to the connection itself.
  void BeUp();
  void BeLost(const absl::Status& why);
  void BeAnswered(driver::Reply reply);

  Session& session() { return *session_; }
  SimBroker& broker() { return *broker_; }
  Process& process() { return *process_; }
  Ledger& ledger() { return broker_->ledger(); }

 private:
  SimBroker* const broker_;
  Process* const process_;
  driver::ConnectionSink* const sink_;
  driver::Waker* const waker_;
  Session* session_ = nullptr;
  uint64_t number_ = 0;  // in its process
  std::deque<Answer> inbox_;
  std::map<uint32_t, SimHandle*> handles_;
  std::set<uint64_t> asked_;
  uint32_t next_handle_ = 1;
  absl::Time close_by_ = absl::InfiniteFuture();
  bool over_ = false;
};

}  // namespace tieline::sim

#endif  // TIELINE_TESTS_SIM_CONNECTION_H_
