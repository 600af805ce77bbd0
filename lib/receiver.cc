#include "tieline/receiver.h"

#include <utility>

#include "lib/base/status.h"
#include "lib/engine/processor_core.h"
#include "lib/engine/receiver_core.h"

namespace tieline::inline v0 {

absl::Status ReceiverOptions::Validate() const {
  if (credit == 0 || credit_bytes == 0 || max_gap == 0) {
    return InvalidArgument(
        "ReceiverOptions: credit, credit_bytes and max_gap must be at least "
        "1");
  }
  if (retry_min <= absl::ZeroDuration() || retry_max < retry_min) {
    return InvalidArgument(
        "ReceiverOptions: retry_min must be positive and at most retry_max");
  }
  return absl::OkStatus();
}

Receiver::Receiver(std::shared_ptr<ReceiverCore> core)
    : core_(std::move(core)) {}

Receiver::~Receiver() { core_->Close(absl::ZeroDuration()).IgnoreError(); }

absl::StatusOr<Delivery> Receiver::Receive(absl::Duration timeout,
                                           std::stop_token stop) {
  return core_->Receive(timeout, stop);
}

absl::StatusOr<std::vector<Delivery>> Receiver::ReceiveBatch(
    size_t max, absl::Duration timeout, std::stop_token stop) {
  if (max == 0) return InvalidArgument("ReceiveBatch: max must be at least 1");
  return core_->ReceiveBatch(max, timeout, stop);
}

std::unique_ptr<Processor> Receiver::Process(ProcessorOptions options,
                                             Handler handler) {
  auto core =
      std::make_shared<ProcessorCore>(core_, options, std::move(handler));
  core->Start();
  return std::make_unique<Processor>(std::move(core));
}

absl::Status Receiver::CompleteAll(std::vector<Delivery> deliveries) {
  return core_->CompleteAll(deliveries);
}

absl::Status Receiver::Flush(absl::Duration timeout) {
  return core_->Flush(timeout);
}

absl::Status Receiver::Close(absl::Duration timeout) {
  return core_->Close(timeout);
}

absl::StatusOr<std::vector<Delivery>> Receiver::ReceiveDeferred(
    std::vector<int64_t> positions, absl::Duration timeout) {
  return core_->ReceiveDeferred(std::move(positions), timeout);
}

absl::Status Receiver::AcceptSession(std::string name) {
  return core_->AcceptSession(std::move(name));
}

Capabilities Receiver::capabilities() const { return core_->capabilities(); }

absl::Status Receiver::WaitOpen(absl::Duration timeout) {
  return core_->WaitOpen(timeout);
}

}  // namespace tieline::inline v0
