// What a SendQueue does for the spool: messages that it was given go there, and
// come back as batches of the spool's.
//
// A message that is in the spool has its final result. Queues that still point
// to it drop it when they come to it, as they do with what has expired.
#include <algorithm>
#include <utility>

#include "lib/engine/send_queue.h"

namespace tieline::inline v0 {

std::vector<SendResult*> SendQueue::BegunOwn() const {
  std::vector<SendResult*> begun = Begun();
  std::erase_if(begun,
                [](const SendResult* r) { return r->batch_->from_spool; });
  return begun;
}

std::vector<SendBatchState*> SendQueue::TakeUnbegun() {
  std::vector<SendBatchState*> taken;
  batches_.EraseIf([&taken](SendBatchState* batch) {
    if (batch->from_spool) return false;
    taken.push_back(batch);
    return true;
  });
  return taken;
}

void SendQueue::ResolveSpooled(SendResult& r) {
  NoteExpired(r);
  Resolve(r, SendState::kSpooled, absl::OkStatus());
}

void SendQueue::ResolveNotSent(SendResult& r, absl::Status why) {
  const bool in_doubt =
      (r.flags_ & (SendBatchState::kAtDriver | SendBatchState::kMaybeTaken)) !=
      0;
  NoteExpired(r);
  Resolve(r, in_doubt ? SendState::kUnknown : SendState::kNotSent,
          std::move(why));
}

void SendQueue::Point(SendResult& r) { ++r.batch_->held; }

void SendQueue::DropRest(SendBatchState* batch) {
  const auto rest = static_cast<uint32_t>(batch->results.size() - batch->next);
  batch->next = batch->results.size();
  batch->held -= rest;
  if (batch->held == 0) LetGo(batch);
}

void SendQueue::SetAside() {
  // Keys and queues let go of it.
  TakeKeys();
  window_ = {};
  ready_.clear();
  aside_ = Begun();
  batches_.EraseIf([this](SendBatchState* batch) {
    if (!batch->from_spool) return false;
    for (; batch->next < batch->results.size(); ++batch->next) {
      aside_.push_back(&batch->results[batch->next]);
    }
    return true;
  });
  for (SendResult* r : aside_) {
    r->flags_ &= static_cast<uint8_t>(~SendBatchState::kKeyed);
    r->flags_ |= SendBatchState::kAside;
  }
}

void SendQueue::PutBack() {
  for (SendResult* r : std::exchange(aside_, {})) {
    if (SendBatchState::IsResolved(*r)) {
      Drop(*r);
    } else {
      r->flags_ &= static_cast<uint8_t>(~SendBatchState::kAside);
    }
  }
  TakeKeys();
}

void SendQueue::DropResolved() {
  DropReadyResolved();
  DropResolvedResends();
}

}  // namespace tieline::inline v0
