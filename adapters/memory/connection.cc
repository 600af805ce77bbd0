#include "adapters/memory/connection.h"

#include <algorithm>

#include "adapters/memory/receiver.h"
#include "adapters/memory/sender.h"
#include "lib/base/status.h"

namespace tieline::inline v0 {
namespace memory {

using driver::Progress;
using driver::Reply;
using driver::Request;

MemoryConnection::MemoryConnection(std::shared_ptr<LocalBroker> broker,
                                   const BrokerConfig& config,
                                   driver::ConnectionSink* sink,
                                   driver::Waker* waker)
    : broker_(std::move(broker)),
      config_(config),
      sink_(sink),
      bell_(std::make_shared<Doorbell>(waker)) {
  broker_->Join(bell_);
}

MemoryConnection::~MemoryConnection() {
  broker_->Leave(bell_);
  bell_->Silence();
  for (Handle* handle : handles_) handle->connection_ = nullptr;
}

void MemoryConnection::MarkReady(Handle* handle) {
  if (handle->ready) return;
  handle->ready = true;
  ready_.push_back(handle);
}

void MemoryConnection::Forget(Handle* handle) {
  std::erase(handles_, handle);
  std::erase(ready_, handle);
}

absl::StatusOr<Entity> MemoryConnection::Resolve(const QueueConfig& queue) {
  if (!queue.create && !broker_->options().auto_create) {
    return broker_->Resolve(queue.entity, nullptr);
  }
  TIELINE_ASSIGN_OR_RETURN(EntityOptions options,
                           OptionsFrom(queue, broker_->options().defaults));
  return broker_->Resolve(queue.entity, &options);
}

absl::StatusOr<std::unique_ptr<driver::SenderDriver>>
MemoryConnection::OpenSender(const driver::SenderSpec& spec,
                             driver::SenderSink* sink) {
  auto sender = std::make_unique<MemorySender>(this, spec.queue, sink);
  handles_.push_back(sender.get());
  MarkReady(sender.get());
  return sender;
}

absl::StatusOr<std::unique_ptr<driver::ReceiverDriver>>
MemoryConnection::OpenReceiver(const driver::ReceiverSpec& spec,
                               driver::ReceiverSink* sink) {
  if (spec.browse) {
    return absl::UnimplementedError(
        "memory: receivers can't browse; peek instead");
  }
  auto receiver = std::make_unique<MemoryReceiver>(this, spec.queue, sink);
  handles_.push_back(receiver.get());
  MarkReady(receiver.get());
  return receiver;
}

void MemoryConnection::Ask(uint64_t cookie, Request request) {
  asked_.emplace_back(cookie, std::move(request));
}

void MemoryConnection::Close(absl::Time deadline) {
  if (state_ == State::kOver) return;
  state_ = State::kClosing;
  close_deadline_ = std::min(close_deadline_, deadline);
}

void MemoryConnection::Begin() {
  if (absl::Status admitted = broker_->Admit(config_.auth); !admitted.ok()) {
    End(admitted, false);
    return;
  }
  state_ = State::kUp;
  sink_->OnUp(MemoryCapabilities());
}

void MemoryConnection::End(const absl::Status& why, bool in_order) {
  for (size_t i = 0; i < handles_.size(); ++i) handles_[i]->Finish(in_order);
  for (auto& [cookie, request] : std::exchange(asked_, {})) {
    Reply reply;
    reply.cookie = cookie;
    reply.status = absl::UnavailableError("the connection went first");
    sink_->OnReply(std::move(reply));
  }
  state_ = State::kOver;
  sink_->OnLost(why);
}

Progress MemoryConnection::Run(absl::Time now) {
  if (state_ == State::kOver) return {};
  if (bell_->dropped()) {
    End(absl::UnavailableError("memory://" + broker_->name() +
                               ": the connection was dropped"),
        false);
    return {true};
  }
  // Taken in any case: a bell that is rung already wakes nobody.
  rung_ |= bell_->TakeRing();
  if (broker_->stalled()) {
    if (state_ == State::kClosing && now >= close_deadline_) {
      End(absl::OkStatus(), false);
      return {true};
    }
    return {false, close_deadline_};
  }
  Progress progress;
  if (state_ == State::kConnecting) {
    Begin();
    if (state_ == State::kOver) return {true};
    progress.worked = true;
  }
  if (std::exchange(rung_, false)) {
    for (Handle* handle : handles_) MarkReady(handle);
  }
  absl::Duration wait = MarkDue();
  progress.worked |= RunHandles();
  // What a slow broker began to hold back just now.
  if (broker_->delay() > 0) wait = std::min(wait, MarkDue());
  for (auto& [cookie, request] : std::exchange(asked_, {})) {
    Reply reply = Answer(request);
    reply.cookie = cookie;
    sink_->OnReply(std::move(reply));
    progress.worked = true;
  }
  if (state_ == State::kClosing) {
    End(absl::OkStatus(), true);
    return {true};
  }
  progress.next = now + wait;
  return progress;
}

// Times at the broker are by its own clock, which need not be the caller's.
absl::Duration MemoryConnection::MarkDue() {
  absl::Duration wait = absl::InfiniteDuration();
  for (Handle* handle : handles_) {
    const Nanos due = handle->Due();
    if (due == kNever) continue;
    const absl::Duration ahead = absl::FromUnixNanos(due) - broker_->Steady();
    if (ahead <= absl::ZeroDuration()) MarkReady(handle);
    wait = std::min(wait, ahead);
  }
  return wait;
}

bool MemoryConnection::RunHandles() {
  if (ready_.empty()) return false;
  running_.swap(ready_);
  for (Handle* handle : running_) {
    handle->ready = false;
    if (handle->Step()) MarkReady(handle);
  }
  running_.clear();
  return !ready_.empty();
}

Reply MemoryConnection::Answer(Request& request) {
  using Op = Request::Op;
  Reply reply;
  switch (request.op) {
    case Op::kPing:
    case Op::kListEntities:
    case Op::kCreateEntity:
    case Op::kDeleteEntity:
      return Fulfil(*broker_, nullptr, request);
    case Op::kReceiveDeferred:
      if (request.receiver == nullptr) {
        reply.status = InvalidArgument("receive deferred: no receiver");
        return reply;
      }
      reply.status = static_cast<MemoryReceiver*>(request.receiver)
                         ->TakeDeferred(request, &reply.inbound);
      return reply;
    default:
      break;
  }
  absl::StatusOr<Entity> entity =
      broker_->Resolve(request.queue.entity, nullptr);
  if (!entity.ok()) {
    reply.status = entity.status();
    return reply;
  }
  return Fulfil(*broker_, &*entity, request);
}

}  // namespace memory
}  // namespace tieline::inline v0
