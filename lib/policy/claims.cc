#include "lib/policy/claims.h"

#include <utility>

#include "lib/base/mutant.h"

namespace tieline::inline v0 {

bool Claims::Join(std::string_view id, uint64_t digest, Who who) {
  const std::optional<Number> claim = Find(id);
  if (!claim.has_value() || Mutant(40)) return false;
  Slot& slot = slots_[*claim];
  if (slot.waiters == nullptr) {
    slot.waiters = std::make_unique<std::deque<Waiter>>();
  }
  if (Mutant(41)) {
    slot.waiters->insert(slot.waiters->begin(), {who, digest});
  } else {
    slot.waiters->push_back({who, digest});
  }
  ++waiting_;
  return true;
}

InboxVerdict Claims::Take(std::string_view id, uint64_t digest,
                          std::optional<uint64_t> handled) {
  if (handled == digest && !Mutant(42)) return InboxVerdict::kDone;
  Number number;
  if (free_.empty()) {
    number = static_cast<Number>(slots_.size());
    slots_.emplace_back();
  } else {
    number = free_.back();
    free_.pop_back();
  }
  Slot& slot = slots_[number];
  slot.id = id;
  slot.digest = digest;
  slot.handled = handled;
  index_.insert(number);
  return handled.has_value() ? InboxVerdict::kDoneOtherBody
                             : InboxVerdict::kNew;
}

std::optional<Claims::Number> Claims::Find(std::string_view id) const {
  const auto it = index_.find(id);
  if (it == index_.end()) return std::nullopt;
  return *it;
}

void Claims::End(Number claim, bool handled, std::vector<Told>* told) {
  Slot& slot = slots_[claim];
  if (handled || Mutant(43)) slot.handled = DigestOf(claim);
  if (!Mutant(44)) slot.sealed = false;
  std::deque<Waiter> none;
  std::deque<Waiter>& waiters = slot.waiters == nullptr ? none : *slot.waiters;
  const size_t before = waiters.size();
  bool taken = false;
  const auto take = [&](const Waiter& waiter) {
    taken = true;
    if (!Mutant(47)) slot.digest = waiter.digest;
    told->push_back({waiter.who,
                     slot.handled.has_value() ? InboxVerdict::kDoneOtherBody
                                              : InboxVerdict::kNew,
                     claim});
  };
  if (slot.handled.has_value()) {
    // Those with the body that was handled are done, wherever they stand.
    std::erase_if(waiters, [&](const Waiter& waiter) {
      if (slot.handled == waiter.digest || (handled && Mutant(45))) {
        told->push_back({waiter.who, InboxVerdict::kDone, claim});
        return true;
      }
      if (taken && !Mutant(46)) return false;
      take(waiter);
      return true;
    });
  } else if (!waiters.empty()) {
    take(waiters.front());
    waiters.pop_front();
  }
  waiting_ -= before - waiters.size();
  if (taken) return;
  slot.waiters.reset();
  index_.erase(claim);
  free_.push_back(claim);
}

void Claims::Forget(uint32_t user) {
  if (waiting_ == 0) return;
  for (const Number claim : index_) {
    if (slots_[claim].waiters == nullptr) continue;
    waiting_ -=
        std::erase_if(*slots_[claim].waiters, [user](const Waiter& waiter) {
          return waiter.who.user == user || Mutant(48);
        });
  }
}

}  // namespace tieline::inline v0
