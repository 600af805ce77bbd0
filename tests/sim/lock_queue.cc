#include "tests/sim/lock_queue.h"

#include <algorithm>
#include <set>
#include <utility>
#include <vector>

namespace tieline::sim {

using driver::Verb;

void LockQueue::AddReader(Reader* reader, absl::Time, const Tell&) {
  readers_[reader->id] = reader;
}

void LockQueue::RemoveReader(uint64_t reader, absl::Time, const Tell&) {
  readers_.erase(reader);
  for (auto it = locked_.begin(); it != locked_.end();) {
    if (it->second.reader != reader) {
      ++it;
      continue;
    }
    Locked locked = std::move(it->second);
    it = locked_.erase(it);
    Return(std::move(locked), true);
  }
}

void LockQueue::Leave(const Locked& locked) {
  if (!ordered_) return;
  const auto it = held_.find(KeyOf(locked.copy));
  if (it != held_.end() && --it->second.count == 0) held_.erase(it);
}

void LockQueue::Return(Locked locked, bool counts) {
  Leave(locked);
  Copy copy = std::move(locked.copy);
  ledger().Add(copy.number, What::kReturned, context().place, counts ? 1 : 0);
  if (counts) ++copy.attempts;
  if (copy.attempts >= context().most_attempts) {
    ledger().OnDeadLetter(copy.message, context().place);
    return;
  }
  Put(std::move(copy));
}

bool LockQueue::Take(Reader& reader, absl::Time now, driver::Inbound* out) {
  std::set<std::string> behind;  // keys with one held back before
  for (auto it = ready_.begin(); it != ready_.end();) {
    Copy& copy = it->second;
    if (copy.expires <= now) {
      ledger().Add(copy.number, What::kExpired, context().place);
      if (copy.number >= 0) ++ledger().life(copy.number).expired;
      it = ready_.erase(it);
      continue;
    }
    const std::string key = ordered_ ? KeyOf(copy) : std::string();
    if (copy.visible > now) {
      if (!key.empty()) behind.insert(key);
      ++it;
      continue;
    }
    if (!key.empty()) {
      const auto held = held_.find(key);
      const bool is_others =
          held != held_.end() && held->second.reader != reader.id;
      if (is_others || behind.count(key) != 0) {
        ++it;
        continue;
      }
    }
    Locked locked{std::move(copy), reader.id, now + context().lock};
    ready_.erase(it);
    Deliver(locked.copy, reader, out);
    if (!key.empty()) {
      Holder& holder = held_[key];
      holder.reader = reader.id;
      ++holder.count;
    }
    out->token = {driver::Lane{0}, 1, next_token_++};
    out->locked_until = locked.until;
    ledger().OnDelivered(locked.copy.number, context().place,
                         locked.copy.deliveries > 1);
    locked_.emplace(out->token.id, std::move(locked));
    return true;
  }
  return false;
}

driver::Settled LockQueue::Settle(Reader& reader,
                                  const driver::Settlement& settlement,
                                  absl::Time now) {
  driver::Settled settled;
  settled.token = settlement.token;
  settled.verb = settlement.verb;
  const auto it = locked_.find(settlement.token.id);
  if (it == locked_.end() || it->second.reader != reader.id) {
    settled.status = absl::AbortedError("the lock was lost");
    return settled;
  }
  if (settlement.verb == Verb::kRenew) {
    it->second.until = settled.locked_until = now + context().lock;
    return settled;
  }
  Locked locked = std::move(it->second);
  locked_.erase(it);
  switch (settlement.verb) {
    case Verb::kComplete:
      Leave(locked);
      ledger().OnCompleted(locked.copy.number, context().place);
      break;
    case Verb::kDeadLetter:
      Leave(locked);
      ledger().OnDeadLetter(locked.copy.message, context().place);
      break;
    default:
      Return(std::move(locked), settlement.verb == Verb::kAbandon);
      break;
  }
  return settled;
}

void LockQueue::Expire(absl::Time now, const Tell&) {
  for (auto it = locked_.begin(); it != locked_.end();) {
    if (it->second.until > now) {
      ++it;
      continue;
    }
    Locked locked = std::move(it->second);
    it = locked_.erase(it);
    Return(std::move(locked), true);
  }
}

absl::Time LockQueue::next(absl::Time now) const {
  absl::Time next = absl::InfiniteFuture();
  for (const auto& [token, locked] : locked_) {
    next = std::min(next, locked.until);
  }
  for (const auto& [position, copy] : ready_) {
    if (copy.visible > now) next = std::min(next, copy.visible);
    if (copy.expires > now) next = std::min(next, copy.expires);
  }
  return next;
}

void LockQueue::Lose() {
  const auto lose = [&](const Copy& copy) {
    ledger().Add(copy.number, What::kLost, context().place);
    if (copy.number >= 0) ++ledger().life(copy.number).lost;
  };
  for (const auto& [position, copy] : ready_) lose(copy);
  for (const auto& [token, locked] : locked_) lose(locked.copy);
  ready_.clear();
  locked_.clear();
  held_.clear();
}

}  // namespace tieline::sim
