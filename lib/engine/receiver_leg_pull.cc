// Handing deliveries out of a ReceiverLeg to threads that wait for them.
#include <algorithm>
#include <optional>
#include <utility>

#include "lib/base/permanent.h"
#include "lib/base/status.h"
#include "lib/engine/receiver_leg.h"

namespace tieline::inline v0 {

using driver::Inbound;

namespace {

// How often a thread looks for a wake before it goes to sleep; some tens of
// microseconds.
constexpr int kSpins = 2000;
// For how long it lets messages gather before it looks for the next ones; a few
// microseconds. A receiver that looks for each by itself and its sender would
// take the same cache lines from each other all the time.
constexpr int kGather = 80;

void LetGather() {
  for (int i = 0; i < kGather; ++i) Mutex::CpuRelax();
}

}  // namespace

Delivery ReceiverLeg::MakeDelivery(Inbound inbound, uint32_t incarnation) {
  Delivery delivery;
  delivery.core_ = std::static_pointer_cast<ReceiverLeg>(shared_from_this());
  delivery.inbound_ = std::move(inbound);
  delivery.incarnation_ = incarnation;
  return delivery;
}

void ReceiverLeg::TakeOne(Delivery* out) {
  out->core_ = std::static_pointer_cast<ReceiverLeg>(shared_from_this());
  out->inbound_ = backlog_.ready().pop_front();
  out->incarnation_ = lanes_.incarnation();
}

void ReceiverLeg::TakeMany(size_t max, std::vector<Delivery>* out) {
  Ring<Inbound>& ready = backlog_.ready();
  const size_t n = std::min(max, ready.size());
  const auto self = std::static_pointer_cast<ReceiverLeg>(shared_from_this());
  out->reserve(n);
  for (size_t i = 0; i < n; ++i) {
    Delivery& delivery = out->emplace_back();
    delivery.core_ = self;
    delivery.inbound_ = ready.pop_front();
    delivery.incarnation_ = lanes_.incarnation();
  }
}

absl::Status ReceiverLeg::ReceiveError() const {
  TIELINE_RETURN_IF_ERROR(link_.CheckOpen());
  if (consumer_ != nullptr) {
    return MakeStatus(absl::StatusCode::kFailedPrecondition,
                      "{}: a processor receives here", name());
  }
  absl::Status error = link_.error();
  return IsPermanent(error) ? error : absl::OkStatus();
}

absl::StatusOr<Delivery> ReceiverLeg::Receive(absl::Duration timeout,
                                              const std::stop_token& stop) {
  Delivery delivery;
  TIELINE_RETURN_IF_ERROR(AwaitReady(
      timeout, stop,
      [&]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) { TakeOne(&delivery); }));
  return delivery;
}

absl::StatusOr<std::vector<Delivery>> ReceiverLeg::ReceiveBatch(
    size_t max, absl::Duration timeout, const std::stop_token& stop) {
  std::vector<Delivery> deliveries;
  TIELINE_RETURN_IF_ERROR(
      AwaitReady(timeout, stop, [&]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
        TakeMany(max, &deliveries);
      }));
  return deliveries;
}

// Calls `take` under the lock once something is ready.
template <typename Take>
absl::Status ReceiverLeg::AwaitReady(absl::Duration timeout,
                                     const std::stop_token& stop, Take take) {
  TIELINE_RETURN_IF_ERROR(CheckMayBlock(*endpoint_));
  std::optional<Deadline> deadline;
  const uint32_t lets_go = lets_go_.load();
  for (;;) {
    bool poke = endpoint_->runs_inline() || options_.browse;
    {
      MutexLock lock(&mu_);
      if (!backlog_.ready().empty()) {
        take();
        return absl::OkStatus();
      }
      TIELINE_RETURN_IF_ERROR(ReceiveError());
      poke = std::exchange(paused_, false) || poke;
      inline_wake_.store(false, std::memory_order_relaxed);
      pulled_.store(true);
    }
    // Not after a wait: what ended it is not to be kept waiting.
    if (endpoint_->runs_inline() && !deadline.has_value()) LetGather();
    // What was settled goes out by itself, soon; who browses settles nothing,
    // and makes room here.
    if (poke) {
      endpoint_->MarkDirty(this);
      endpoint_->Poke();
    }
    if (endpoint_->runs_inline()) {
      MutexLock lock(&mu_);
      if (!backlog_.ready().empty()) {
        take();
        return absl::OkStatus();
      }
    }
    if (!deadline.has_value()) deadline.emplace(timeout);
    if (lets_go_.load() != lets_go) {
      return MakeStatus(absl::StatusCode::kAborted, "{}: the queue moves",
                        name());
    }
    if (stop.stop_requested()) {
      return MakeStatus(absl::StatusCode::kCancelled, "{}: stopped", name());
    }
    if (deadline->Passed()) {
      const absl::Status error = last_error();
      return MakeStatus(absl::StatusCode::kDeadlineExceeded,
                        "{}: nothing came within {}{}{}", name(),
                        absl::FormatDuration(timeout),
                        error.ok() ? "" : "; last error: ", MessageOf(error));
    }
    if (endpoint_->runs_inline() && SpinForWake()) continue;
    WaitForReady(*deadline, stop, lets_go);
  }
}

