#include "lib/engine/processor_core.h"

#include <pthread.h>

#include <exception>
#include <functional>
#include <utility>

#include "lib/base/deadline.h"
#include "lib/base/status.h"

namespace tieline::inline v0 {
namespace {

// The processor whose handler runs on this thread.
thread_local const ProcessorCore* handling = nullptr;

}  // namespace

using driver::Inbound;
using driver::Verb;

absl::Status ProcessorOptions::Validate() const {
  if (concurrency == 0 || concurrency > 1024) {
    return InvalidArgument(
        "ProcessorOptions: concurrency must be from 1 to 1024");
  }
  return absl::OkStatus();
}

ProcessorCore::ProcessorCore(std::shared_ptr<ReceiverCore> receiver,
                             ProcessorOptions options, Handler handler)
    : receiver_(std::move(receiver)),
      options_(options),
      handler_(std::move(handler)) {}

ProcessorCore::~ProcessorCore() { Join(); }

void ProcessorCore::Start() {
  if (!options_.Validate().ok() ||
      !receiver_->SetConsumer(shared_from_this()).ok()) {
    receiver_->Log(
        LogLevel::kError,
        fmt::format("{}: the processor was not started: bad options, or there "
                    "is one already",
                    receiver_->name()));
    return;
  }
  started_ = true;
  threads_.reserve(options_.concurrency);
  for (uint32_t i = 0; i < options_.concurrency; ++i) {
    threads_.emplace_back([this] { Work(); });
    pthread_setname_np(threads_.back().native_handle(), "tieline-handler");
  }
  receiver_->Poke();
}

void ProcessorCore::OnDeliveries(std::span<Inbound> deliveries,
                                 uint32_t incarnation) {
  std::vector<Item> late;
  {
    MutexLock lock(&mu_);
    AdmitAll(deliveries, incarnation, &late);
  }
  for (Item& item : late) {
    receiver_->Settle(item.inbound, item.incarnation, Verb::kRelease, {}, {})
        .IgnoreError();  // stale: the broker has it already
  }
}

void ProcessorCore::AdmitAll(std::span<Inbound> deliveries,
                             uint32_t incarnation, std::vector<Item>* late) {
  for (Inbound& inbound : deliveries) {
    Item item;
    item.incarnation = incarnation;
    item.keyed =
        options_.order == Order::kPerKey && inbound.message.has(Field::kKey);
    if (item.keyed) {
      item.key = std::hash<std::string_view>()(inbound.message.key());
    }
    item.inbound = std::move(inbound);
    if (stopping_) {
      late->push_back(std::move(item));
    } else {
      Admit(std::move(item));
    }
  }
  cv_.NotifyAll();
}

void ProcessorCore::Admit(Item item) {
  if (item.keyed) {
    auto [it, fresh] = keys_.try_emplace(item.key);
    KeyState& state = it->second;
    const bool retry = state.retrying && state.owner == item.inbound.token &&
                       state.incarnation == item.incarnation;
    if (!fresh && !retry) {
      state.behind.push_back(std::move(item));
      return;
    }
    state.owner = item.inbound.token;
    state.incarnation = item.incarnation;
    state.retrying = false;
  }
  runnable_.push_back(std::move(item));
}

void ProcessorCore::LeaveKey(const Leaving& who) {
  auto it = keys_.find(who.key);
  if (it == keys_.end()) return;
  KeyState& state = it->second;
  // Its lane or connection went, and the key has passed to another.
  if (state.owner != who.owner || state.incarnation != who.incarnation) return;
  if (state.behind.empty()) {
    keys_.erase(it);
    return;
  }
  Item next = std::move(state.behind.front());
  state.behind.pop_front();
  state.retrying = false;
  state.owner = next.inbound.token;
  state.incarnation = next.incarnation;
  runnable_.push_back(std::move(next));
  cv_.NotifyOne();
}

void ProcessorCore::Work() {
  for (;;) {
    Item item;
    {
      MutexLock lock(&mu_);
      while (runnable_.empty() && !stopping_) cv_.Wait(&mu_);
      if (stopping_) return;
      item = std::move(runnable_.front());
      runnable_.pop_front();
      ++counts_.running;
    }
    RunOne(std::move(item));
  }
}

absl::Status ProcessorCore::CallHandler(Delivery& delivery) {
  std::string what = "an exception of an unknown kind";
  handling = this;
  try {
    absl::Status status = handler_(delivery);
    handling = nullptr;
    return status;
  } catch (const std::exception& e) {
    what = e.what();
  } catch (...) {
    what += " (not derived from std::exception)";
  }
  handling = nullptr;
  {
    MutexLock lock(&mu_);
    ++counts_.thrown;
  }
  receiver_->Log(LogLevel::kError, fmt::format("{}: a handler threw: {}",
                                               receiver_->name(), what));
  return absl::InternalError(what);
}

void ProcessorCore::RunOne(Item item) {
  const Leaving self{item.key, item.inbound.token, item.incarnation};
  Delivery delivery =
      receiver_->MakeDelivery(std::move(item.inbound), item.incarnation);
  const absl::Status status = CallHandler(delivery);
  const bool abandon = !status.ok() && !delivery.settled();
  bool comes_back =
      abandon && item.keyed && receiver_->WouldRetry(delivery.attempts());
  if (comes_back) {
    // Before it can come back.
    MutexLock lock(&mu_);
    auto it = keys_.find(item.key);
    if (it != keys_.end() && it->second.owner == self.owner &&
        it->second.incarnation == self.incarnation) {
      it->second.retrying = true;
    }
  }
  if (abandon) {
    // Stale: the broker delivers it again, as something new.
    const absl::Status abandoned =
        item.keyed ? delivery.AbandonInPlace() : delivery.Abandon();
    if (!abandoned.ok()) comes_back = false;
  } else if (status.ok() && !delivery.settled()) {
    // A stale token is counted by the receiver; the broker delivers again.
    delivery.Complete().IgnoreError();
  }
  MutexLock lock(&mu_);
  --counts_.running;
  ++(status.ok() ? counts_.handled : counts_.failed);
  if (item.keyed && !comes_back) LeaveKey(self);
  cv_.NotifyAll();
}

void ProcessorCore::ForgetQueued(
    uint32_t incarnation,
    const std::function<bool(const driver::Token&)>& gone) {
  std::vector<std::pair<driver::Token, uint32_t>> dropped;
  const auto drop = [&](const Item& item) {
    if (item.incarnation != incarnation || !gone(item.inbound.token)) {
      return false;
    }
    dropped.emplace_back(item.inbound.token, item.incarnation);
    return true;
  };
  {
    MutexLock lock(&mu_);
    std::vector<Leaving> left;
    for (auto& [key, state] : keys_) {
      std::erase_if(state.behind, drop);
      // Its retry was dropped by the receiver.
      if (state.retrying && state.incarnation == incarnation &&
          gone(state.owner)) {
        left.push_back({key, state.owner, state.incarnation});
      }
    }
    std::erase_if(runnable_, [&](const Item& item) {
      if (!drop(item)) return false;
      if (item.keyed) {
        left.push_back({item.key, item.inbound.token, item.incarnation});
      }
      return true;
    });
    for (const Leaving& who : left) LeaveKey(who);
  }
  for (const auto& [token, of] : dropped) {
    receiver_->Forget(token, of);
  }
}

void ProcessorCore::OnLaneClosing(driver::Lane lane, uint32_t epoch,
                                  uint32_t incarnation) {
  ForgetQueued(incarnation, [=](const driver::Token& token) {
    return token.lane == lane && token.epoch == epoch;
  });
}

void ProcessorCore::OnLost(uint32_t incarnation) {
  ForgetQueued(incarnation, [](const driver::Token&) { return true; });
}

absl::Status ProcessorCore::Stop(absl::Duration timeout) {
  if (handling == this) {
    return MakeStatus(absl::StatusCode::kFailedPrecondition,
                      "{}: a handler can't stop its own processor",
                      receiver_->name());
  }
  if (!started_) return absl::OkStatus();
  receiver_->Pause();
  std::deque<Item> rest;
  {
    MutexLock lock(&mu_);
    stopping_ = true;
    rest.swap(runnable_);
    for (auto& [key, state] : keys_) {
      for (Item& item : state.behind) rest.push_back(std::move(item));
    }
    keys_.clear();
    cv_.NotifyAll();
  }
  for (Item& item : rest) {
    receiver_->Settle(item.inbound, item.incarnation, Verb::kRelease, {}, {})
        .IgnoreError();
  }
  absl::Status status;
  const Deadline deadline(timeout);
  {
    MutexLock lock(&mu_);
    while (counts_.running > 0) {
      const absl::Duration left = deadline.Left();
      if (left == absl::ZeroDuration()) {
        status =
            MakeStatus(absl::StatusCode::kDeadlineExceeded,
                       "{}: {} handlers still run after {}", receiver_->name(),
                       counts_.running, absl::FormatDuration(timeout));
        break;
      }
      cv_.WaitFor(&mu_, left);
    }
  }
  if (!status.ok()) return status;
  if (started_.exchange(false)) {
    receiver_->SetConsumer(nullptr).IgnoreError();
    Join();
  }
  return status;
}

void ProcessorCore::Join() {
  for (std::thread& t : threads_) t.join();
  threads_.clear();
}

ProcessorCounts ProcessorCore::counts() const {
  MutexLock lock(&mu_);
  return counts_;
}

Processor::Processor(std::shared_ptr<ProcessorCore> core)
    : core_(std::move(core)) {}

Processor::~Processor() {
  // A handler that still runs uses what its owner is about to destroy.
  while (core_->Stop(absl::Seconds(30)).code() ==
         absl::StatusCode::kDeadlineExceeded) {
  }
}

absl::Status Processor::Stop(absl::Duration timeout) {
  return core_->Stop(timeout);
}

ProcessorCounts Processor::counts() const { return core_->counts(); }

}  // namespace tieline::inline v0
