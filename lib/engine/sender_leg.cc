#include "lib/engine/sender_leg.h"

#include <utility>

#include "lib/base/permanent.h"
#include "lib/base/status.h"
#include "lib/engine/sender_core.h"

namespace tieline::inline v0 {

SenderLeg::SenderLeg(SenderCore* core, std::shared_ptr<Endpoint> endpoint,
                     QueueConfig queue, const SenderOptions& options)
    : core_(core),
      endpoint_(std::move(endpoint)),
      queue_(std::move(queue)),
      link_(endpoint_.get(), queue_, "sender", options.needs) {}

SenderLeg::~SenderLeg() = default;

void SenderLeg::Leave() {
  leaves_.store(true, std::memory_order_release);
  link_.AskToClose();
  endpoint_->MarkDirty(this);
  endpoint_->Schedule();
}

void SenderLeg::OnUp(driver::Connection* connection) { link_.OnUp(connection); }

void SenderLeg::OpenLink(absl::Time now) {
  driver::Connection* connection = link_.ToOpen(now);
  if (connection == nullptr) return;
  driver_.reset();
  driver::SenderSpec spec;
  spec.queue = queue_;
  spec.ordered = queue_.ordered == Order::kPerKey;
  auto opened = connection->OpenSender(spec, this);
  if (!opened.ok()) {
    OnClosed(opened.status());
    return;
  }
  driver_ = *std::move(opened);
  link_.OnOpening();
}

void SenderLeg::CloseLink() {
  bool close_handle = false;
  if (!link_.BeginClose(driver_ != nullptr, &close_handle)) return;
  if (close_handle) {
    driver_->Close();
  } else {
    OnClosed(absl::OkStatus());
  }
}

void SenderLeg::OnOpened(const Capabilities& capabilities) {
  refused_ = link_.OnOpened(capabilities);
  pipelines_ = capabilities.has(Capability::kOrderedPipelining);
  core_->OnLegOpened(*this);
}

void SenderLeg::OnSendable() { core_->OnLegSendable(*this); }

void SenderLeg::OnOutcomes(std::span<const driver::Outcome> outcomes) {
  core_->OnLegOutcomes(*this, outcomes);
}

void SenderLeg::OnClosed(const absl::Status& why) {
  absl::Status error;
  if (link_.OnClosed(why, &error)) {
    if (leaves_.load(std::memory_order_acquire)) core_->OnLegLeft(*this);
    return;
  }
  refused_ = IsPermanent(error) ? error : absl::OkStatus();
  core_->OnLegChanged(*this);
}

void SenderLeg::OnDown(const absl::Status& why) {
  driver_.reset();
  link_.OnDown(why);
  refused_ = IsPermanent(why) ? Annotate(why, link_.name()) : absl::OkStatus();
  core_->OnLegDown(*this, why);
}

absl::Time SenderLeg::Pump(absl::Time now) { return core_->Pump(*this, now); }

}  // namespace tieline::inline v0
