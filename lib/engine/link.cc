#include "lib/engine/link.h"

#include <utility>

#include "lib/base/permanent.h"
#include "lib/base/status.h"

namespace tieline::inline v0 {

absl::Status CheckMayBlock(const Endpoint& endpoint) {
  if (!endpoint.runner()->OnThread()) return absl::OkStatus();
  return absl::FailedPreconditionError(
      "a blocking call was made from a callback; use the asynchronous one, or "
      "give BusOptions an executor");
}

Link::Link(Endpoint* endpoint, const QueueConfig& queue, std::string_view what,
           std::vector<Capability> needs)
    : endpoint_(endpoint),
      name_(fmt::format("queue {} (broker {}, entity {})", queue.name,
                        endpoint->broker().name, queue.entity)),
      what_(what),
      needs_(std::move(needs)),
      backoff_(endpoint->options().reconnect.min_delay,
               endpoint->options().reconnect.max_delay,
               endpoint->options().reconnect.jitter),
      capabilities_(endpoint->driver().capabilities()) {}

// ---- In the strand.

void Link::OnUp(driver::Connection* connection) {
  connection_ = connection;
  state_ = State::kDown;
  open_at_ = absl::InfinitePast();
}

driver::Connection* Link::ToOpen(absl::Time now) {
  const bool due = state_ == State::kDown && now >= open_at_;
  return due ? connection_ : nullptr;
}

absl::Status Link::OnOpened(const Capabilities& capabilities) {
  state_ = State::kOpen;
  backoff_.Reset();
  const std::vector<std::string> missing = Missing(needs_, capabilities);
  absl::Status refused =
      missing.empty()
          ? absl::OkStatus()
          : MakeStatus(absl::StatusCode::kUnimplemented,
                       "{}: the broker lacks {}", name_, missing.front());
  MutexLock lock(&mu_);
  capabilities_ = capabilities;
  open_ = true;
  error_ = refused;
  cv_.NotifyAll();
  return refused;
}

bool Link::OnClosed(const absl::Status& why, absl::Status* error) {
  if (state_ == State::kClosing) {
    state_ = State::kClosed;
    MutexLock lock(&mu_);
    link_closed_ = true;
    open_ = false;
    cv_.NotifyAll();
    return true;
  }
  state_ = State::kDown;
  open_at_ = endpoint_->clock()->Steady() + backoff_.Next(endpoint_->Random());
  *error = why.ok() ? MakeStatus(absl::StatusCode::kUnavailable,
                                 "{}: the broker closed the link", name_)
                    : Annotate(why, name_);
  {
    MutexLock lock(&mu_);
    open_ = false;
    error_ = *error;
    cv_.NotifyAll();
  }
  endpoint_->Log(LogLevel::kWarning, MessageOf(*error));
  return false;
}

void Link::OnDown(const absl::Status& why) {
  connection_ = nullptr;
  const bool over = state_ == State::kClosing || why.ok();
  state_ = over ? State::kClosed : State::kDown;
  MutexLock lock(&mu_);
  open_ = false;
  if (over) link_closed_ = true;
  if (why.ok()) {
    closed_ = true;  // for good: nobody pumps it any more
  } else {
    error_ = Annotate(why, name_);
  }
  cv_.NotifyAll();
}

bool Link::BeginClose(bool has_handle, bool* close_handle) {
  if (!close_asked() || state_ == State::kClosing || state_ == State::kClosed) {
    return false;
  }
  *close_handle = has_handle && state_ != State::kDown;
  state_ = State::kClosing;
  return true;
}

// ---- Any thread.

absl::Status Link::CheckOpen() const {
  if (!closed()) return absl::OkStatus();
  return MakeStatus(absl::StatusCode::kFailedPrecondition,
                    "{}: the {} is closed", name_, what_);
}

bool Link::Refuse() {
  MutexLock lock(&mu_);
  const bool first = !closed_.exchange(true);
  cv_.NotifyAll();
  return first;
}

bool Link::WaitClosed(const Deadline& deadline) {
  MutexLock lock(&mu_);
  while (!link_closed_ && open_) {
    const absl::Duration left = deadline.Left();
    if (left == absl::ZeroDuration()) return false;
    cv_.WaitFor(&mu_, left);
  }
  return true;
}

absl::Status Link::WaitOpen(absl::Duration timeout) {
  TIELINE_RETURN_IF_ERROR(CheckMayBlock(*endpoint_));
  const Deadline deadline(timeout);
  endpoint_->Poke();
  MutexLock lock(&mu_);
  for (;;) {
    TIELINE_RETURN_IF_ERROR(CheckOpen());
    if (open_ && error_.ok()) return absl::OkStatus();
    if (IsPermanent(error_)) return error_;
    const absl::Duration left = deadline.Left();
    if (left == absl::ZeroDuration()) {
      return MakeStatus(absl::StatusCode::kDeadlineExceeded,
                        "{}: not open within {}{}{}", name_,
                        absl::FormatDuration(timeout),
                        error_.ok() ? "" : "; last error: ", MessageOf(error_));
    }
    cv_.WaitFor(&mu_, left);
  }
}

void Link::SetError(const absl::Status& error) {
  MutexLock lock(&mu_);
  error_ = error;
  cv_.NotifyAll();
}

absl::Status Link::error() const {
  MutexLock lock(&mu_);
  return error_;
}

absl::Status Link::last_error() const {
  {
    MutexLock lock(&mu_);
    if (!error_.ok() || open_) return error_;
  }
  return endpoint_->last_error();
}

bool Link::is_open() const {
  MutexLock lock(&mu_);
  return open_;
}

Capabilities Link::capabilities() const {
  MutexLock lock(&mu_);
  return capabilities_;
}

}  // namespace tieline::inline v0
