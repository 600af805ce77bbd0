#include "lib/engine/deduper.h"

#include <utility>

#include "lib/base/status.h"
#include "lib/engine/id_stamp.h"
#include "lib/engine/inbox_id.h"

namespace tieline::inline v0 {

using driver::Inbound;
using driver::Token;

Deduper::Deduper(std::shared_ptr<Inbox> inbox, const QueueConfig& queue,
                 bool keeps_positions)
    : inbox_(std::move(inbox)),
      broker_(queue.broker),
      entity_(queue.entity),
      unique_ids_(queue.ids == MessageIds::kUnique),
      keeps_positions_(keeps_positions) {}

void Deduper::Join(std::weak_ptr<DeduperLeg> leg) {
  leg_ = std::move(leg);
  user_ = inbox_->Join(shared_from_this());
}

std::shared_ptr<DeduperLeg> Deduper::leg() const { return leg_.lock(); }

// ---- Claims.

Deduper::Slot Deduper::TakeSlot() {
  if (free_.empty()) {
    claims_.emplace_back();
    return static_cast<Slot>(claims_.size() - 1);
  }
  const Slot slot = free_.back();
  free_.pop_back();
  return slot;
}

void Deduper::FreeSlot(Slot slot) {
  Claim& claim = claims_[slot];
  slots_.erase(Name{claim.token, claim.incarnation});
  claim.state = State::kFree;
  free_.push_back(slot);
}

Deduper::Way Deduper::Ask(const Inbound& inbound, uint32_t incarnation,
                          std::optional<Slot>* slot) {
  const Name name{inbound.token, incarnation};
  // In hand: it is tried again in place.
  if (closed_ || slots_.contains(name)) return Way::kDeliver;
  const Message& message = inbound.message;
  const Slot taken = TakeSlot();
  Claim& claim = claims_[taken];
  const SourcePlace place{broker_, entity_,
                          static_cast<uint32_t>(inbound.token.lane),
                          keeps_positions_ ? inbound.position : -1};
  if (!InboxIdOf(message, unique_ids_ || IsStamped(message.id()), place,
                 &claim.id)) {
    free_.push_back(taken);
    return Way::kDeliver;
  }
  switch (inbox_->Claim(claim.id, BodyDigest(message), user_, taken)) {
    case InboxVerdict::kDoneOtherBody:
      other_bodies_.push_back(claim.id);
      [[fallthrough]];
    case InboxVerdict::kNew:
      claim.state = State::kInHand;
      break;
    case InboxVerdict::kInHand:
      claim.state = State::kWaits;
      *slot = taken;
      break;
    case InboxVerdict::kDone:
      free_.push_back(taken);
      return Way::kComplete;
    case InboxVerdict::kFull:
      full_ = true;
      free_.push_back(taken);
      return Way::kWait;
  }
  claim.token = inbound.token;
  claim.incarnation = incarnation;
  slots_.emplace(name, taken);
  return claim.state == State::kWaits ? Way::kWait : Way::kDeliver;
}

Deduper::Way Deduper::WayNow(Waiting& waiting) {
  if (full_ || IsBehind(waiting.inbound)) return Way::kWait;
  if (!waiting.slot.has_value()) {
    return Ask(waiting.inbound, waiting.incarnation, &waiting.slot);
  }
  Claim& claim = claims_[*waiting.slot];
  if (claim.state == State::kWaits) return Way::kWait;
  if (claim.state == State::kCopy) {
    FreeSlot(*waiting.slot);
    return Way::kComplete;
  }
  claim.state = State::kInHand;
  return Way::kDeliver;
}

// ---- Deliveries.

bool Deduper::IsBehind(const Inbound& inbound) const {
  return !keys_.empty() && inbound.message.has(Field::kKey) &&
         keys_.contains(ToAbsl(inbound.message.key()));
}

void Deduper::Wait(Inbound inbound, uint32_t incarnation,
                   std::optional<Slot> slot) {
  if (inbound.message.has(Field::kKey)) {
    keys_.emplace(ToAbsl(inbound.message.key()));
  }
  waiting_.push_back({std::move(inbound), incarnation, slot});
}

std::span<Inbound> Deduper::Admit(std::span<Inbound> deliveries,
                                  uint32_t incarnation,
                                  std::vector<Token>* copies) {
  size_t passed = 0;
  bool tell = false;
  {
    const MutexLock lock(&mu_);
    for (Inbound& inbound : deliveries) {
      std::optional<Slot> slot;
      const bool waits = full_ || IsBehind(inbound);
      switch (waits ? Way::kWait : Ask(inbound, incarnation, &slot)) {
        case Way::kDeliver:
          if (&deliveries[passed] != &inbound) {
            deliveries[passed] = std::move(inbound);
          }
          ++passed;
          break;
        case Way::kComplete:
          copies->push_back(inbound.token);
          break;
        case Way::kWait:
          Wait(std::move(inbound), incarnation, slot);
          break;
      }
    }
    tell = !other_bodies_.empty();
  }
  if (tell) TellOtherBodies();
  return deliveries.first(passed);
}

std::vector<Inbound> Deduper::TakeReady(uint32_t incarnation,
                                        std::vector<Token>* copies) {
  std::vector<Inbound> passed;
  {
    const MutexLock lock(&mu_);
    ready_.store(false, std::memory_order_release);
    full_ = false;
    keys_.clear();
    std::deque<Waiting> before;
    before.swap(waiting_);
    for (Waiting& waiting : before) {
      if (waiting.incarnation != incarnation) {
        waiting_.push_back(std::move(waiting));
        continue;
      }
      switch (WayNow(waiting)) {
        case Way::kDeliver:
          passed.push_back(std::move(waiting.inbound));
          break;
        case Way::kComplete:
          copies->push_back(waiting.inbound.token);
          break;
        case Way::kWait:
          Wait(std::move(waiting.inbound), incarnation, waiting.slot);
          break;
      }
    }
  }
  TellOtherBodies();
  return passed;
}

void Deduper::TellOtherBodies() {
  std::vector<std::string> ids;
  {
    const MutexLock lock(&mu_);
    ids.swap(other_bodies_);
  }
  const std::shared_ptr<DeduperLeg> leg_now = leg();
  if (leg_now == nullptr) return;
  for (const std::string& id : ids) leg_now->OnOtherBody(id);
}

void Deduper::Drop(uint32_t incarnation, std::optional<driver::Lane> lane,
                   const See& see) {
  std::vector<std::string> failed;
  {
    const MutexLock lock(&mu_);
    std::deque<Waiting> before;
    before.swap(waiting_);
    keys_.clear();
    for (Waiting& waiting : before) {
      const bool goes =
          waiting.incarnation == incarnation &&
          (!lane.has_value() || *lane == waiting.inbound.token.lane);
      if (!goes) {
        Wait(std::move(waiting.inbound), waiting.incarnation, waiting.slot);
        continue;
      }
      see(waiting.inbound);
      if (!waiting.slot.has_value()) continue;
      Claim& claim = claims_[*waiting.slot];
      if (claim.state == State::kWaits) {
        slots_.erase(Name{claim.token, claim.incarnation});
        claim.state = State::kGone;
        continue;
      }
      if (claim.state == State::kNew) failed.push_back(claim.id);
      FreeSlot(*waiting.slot);
    }
  }
  for (const std::string& id : failed) inbox_->Failed(id);
}

// ---- What the consumer says.

void Deduper::Complete(std::vector<Token>* tokens, uint32_t incarnation) {
  std::vector<Slot> sealed;
  std::vector<std::string_view> ids;
  {
    const MutexLock lock(&mu_);
    sealed.reserve(tokens->size());
    ids.reserve(tokens->size());
    std::erase_if(*tokens,
                  [&](const Token& token) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
                    const auto it = slots_.find(Name{token, incarnation});
                    if (it == slots_.end()) return false;
                    Claim& claim = claims_[it->second];
                    if (claim.state == State::kInHand) {
                      claim.state = State::kSealed;
                      sealed.push_back(it->second);
                      ids.push_back(claim.id);
                    }
                    return true;
                  });
    pending_.fetch_add(sealed.size(), std::memory_order_release);
  }
  for (size_t i = 0; i < sealed.size(); ++i) {
    inbox_->Done(ids[i], user_, sealed[i]);
  }
}