bool ReceiverLeg::SpinForWake() {
  spinning_.fetch_add(1);
  bool woken = false;
  for (int i = 0; i < kSpins && !woken; ++i) {
    woken = inline_wake_.load(std::memory_order_acquire);
    Mutex::CpuRelax();
  }
  spinning_.fetch_sub(1);
  return woken || inline_wake_.load(std::memory_order_acquire);
}

void ReceiverLeg::WaitForReady(const Deadline& deadline,
                               const std::stop_token& stop, uint32_t lets_go) {
  std::stop_callback on_stop(stop, [this] {
    MutexLock lock(&mu_);
    cv_.NotifyAll();
  });
  MutexLock lock(&mu_);
  ++waiting_;
  while (backlog_.ready().empty() && ReceiveError().ok() &&
         !stop.stop_requested() && lets_go_.load() == lets_go &&
         !inline_wake_.load(std::memory_order_acquire)) {
    const absl::Duration left = deadline.Left();
    if (left == absl::ZeroDuration()) break;
    cv_.WaitFor(&mu_, left);
  }
  --waiting_;
}

bool ReceiverLeg::OnInlineWake() {
  if (!pulled_.load() || others_waiting_.load() > 0) return false;
  if (inline_wake_.exchange(true)) return true;  // the thread looks soon
  if (spinning_.load() > 0) return true;
  MutexLock lock(&mu_);
  if (waiting_ > 0) cv_.NotifyOne();
  return true;
}

absl::StatusOr<std::vector<Delivery>> ReceiverLeg::ReceiveDeferred(
    std::vector<int64_t> positions, absl::Duration timeout) {
  TIELINE_RETURN_IF_ERROR(CheckMayBlock(*endpoint_));
  const OtherWaiter waiter(this);
  TIELINE_RETURN_IF_ERROR(WaitOpen(timeout));
  struct State {
    Mutex mu;
    Condition cv;
    bool done = false;
    driver::Reply reply;
    uint32_t incarnation = 0;
  };
  auto state = std::make_shared<State>();
  driver::Request request;
  request.op = driver::Request::Op::kReceiveDeferred;
  request.queue = queue_;
  request.numbers = std::move(positions);
  request.deadline = endpoint_->clock()->Steady() + timeout;
  auto self = std::static_pointer_cast<ReceiverLeg>(shared_from_this());
  endpoint_->Ask(
      std::move(request),
      [state, self](driver::Reply reply) {
        uint32_t incarnation = 0;
        {
          MutexLock lock(&self->mu_);
          incarnation = self->lanes_.incarnation();
          for (const Inbound& d : reply.inbound) self->lanes_.Arrived(d);
        }
        MutexLock lock(&state->mu);
        state->reply = std::move(reply);
        state->incarnation = incarnation;
        state->done = true;
        state->cv.NotifyAll();
      },
      [self] { return self->link_.open() ? self->driver_.get() : nullptr; });
  const Deadline deadline(timeout + kAnswerGrace);
  MutexLock lock(&state->mu);
  while (!state->done) {
    const absl::Duration left = deadline.Left();
    if (left == absl::ZeroDuration()) {
      return MakeStatus(absl::StatusCode::kDeadlineExceeded,
                        "{}: no answer within {}", name(),
                        absl::FormatDuration(timeout));
    }
    state->cv.WaitFor(&state->mu, left);
  }
  TIELINE_RETURN_IF_ERROR(state->reply.status);
  std::vector<Delivery> deliveries;
  for (Inbound& d : state->reply.inbound) {
    deliveries.push_back(MakeDelivery(std::move(d), state->incarnation));
  }
  return deliveries;
}

}  // namespace tieline::inline v0
