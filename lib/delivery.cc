#include "tieline/delivery.h"

#include <utility>

#include "lib/engine/receiver_leg.h"

namespace tieline::inline v0 {
namespace {

absl::Status AlreadySettled() {
  return absl::FailedPreconditionError(
      "the delivery was settled already, or holds nothing");
}

}  // namespace

Delivery::Delivery(Delivery&& other) noexcept
    : core_(std::move(other.core_)),
      inbound_(std::move(other.inbound_)),
      incarnation_(other.incarnation_) {}

Delivery& Delivery::operator=(Delivery&& other) noexcept {
  if (this == &other) return *this;
  // What is overwritten unsettled comes back.
  if (core_ != nullptr) Abandon().IgnoreError();
  core_ = std::move(other.core_);
  inbound_ = std::move(other.inbound_);
  incarnation_ = other.incarnation_;
  return *this;
}

Delivery::~Delivery() {
  if (core_ != nullptr) Abandon().IgnoreError();
}

std::string Delivery::lane() const {
  return core_ == nullptr ? std::string()
                          : core_->LaneName(inbound_.token.lane);
}

absl::Status Delivery::Settle(driver::Verb verb, std::string_view reason,
                              std::string_view detail) {
  if (core_ == nullptr) return AlreadySettled();
  const std::shared_ptr<ReceiverLeg> core = std::move(core_);
  absl::Status status =
      core->Settle(inbound_, incarnation_, verb, reason, detail);
  // What the backend can't do leaves the duty where it was.
  if (status.code() == absl::StatusCode::kUnimplemented) core_ = core;
  return status;
}

absl::Status Delivery::AbandonInPlace() {
  if (core_ == nullptr) return AlreadySettled();
  const std::shared_ptr<ReceiverLeg> core = std::move(core_);
  return core->AbandonInPlace(inbound_, incarnation_);
}

absl::Status Delivery::Complete() {
  return Settle(driver::Verb::kComplete, {}, {});
}

absl::Status Delivery::Abandon() {
  return Settle(driver::Verb::kAbandon, {}, {});
}

absl::Status Delivery::Release() {
  return Settle(driver::Verb::kRelease, {}, {});
}

absl::Status Delivery::DeadLetter(std::string_view reason,
                                  std::string_view detail) {
  return Settle(driver::Verb::kDeadLetter, reason, detail);
}

absl::Status Delivery::Defer() { return Settle(driver::Verb::kDefer, {}, {}); }

absl::Status Delivery::CompleteConfirmed(absl::Duration timeout) {
  if (core_ == nullptr) return AlreadySettled();
  const std::shared_ptr<ReceiverLeg> core = std::move(core_);
  return core->SettleConfirmed(inbound_, incarnation_, driver::Verb::kComplete,
                               timeout, nullptr);
}

absl::Status Delivery::Renew(absl::Duration timeout) {
  if (core_ == nullptr) return AlreadySettled();
  if (!core_->Can(Capability::kLockRenewal)) {
    return absl::UnimplementedError("this backend can't renew locks");
  }
  absl::Time until = absl::InfinitePast();
  absl::Status status = core_->SettleConfirmed(
      inbound_, incarnation_, driver::Verb::kRenew, timeout, &until);
  if (status.ok() && until != absl::InfinitePast()) {
    inbound_.locked_until = until;
  }
  return status;
}

}  // namespace tieline::inline v0