void Deduper::GiveUp(const Token& token, uint32_t incarnation) {
  std::string id;
  {
    const MutexLock lock(&mu_);
    const auto it = slots_.find(Name{token, incarnation});
    if (it == slots_.end()) return;
    Claim& claim = claims_[it->second];
    if (claim.state != State::kInHand) return;
    id = claim.id;
    FreeSlot(it->second);
  }
  inbox_->Failed(id);
}

// ---- What the inbox says.

void Deduper::OnVerdict(uint64_t cookie, InboxVerdict verdict) {
  std::string unwanted;
  {
    const MutexLock lock(&mu_);
    const auto slot = static_cast<Slot>(cookie);
    Claim& claim = claims_[slot];
    const bool is_copy = verdict == InboxVerdict::kDone;
    if (claim.state == State::kWaits) {
      claim.state = is_copy ? State::kCopy : State::kNew;
      if (verdict == InboxVerdict::kDoneOtherBody) {
        other_bodies_.push_back(claim.id);
      }
      ready_.store(true, std::memory_order_release);
    } else {
      if (!is_copy) unwanted = claim.id;
      claim.state = State::kFree;
      free_.push_back(slot);
    }
  }
  if (!unwanted.empty()) inbox_->Failed(unwanted);
  if (const auto leg_now = leg()) leg_now->OnDeduperChange();
}

