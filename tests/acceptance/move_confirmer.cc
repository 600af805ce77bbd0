#include "tests/acceptance/move_confirmer.h"

#include <utility>

namespace tieline::move_check {

Confirmer::~Confirmer() {
  {
    const std::lock_guard lock(mu_);
    stop_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

void Confirmer::Offer(uint64_t number, Delivery& delivery) {
  const std::lock_guard lock(mu_);
  if (number_.has_value() || stop_) return;
  number_ = number;
  delivery_ = std::move(delivery);
  changed_.notify_all();
}

void Confirmer::Run() {
  std::unique_lock lock(mu_);
  for (;;) {
    changed_.wait(lock, [this] { return stop_ || number_.has_value(); });
    if (!number_.has_value()) return;
    lock.unlock();
    if (delivery_.CompleteConfirmed(absl::Seconds(10)).ok()) {
      log_->Write({.step = Step::kSettled, .number = *number_});
    }
    delivery_ = Delivery();
    lock.lock();
    number_.reset();
  }
}

}  // namespace tieline::move_check
