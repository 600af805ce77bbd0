#include "lib/engine/endpoint.h"

#include <algorithm>
#include <iterator>
#include <limits>
#include <utility>

#include "lib/base/deadline.h"
#include "lib/base/entropy.h"
#include "lib/base/status.h"

namespace tieline::inline v0 {
namespace {

// Turns in one visit to the strand; then the runner goes on, with what else it
// has to run between: nobody who merely sends is kept here for others' sake.
constexpr int kMaxTurns = 16;

}  // namespace

Endpoint::Endpoint(BrokerConfig broker, std::shared_ptr<driver::Driver> driver,
                   EndpointContext context)
    : broker_(std::move(broker)),
      driver_(std::move(driver)),
      context_(context),
      inline_(driver_->runs_inline()),
      backoff_(context.options->reconnect.min_delay,
               context.options->reconnect.max_delay,
               context.options->reconnect.jitter),
      random_state_(Entropy() | 1u) {}

Endpoint::~Endpoint() = default;

void Endpoint::Attach(std::shared_ptr<EndpointUser> user) {
  {
    MutexLock lock(&mu_);
    attaching_.push_back(std::move(user));
  }
  any_command_.store(true, std::memory_order_release);
  Poke();
}

void Endpoint::Detach(std::shared_ptr<EndpointUser> user) {
  {
    MutexLock lock(&mu_);
    detaching_.push_back(std::move(user));
  }
  any_command_.store(true, std::memory_order_release);
  Poke();
}

void Endpoint::MarkDirty(EndpointUser* user) {
  if (user->dirty_.exchange(true, std::memory_order_acq_rel)) return;
  if (inline_) return;
  {
    MutexLock lock(&mu_);
    dirty_.push_back(user);
  }
  any_dirty_.store(true, std::memory_order_release);
}

bool Endpoint::AnyDirty() const {
  if (!inline_) return any_dirty_.load(std::memory_order_acquire);
  const EndpointUser* user = sole_user_.load(std::memory_order_relaxed);
  return user != nullptr && user->dirty_.load(std::memory_order_acquire);
}

void Endpoint::Poke() {
  if (inline_ && !context_.runner->OnThread()) {
    RunStrand();
  } else {
    Schedule();
  }
}

void Endpoint::PokeUnlessResting() {
  const int64_t until = rests_until_ns_.load(std::memory_order_acquire);
  if (until > absl::ToUnixNanos(context_.clock->Steady())) {
    context_.runner->ScheduleAt(this, absl::FromUnixNanos(until));
  } else {
    Poke();
  }
}

void Endpoint::RunWithin(absl::Duration wait, absl::Duration slack) {
  context_.runner->ScheduleAt(this, context_.clock->Steady() + wait, slack);
}

void Endpoint::Wake() {
  if (inline_) {
    // An inline endpoint has one handle.
    EndpointUser* user = sole_user_.load(std::memory_order_acquire);
    if (user != nullptr && user->OnInlineWake()) return;
  } else if (context_.runner->OnThread() && before_run_) {
    return;
  }
  Schedule();
}

void Endpoint::RunFromRunner(absl::Time /*now*/) { RunStrand(); }

void Endpoint::RunTooLate() {
  const std::shared_ptr<Runnable> self = shared_from_this();
  strand_.Run(std::numeric_limits<int>::max(), [this] {
    TakeCommands();
    RefuseLate();
    return false;
  });
}

void Endpoint::RunStrand() {
  // Keeps the endpoint alive while inside.
  const std::shared_ptr<Runnable> self = shared_from_this();
  const bool done =
      strand_.Run(kMaxTurns, [this] { return Turn(context_.clock->Steady()); });
  if (!done) Schedule();
}

bool Endpoint::Turn(absl::Time now) {
  TakeCommands();
  if (state_ == State::kClosed) {
    RefuseLate();
    return false;
  }
  if (state_ == State::kIdle && (!users_.empty() || !to_ask_.empty())) {
    state_ = State::kWaiting;
  }
  if (state_ == State::kWaiting && now >= retry_at_) Connect(now);
  if (lost_) {
    DropConnection(lost_why_);
    return true;
  }
  before_run_ = connection_ != nullptr;
  PumpDirty(now);
  if (connection_ != nullptr) SendQuestions();
  before_run_ = false;
  driver::Progress progress;
  if (connection_ != nullptr) {
    progress = connection_->Run(now);
    if (state_ == State::kConnecting && now >= connect_deadline_ && !lost_) {
      OnLost(MakeStatus(absl::StatusCode::kUnavailable,
                        "broker {}: no connection to {} within {}",
                        broker_.name, broker_.url.HostList(0),
                        absl::FormatDuration(broker_.connect_timeout)));
    }
    if (lost_) {
      DropConnection(lost_why_);
      return true;
    }
  }
  if (!inline_) {
    rests_until_ns_.store(absl::ToUnixNanos(progress.rests_until),
                          std::memory_order_release);
  }
  ExpireQuestions(now);
  Arm(progress.next);
  const bool may_ask = state_ == State::kUp && !to_ask_.empty();
  return progress.worked || may_ask || AnyDirty();
}

void Endpoint::TakeCommands() {
  if (!any_command_.load(std::memory_order_acquire)) return;
  any_command_.store(false, std::memory_order_release);
  std::vector<std::shared_ptr<EndpointUser>> attach;
  std::vector<std::shared_ptr<EndpointUser>> detach;
  bool close = false;
  absl::Status reset;
  {
    MutexLock lock(&mu_);
    reset = std::exchange(reset_wanted_, absl::OkStatus());
    attach.swap(attaching_);
    detach.swap(detaching_);
    std::move(new_questions_.begin(), new_questions_.end(),
              std::back_inserter(to_ask_));
    new_questions_.clear();
    close = close_wanted_ && state_ < State::kClosing;
    if (close) close_by_ = close_wanted_by_;
  }
  for (auto& user : attach) {
    EndpointUser* u = user.get();
    u->number_ = next_user_++;
    users_.emplace(u, std::move(user));
    if (inline_) sole_user_.store(u, std::memory_order_release);
    if (state_ == State::kUp) {
      u->up_ = true;
      u->OnUp(connection_.get());
    }
    // It may have been marked, and passed over, before it was attached.
    u->dirty_.store(false, std::memory_order_release);
    MarkDirty(u);
  }
  for (auto& user : detach) {
    if (users_.find(user.get()) == users_.end()) continue;
    user->up_ = false;
    user->OnDown(absl::OkStatus());
    SetTimer(user.get(), absl::InfiniteFuture());
    sole_user_.store(nullptr, std::memory_order_release);
    {
      MutexLock lock(&mu_);
      std::erase(dirty_, user.get());
    }
    users_.erase(user.get());
    // The driver may still be on its way to wake it.
    if (inline_) retained_.push_back(std::move(user));
  }
  if (inline_ && !detach.empty() && users_.empty() &&
      state_ < State::kClosing) {
    // It was this handle's own.
    close = true;
    close_by_ = context_.clock->Steady();
  }
  if (!reset.ok() && connection_ != nullptr && !lost_ && !close) {
    OnLost(reset);
  }
  if (!close) return;
  if (connection_ == nullptr) {
    DropConnection(absl::OkStatus());
  } else {
    connection_->Close(close_by_);
    state_ = State::kClosing;
  }
}

void Endpoint::Connect(absl::Time now) {
  {
    MutexLock lock(&mu_);
    ++connects_;
  }
  auto connection = driver_->Connect(broker_, this, this, context_.clock, now);
  state_ = State::kConnecting;
  connect_deadline_ = now + broker_.connect_timeout;
  if (!connection.ok()) {
    DropConnection(connection.status());
    return;
  }
  connection_ = *std::move(connection);
}

void Endpoint::OnUp(const Capabilities& /*capabilities*/) {
  state_ = State::kUp;
  connect_deadline_ = absl::InfiniteFuture();
  up_.store(true, std::memory_order_release);
  {
    MutexLock lock(&mu_);
    last_error_ = absl::OkStatus();
  }
  Log(LogLevel::kInfo, "connected");
  for (EndpointUser* user : UsersInOrder()) {
    user->up_ = true;
    user->OnUp(connection_.get());
    MarkDirty(user);
  }
}

std::vector<EndpointUser*> Endpoint::UsersInOrder() const {
  std::vector<EndpointUser*> users;
  users.reserve(users_.size());
  for (const auto& [user, shared] : users_) users.push_back(user);
  std::sort(users.begin(), users.end(), [](const auto* a, const auto* b) {
    return a->number_ < b->number_;
  });
  return users;
}

void Endpoint::OnLost(const absl::Status& why) {
  lost_ = true;
  lost_why_ = why;
}

void Endpoint::DropConnection(const absl::Status& why) {
  const bool was_up = up_.exchange(false);
  lost_ = false;
  {
    MutexLock lock(&mu_);
    if (was_up && !why.ok()) ++losses_;
    last_error_ = why;
  }
  for (EndpointUser* user : UsersInOrder()) {
    user->up_ = false;
    user->OnDown(why);
    MarkDirty(user);
  }
  context_.runner->Watch(this, {});
  watched_ = {};
  connection_.reset();
  retained_.clear();
  FailQuestions(why.ok() ? absl::UnavailableError("the connection was closed")
                         : why);
  if (state_ == State::kClosing || why.ok()) {
    End();
    return;
  }
  if (was_up) backoff_.Reset();
  const absl::Duration delay = backoff_.Next(Random());
  Log(LogLevel::kWarning, fmt::format("{}; next try in {}", MessageOf(why),
                                      absl::FormatDuration(delay)));
  retry_at_ = context_.clock->Steady() + delay;
  state_ = State::kWaiting;
}

void Endpoint::End() {
  state_ = State::kClosed;
  RefuseLate();
  context_.runner->Forget(this);
  MutexLock lock(&mu_);
  closed_ = true;
  closed_cv_.NotifyAll();
}

// What comes after the end, or was left at it, is told so at once.
void Endpoint::RefuseLate() {
  const std::vector<EndpointUser*> in_order = UsersInOrder();
  std::unordered_map<EndpointUser*, std::shared_ptr<EndpointUser>> users;
  users.swap(users_);
  user_timers_.clear();
  sole_user_.store(nullptr, std::memory_order_release);
  for (EndpointUser* user : in_order) {
    user->timer_ = absl::InfiniteFuture();
    user->OnDown(absl::OkStatus());
  }
  FailQuestions(MakeStatus(absl::StatusCode::kFailedPrecondition,
                           "broker {}: the connection was closed",
                           broker_.name));
}

void Endpoint::PumpOne(EndpointUser* user, absl::Time now) {
  user->dirty_.store(false, std::memory_order_release);
  SetTimer(user, user->Pump(now));
}

void Endpoint::PumpNow(EndpointUser* user) {
  if (inline_) {
    MarkDirty(user);
    RunStrand();
    return;
  }
  // On the runner's thread nobody else is in the strand: this thread is, or no
  // one. What is then to be run is run once for all that is handed over.
  if (context_.runner->OnThread() && users_.find(user) != users_.end()) {
    SetTimer(user, user->Pump(context_.clock->Steady()));
  } else {
    MarkDirty(user);
  }
  Schedule();
}

void Endpoint::PumpDirty(absl::Time now) {
  if (inline_) {
    EndpointUser* user = sole_user_.load(std::memory_order_relaxed);
    if (user != nullptr && (AnyDirty() || user->timer_ <= now)) {
      PumpOne(user, now);
    }
    return;
  }
  if (any_dirty_.exchange(false, std::memory_order_acq_rel)) {
    {
      MutexLock lock(&mu_);
      pumping_.swap(dirty_);
    }
    for (EndpointUser* user : pumping_) {
      if (users_.find(user) != users_.end()) PumpOne(user, now);
    }
    pumping_.clear();
  }
  while (!user_timers_.empty() && user_timers_.begin()->first <= now) {
    EndpointUser* user = user_timers_.begin()->second;
    SetTimer(user, absl::InfiniteFuture());
    PumpOne(user, now);
  }
}

void Endpoint::SetTimer(EndpointUser* user, absl::Time when) {
  if (user->timer_ == when) return;
  if (inline_) {
    user->timer_ = when;
    return;
  }
  if (user->timer_ != absl::InfiniteFuture()) {
    auto [begin, end] = user_timers_.equal_range(user->timer_);
    for (auto it = begin; it != end; ++it) {
      if (it->second == user) {
        user_timers_.erase(it);
        break;
      }
    }
  }
  user->timer_ = when;
  if (when != absl::InfiniteFuture()) user_timers_.emplace(when, user);
}

void Endpoint::Arm(absl::Time next) {
  if (connection_ != nullptr) {
    const driver::PollSet set = connection_->pollable();
    if (set.fd != watched_.fd || set.read != watched_.read ||
        set.write != watched_.write) {
      watched_ = set;
      context_.runner->Watch(this, set);
    }
  }
  if (state_ == State::kWaiting) next = std::min(next, retry_at_);
  if (state_ == State::kConnecting) next = std::min(next, connect_deadline_);
  if (state_ == State::kClosing) next = std::min(next, close_by_);
  if (!user_timers_.empty()) {
    next = std::min(next, user_timers_.begin()->first);
  }
  if (const EndpointUser* user = sole_user_.load(std::memory_order_relaxed)) {
    next = std::min(next, user->timer_);
  }
  for (const auto& [cookie, question] : asked_) {
    next = std::min(next, question.request.deadline);
  }
  for (const Question& question : to_ask_) {
    next = std::min(next, question.request.deadline);
  }
  context_.runner->ScheduleAt(this, next);
}

void Endpoint::Ask(driver::Request request, ReplyCallback done,
                   FindReceiver receiver) {
  {
    MutexLock lock(&mu_);
    new_questions_.push_back(
        {std::move(request), std::move(done), std::move(receiver)});
  }
  any_command_.store(true, std::memory_order_release);
  Poke();
}

void Endpoint::SendQuestions() {
  if (state_ != State::kUp || to_ask_.empty()) return;
  std::vector<Question> questions;
  questions.swap(to_ask_);
  for (Question& question : questions) {
    driver::Request request = question.request;
    if (question.receiver) {
      request.receiver = question.receiver();
      if (request.receiver == nullptr) {
        driver::Reply reply;
        reply.status =
            MakeStatus(absl::StatusCode::kUnavailable,
                       "broker {}: the receiver is not open", broker_.name);
        question.done(std::move(reply));
        continue;
      }
    }
    const uint64_t cookie = next_cookie_++;
    asked_.emplace(cookie, std::move(question));
    connection_->Ask(cookie, std::move(request));
  }
}

void Endpoint::OnReply(driver::Reply reply) {
  auto it = asked_.find(reply.cookie);
  if (it == asked_.end()) return;  // came after its deadline
  ReplyCallback done = std::move(it->second.done);
  asked_.erase(it);
  done(std::move(reply));
}

void Endpoint::FailQuestions(const absl::Status& why) {
  std::map<uint64_t, Question> asked;
  asked.swap(asked_);
  for (auto& [cookie, question] : asked) {
    driver::Reply reply;
    reply.status = why;
    question.done(std::move(reply));
  }
  // What was not asked yet waits for the next connection, unless none can be.
  if (why.code() == absl::StatusCode::kUnavailable &&
      state_ != State::kClosing) {
    return;
  }
  std::vector<Question> waiting;
  waiting.swap(to_ask_);
  for (Question& question : waiting) {
    driver::Reply reply;
    reply.status = why;
    question.done(std::move(reply));
  }
}

void Endpoint::ExpireQuestions(absl::Time now) {
  const auto expire = [&](Question& question) {
    driver::Reply reply;
    absl::Status error = last_error();
    reply.status = MakeStatus(
        absl::StatusCode::kDeadlineExceeded, "broker {}: no answer in time{}{}",
        broker_.name, error.ok() ? "" : "; last error: ", MessageOf(error));
    question.done(std::move(reply));
  };
  for (auto it = asked_.begin(); it != asked_.end();) {
    if (it->second.request.deadline <= now) {
      expire(it->second);
      it = asked_.erase(it);
    } else {
      ++it;
    }
  }
  for (auto it = to_ask_.begin(); it != to_ask_.end();) {
    if (it->request.deadline <= now) {
      expire(*it);
      it = to_ask_.erase(it);
    } else {
      ++it;
    }
  }
}

void Endpoint::Reset(absl::Status why) {
  {
    MutexLock lock(&mu_);
    reset_wanted_ = std::move(why);
  }
  any_command_.store(true, std::memory_order_release);
  Schedule();
}

absl::Status Endpoint::Close(absl::Duration timeout) {
  {
    MutexLock lock(&mu_);
    close_wanted_ = true;
    close_wanted_by_ = context_.clock->Steady() + timeout;
  }
  any_command_.store(true, std::memory_order_release);
  Schedule();
  if (inline_) RunStrand();
  const Deadline deadline(timeout + absl::Milliseconds(100));
  MutexLock lock(&mu_);
  while (!closed_) {
    if (deadline.Passed() || context_.runner->OnThread()) {
      return MakeStatus(absl::StatusCode::kDeadlineExceeded,
                        "broker {}: not closed within {}", broker_.name,
                        absl::FormatDuration(timeout));
    }
    closed_cv_.WaitFor(&mu_, deadline.Left());
  }
  return absl::OkStatus();
}

absl::Status Endpoint::last_error() const {
  MutexLock lock(&mu_);
  return last_error_;
}

BrokerMetrics Endpoint::metrics() const {
  BrokerMetrics m;
  m.broker = broker_.name;
  m.up = up();
  MutexLock lock(&mu_);
  m.connects = connects_;
  m.losses = losses_;
  m.last_error = std::string(MessageOf(last_error_));
  return m;
}

void Endpoint::Log(LogLevel level, std::string_view text) const {
  if (!context_.options->log) return;
  context_.options->log(level,
                        fmt::format("broker {}: {}", broker_.name, text));
}

double Endpoint::Random() {
  MutexLock lock(&mu_);
  // xorshift64*: enough for jitter.
  random_state_ ^= random_state_ >> 12;
  random_state_ ^= random_state_ << 25;
  random_state_ ^= random_state_ >> 27;
  return static_cast<double>((random_state_ * 0x2545F4914F6CDD1Dull) >> 11) *
         0x1.0p-53;
}

}  // namespace tieline::inline v0
