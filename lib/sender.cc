#include "tieline/sender.h"

#include <utility>

#include "lib/base/status.h"
#include "lib/engine/sender_core.h"

namespace tieline::inline v0 {

absl::Status SenderOptions::Validate() const {
  if (max_pending == 0 || max_pending_bytes == 0 || window == 0) {
    return InvalidArgument(
        "SenderOptions: max_pending, max_pending_bytes and window must be "
        "at least 1");
  }
  if (timeout <= absl::ZeroDuration()) {
    return InvalidArgument("SenderOptions: timeout must be positive");
  }
  return absl::OkStatus();
}

Sender::Sender(std::shared_ptr<SenderCore> core) : core_(std::move(core)) {}

Sender::~Sender() { core_->Close(absl::ZeroDuration()).IgnoreError(); }

namespace {

// Afterwards the results are final; the caller's reference is left.
void SendAndWait(SenderCore& core, SendBatchState* batch,
                 const SendOptions& options) {
  core.StampIds(batch);
  const absl::Status given = core.GiveWaiting(batch, options.timeout);
  if (given.ok()) {
    batch->WaitFinished();
    return;
  }
  for (SendResult& r : batch->results) r.status = given;
  batch->Unref();  // the sender's reference, which it did not take
}

}  // namespace

SendResult Sender::Send(Message message, SendOptions options) {
  auto* batch = new SendBatchState(std::move(message));
  SendAndWait(*core_, batch, options);
  SendResult result = batch->TakeResult();
  batch->Unref();
  return result;
}

std::vector<SendResult> Sender::SendBatch(std::vector<Message> messages,
                                          SendOptions options) {
  if (messages.empty()) return {};
  auto* batch = new SendBatchState(messages);
  SendAndWait(*core_, batch, options);
  std::vector<SendResult> results = batch->TakeResults();
  batch->Unref();
  return results;
}

absl::Status Sender::SendBatch(std::vector<Message>&& messages,
                               SendCallback done, SendOptions options) {
  if (messages.empty()) {
    return InvalidArgument("SendBatch: there is no message to send");
  }
  auto* batch = new SendBatchState(messages);
  core_->StampIds(batch);
  batch->callback = std::move(done);
  absl::Status given = core_->Give(batch, options.timeout);
  if (!given.ok()) {
    messages.clear();
    for (SendResult& r : batch->results) {
      messages.push_back(std::move(r.message));
    }
    batch->Unref();
    batch->Unref();
    return given;
  }
  return absl::OkStatus();
}

absl::Status Sender::Flush(absl::Duration timeout) {
  return core_->Flush(timeout);
}

absl::Status Sender::Close(absl::Duration timeout) {
  return core_->Close(timeout);
}

Capabilities Sender::capabilities() const { return core_->capabilities(); }

absl::Status Sender::WaitOpen(absl::Duration timeout) {
  return core_->WaitOpen(timeout);
}

}  // namespace tieline::inline v0
