#include "lib/engine/inbox.h"

#include <algorithm>
#include <utility>

#include "lib/base/mutant.h"
#include "lib/base/status.h"

namespace tieline::inline v0 {

absl::Status InboxOptions::Validate() const {
  const auto check = [](bool right, std::string_view field) {
    return right ? absl::OkStatus()
                 : InvalidArgument("inbox: {}: expected more than 0", field);
  };
  TIELINE_RETURN_IF_ERROR(check(window.age > absl::ZeroDuration(), "age"));
  TIELINE_RETURN_IF_ERROR(check(window.ids > 0, "window.ids"));
  TIELINE_RETURN_IF_ERROR(check(claims > 0, "claims"));
  TIELINE_RETURN_IF_ERROR(check(ids > 0, "ids"));
  TIELINE_RETURN_IF_ERROR(check(batch_ids > 0, "batch_ids"));
  TIELINE_RETURN_IF_ERROR(check(batch_bytes > 0, "batch_bytes"));
  TIELINE_RETURN_IF_ERROR(
      check(evict_every > absl::ZeroDuration(), "evict_every"));
  return check(retry > absl::ZeroDuration(), "retry");
}

absl::StatusOr<std::shared_ptr<Inbox>> Inbox::Make(Store* store, QueueId queue,
                                                   const InboxOptions& options,
                                                   Clock* clock) {
  TIELINE_RETURN_IF_ERROR(options.Validate());
  return std::shared_ptr<Inbox>(new Inbox(store, queue, options, clock));
}

Inbox::Inbox(Store* store, QueueId queue, const InboxOptions& options,
             Clock* clock)
    : store_(store),
      queue_(queue),
      options_(options),
      clock_(clock),
      stored_ids_(store->state().inbox_ids) {}

Inbox::UserNumber Inbox::Join(std::shared_ptr<InboxUser> user) {
  const MutexLock lock(&mu_);
  users_[++last_user_] = std::move(user);
  return last_user_;
}

void Inbox::Leave(UserNumber user) {
  std::shared_ptr<InboxUser> left;  // not destroyed under the lock
  const MutexLock lock(&mu_);
  claims_.Forget(user);
  const auto it = users_.find(user);
  if (it == users_.end()) return;
  left = std::move(it->second);
  users_.erase(it);
}

bool Inbox::IsFull() const {
  const size_t held = claims_.size();
  return closed_ || held >= options_.claims ||
         stored_ids_ + static_cast<int64_t>(held) >= options_.ids;
}

void Inbox::Count(InboxVerdict verdict) {
  if (verdict == InboxVerdict::kDone) ++counts_.suppressed;
  if (verdict == InboxVerdict::kDoneOtherBody) ++counts_.other_body;
  if (verdict != InboxVerdict::kFull) return;
  ++counts_.refused;
  refused_ = true;
}

InboxVerdict Inbox::Claim(std::string_view id, uint64_t digest, UserNumber user,
                          uint64_t cookie) {
  const MutexLock lock(&mu_);
  InboxVerdict verdict = InboxVerdict::kFull;
  if (closed_ || claims_.waiting() >= options_.claims) {
    Count(verdict);
    return verdict;
  }
  // What is durable leaves the claims after it came to the store: whoever looks
  // here first misses nothing.
  if (claims_.Join(id, digest, {user, cookie})) return InboxVerdict::kInHand;
  const std::optional<uint64_t> handled = store_->FindInInbox(queue_, id);
  if (handled == digest || !IsFull()) {
    verdict = claims_.Take(id, digest, handled);
  }
  Count(verdict);
  return verdict;
}

void Inbox::Done(std::string_view id, UserNumber user, uint64_t cookie) {
  bool closed = false;
  {
    const MutexLock lock(&mu_);
    closed = closed_;
    if (!closed) {
      const auto claim = claims_.Find(id);
      if (!claim.has_value() || !claims_.Seal(*claim)) return;
      to_store_.push_back({*claim, {user, cookie}});
      if (storing_.empty() && !delayed_) Flush();
      if (!due_) return;
    }
  }
  if (!closed) {
    TellDue();
    return;
  }
  TellDurable({{0, {user, cookie}}},
              absl::CancelledError("the inbox was closed"));
}

void Inbox::Failed(std::string_view id) {
  {
    const MutexLock lock(&mu_);
    const auto claim = claims_.Find(id);
    if (!claim.has_value() || claims_.IsSealed(*claim)) return;
    End(*claim, false);
  }
  TellVerdicts();
  TellDue();
}

void Inbox::End(Claims::Number claim, bool handled) {
  std::vector<Claims::Told> told;
  claims_.End(claim, handled, &told);
  for (const Claims::Told& one : told) {
    Count(one.verdict);
    verdicts_.push_back(one);
  }
}

// Begins a batch. Nothing is on its way.
void Inbox::Flush() {
  StoreBatch batch;
  size_t taken = 0;
  while (
      taken < to_store_.size() && taken < options_.batch_ids &&
      (taken == 0 || batch.bytes() + static_cast<int64_t>(StoreBatch::kMaxId) <
                         options_.batch_bytes)) {
    const Claims::Number claim = to_store_[taken].claim;
    if (!Mutant(93)) {
      batch.AddToInbox(queue_, claims_.IdOf(claim), claims_.DigestOf(claim));
    }
    ++taken;
  }
  if (taken == 0) return;
  const auto end = to_store_.begin() + static_cast<ptrdiff_t>(taken);
  if (taken == to_store_.size()) {
    storing_.swap(to_store_);
  } else {
    storing_.assign(to_store_.begin(), end);
    to_store_.erase(to_store_.begin(), end);
  }
  const absl::Status status = store_->Submit(
      std::move(batch), [weak = weak_from_this()](const auto& committed) {
        if (const auto self = weak.lock()) {
          self->OnCommitted(committed.status());
        }
      });
  if (!status.ok()) PutBack(status);
}

// The batch was not taken: it is tried again later, before the others.
void Inbox::PutBack(const absl::Status& why) {
  to_store_.insert(to_store_.begin(), storing_.begin(), storing_.end());
  storing_.clear();
  counts_.last_error = why;
  const absl::Time now = clock_->Steady();
  delayed_ = true;
  due_ = !Mutant(94);
  retry_at_ = now + options_.retry;
  if (absl::IsResourceExhausted(why)) next_eviction_ = now;
}

void Inbox::OnCommitted(const absl::Status& status) {
  std::vector<Item> durable;
  {
    const MutexLock lock(&mu_);
    if (closed_) return;
    if (status.ok()) {
      durable.swap(storing_);
      for (const Item& item : durable) End(item.claim, true);
      counts_.last_error = absl::OkStatus();
      stored_ids_ = store_->state().inbox_ids;
      Flush();
    } else {
      PutBack(status);
    }
  }
  TellDurable(durable, absl::OkStatus());
  TellVerdicts();
  TellDue();
}

void Inbox::BeginMove() {
  const MutexLock lock(&mu_);
  ++moves_;
}

void Inbox::EndMove() {
  {
    const MutexLock lock(&mu_);
    --moves_;
    keep_until_ = clock_->Steady() + options_.window.age;
    due_ = true;
  }
  TellDue();
}

absl::Time Inbox::Tick() {
  const absl::Time now = clock_->Steady();
  const MutexLock lock(&mu_);
  if (closed_) return absl::InfiniteFuture();
  if (delayed_ && now >= retry_at_) {
    delayed_ = false;
    Flush();
  }
  due_ = false;
  absl::Time next = absl::InfiniteFuture();
  if (moves_ == 0) {
    const absl::Time due = std::max(next_eviction_, keep_until_);
    if (now >= due && !evicting_) Evict(now);
    next = std::max(next_eviction_, keep_until_);
  }
  return delayed_ ? std::min(next, retry_at_) : next;
}

void Inbox::Evict(absl::Time now) {
  next_eviction_ = now + options_.evict_every;
  StoreBatch batch;
  batch.EvictFromInbox(queue_, options_.window);
  const absl::Status status =
      store_->Submit(std::move(batch), [weak = weak_from_this()](const auto&) {
        if (const auto self = weak.lock()) self->OnEvicted();
      });
  if (status.ok()) {
    evicting_ = true;
  } else {
    counts_.last_error = status;
  }
}

void Inbox::OnEvicted() {
  {
    const MutexLock lock(&mu_);
    evicting_ = false;
    if (closed_) return;
    stored_ids_ = store_->state().inbox_ids;
  }
  TellDue();
}

void Inbox::Close() {
  std::vector<Item> open;
  {
    const MutexLock lock(&mu_);
    closed_ = true;
    open.swap(storing_);
    open.insert(open.end(), to_store_.begin(), to_store_.end());
    to_store_.clear();
  }
  TellDurable(open, absl::CancelledError("the inbox was closed"));
}

std::shared_ptr<InboxUser> Inbox::UserOf(UserNumber number) const {
  const auto it = users_.find(number);
  return it == users_.end() ? nullptr : it->second;
}

void Inbox::TellDurable(const std::vector<Item>& items,
                        const absl::Status& status) {
  std::vector<uint64_t> cookies;
  for (size_t i = 0; i < items.size();) {
    const UserNumber number = items[i].who.user;
    cookies.clear();
    for (; i < items.size() && items[i].who.user == number; ++i) {
      cookies.push_back(items[i].who.cookie);
    }
    std::shared_ptr<InboxUser> user;
    {
      const MutexLock lock(&mu_);
      user = UserOf(number);
    }
    if (user != nullptr) user->OnDurable(cookies, status);
  }
}

void Inbox::TellVerdicts() {
  bool mine = false;
  for (;;) {
    Claims::Told one;
    std::shared_ptr<InboxUser> user;
    {
      const MutexLock lock(&mu_);
      if (telling_ && !mine) return;
      mine = telling_ = !verdicts_.empty();
      if (!mine) return;
      one = verdicts_.front();
      verdicts_.pop_front();
      user = UserOf(one.who.user);
      // It left while its verdict was on the way: the next one has its turn.
      if (user == nullptr && one.verdict != InboxVerdict::kDone) {
        End(one.claim, false);
      }
    }
    if (user != nullptr) user->OnVerdict(one.who.cookie, one.verdict);
  }
}

void Inbox::TellDue() {
  std::vector<std::shared_ptr<InboxUser>> users;
  {
    const MutexLock lock(&mu_);
    const bool has_room = refused_ && !IsFull();
    if (!has_room && !due_) return;
    if (has_room) refused_ = false;
    due_ = false;
    for (const auto& [number, user] : users_) users.push_back(user);
  }
  for (const auto& user : users) user->OnDue();
}

Inbox::State Inbox::state() const {
  const MutexLock lock(&mu_);
  State state = counts_;
  state.claims = claims_.size();
  state.waiting = claims_.waiting();
  state.to_store = to_store_.size() + storing_.size();
  return state;
}

}  // namespace tieline::inline v0
