#include "tests/sim/connection.h"

#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "tests/sim/handles.h"
#include "tests/sim/process.h"

namespace tieline::sim {
namespace {

// Answers that one turn hears, at most.
constexpr int kAnswersATurn = 32;

}  // namespace

SimConnection::SimConnection(SimBroker* broker, Process* process,
                             driver::ConnectionSink* sink, driver::Waker* waker)
    : broker_(broker), process_(process), sink_(sink), waker_(waker) {
  session_ = broker->Connect(this);
  number_ = process_->Joined(waker_);
}

SimConnection::~SimConnection() {
  session_->client = nullptr;
  process_->Left(number_);
  // The broker hears of it as of a closed socket, or not before long.
  if (!session_->gone) {
    broker_->Cut(*session_, absl::ZeroDuration(),
                 broker_->rng().Chance(80) ? absl::Milliseconds(5)
                                           : broker_->traits().lock);
  }
}

SimHandle* SimConnection::Find(uint32_t handle) const {
  const auto it = handles_.find(handle);
  return it == handles_.end() ? nullptr : it->second;
}

void SimConnection::Hear(Answer answer) {
  if (over_) return;
  inbox_.push_back(std::move(answer));
  waker_->Wake();
  process_->Touch();
}

driver::Progress SimConnection::Run(absl::Time now) {
  driver::Progress progress;
  if (over_) return progress;
  if (process_->is_dying() || now >= close_by_) {
    BeLost(close_by_ != absl::InfiniteFuture()
               ? absl::OkStatus()
               : absl::UnavailableError("the process ends"));
    return progress;
  }
  for (int i = 0; i < kAnswersATurn && !inbox_.empty() && !over_; ++i) {
    Answer answer = std::move(inbox_.front());
    inbox_.pop_front();
    answer(*this);
    progress.worked = true;
  }
  progress.next = close_by_;
  return progress;
}

absl::StatusOr<std::unique_ptr<driver::SenderDriver>> SimConnection::OpenSender(
    const driver::SenderSpec& spec, driver::SenderSink* sink) {
  if (over_) ledger().Violate(0, -1, "a sender is opened on a lost connection");
  const uint32_t id = next_handle_++;
  auto sender = std::make_unique<SimSender>(
      this, id, sink, absl::EndsWith(spec.queue.entity, ".dead-letter"));
  handles_[id] = sender.get();
  session_->Up([s = session_, id, entity = spec.queue.entity] {
    s->broker->Open(*s, id, entity, false);
  });
  return sender;
}

absl::StatusOr<std::unique_ptr<driver::ReceiverDriver>>
SimConnection::OpenReceiver(const driver::ReceiverSpec& spec,
                            driver::ReceiverSink* sink) {
  if (over_) {
    ledger().Violate(0, -1, "a receiver is opened on a lost connection");
  }
  const uint32_t id = next_handle_++;
  auto receiver = std::make_unique<SimReceiver>(this, id, sink);
  handles_[id] = receiver.get();
  session_->Up([s = session_, id, entity = spec.queue.entity] {
    s->broker->Open(*s, id, entity, true);
  });
  return receiver;
}

void SimConnection::Ask(uint64_t cookie, driver::Request request) {
  asked_.insert(cookie);
  session_->Up([s = session_, cookie, request = std::move(request)] {
    s->broker->Ask(*s, cookie, request);
  });
}

void SimConnection::Close(absl::Time deadline) {
  close_by_ = deadline;
  session_->Up([s = session_] {
    s->broker->Forget(*s);
    s->Down([](SimConnection& c) { c.BeLost(absl::OkStatus()); });
  });
}

void SimConnection::BeUp() { sink_->OnUp(broker_->capabilities()); }

void SimConnection::BeLost(const absl::Status& why) {
  over_ = true;
  inbox_.clear();
  const std::map<uint32_t, SimHandle*> handles = handles_;
  for (const auto& [id, handle] : handles) {
    if (Find(id) != nullptr) handle->Lose();
  }
  for (const uint64_t cookie : std::exchange(asked_, {})) {
    driver::Reply reply;
    reply.cookie = cookie;
    reply.status = absl::UnavailableError("the connection was lost");
    sink_->OnReply(std::move(reply));
  }
  sink_->OnLost(why);
}

void SimConnection::BeAnswered(driver::Reply reply) {
  if (asked_.erase(reply.cookie) == 0) return;
  sink_->OnReply(std::move(reply));
}

}  // namespace tieline::sim