void Deduper::OnDurable(std::span<const uint64_t> cookies,
                        const absl::Status& status) {
  std::vector<Name> done;
  done.reserve(cookies.size());
  {
    const MutexLock lock(&mu_);
    for (const uint64_t cookie : cookies) {
      const auto slot = static_cast<Slot>(cookie);
      const Claim& claim = claims_[slot];
      if (claim.state != State::kSealed) continue;
      done.push_back({claim.token, claim.incarnation});
      FreeSlot(slot);
    }
  }
  const std::shared_ptr<DeduperLeg> leg_now = leg();
  std::vector<Token> tokens;
  for (size_t i = 0; i < done.size() && leg_now != nullptr && status.ok();) {
    const uint32_t incarnation = done[i].incarnation;
    tokens.clear();
    for (; i < done.size() && done[i].incarnation == incarnation; ++i) {
      tokens.push_back(done[i].token);
    }
    leg_now->CompleteDurable(tokens, incarnation);
  }
  pending_.fetch_sub(done.size(), std::memory_order_release);
  if (leg_now != nullptr) leg_now->OnDeduperChange();
}

void Deduper::OnDue() {
  ready_.store(true, std::memory_order_release);
  if (const auto leg_now = leg()) leg_now->OnDeduperChange();
}

void Deduper::Close() {
  std::vector<std::string> open;
  {
    const MutexLock lock(&mu_);
    if (std::exchange(closed_, true)) return;
    for (const auto& [name, slot] : slots_) {
      const Claim& claim = claims_[slot];
      if (claim.state == State::kInHand || claim.state == State::kNew) {
        open.push_back(claim.id);
      }
    }
    slots_.clear();
    waiting_.clear();
    keys_.clear();
    size_t sealed = 0;
    for (Claim& claim : claims_) {
      if (claim.state == State::kSealed) ++sealed;
      if (claim.state != State::kFree) claim.state = State::kGone;
    }
    pending_.fetch_sub(sealed, std::memory_order_release);
  }
  inbox_->Leave(user_);
  for (const std::string& id : open) inbox_->Failed(id);
}

}  // namespace tieline::inline v0
