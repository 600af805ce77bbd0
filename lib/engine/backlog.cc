#include "lib/engine/backlog.h"

#include <string_view>
#include <utility>

namespace tieline::inline v0 {

using driver::Inbound;

uint64_t Backlog::KeyHash(const Inbound& inbound) {
  return std::hash<std::string_view>()(inbound.message.key());
}

void Backlog::Arrived(Inbound inbound) {
  if (!behind_.empty() && inbound.message.has(Field::kKey)) {
    auto it = behind_.find(KeyHash(inbound));
    if (it != behind_.end()) {
      it->second.push_back(std::move(inbound));
      return;
    }
  }
  ready_.push_back(std::move(inbound));
}

void Backlog::Retry(Inbound inbound, absl::Time at, bool keeps_key) {
  Waiting waiting;
  waiting.keeps_key = keeps_key && inbound.message.has(Field::kKey);
  if (waiting.keeps_key) {
    waiting.key = KeyHash(inbound);
    std::deque<Inbound>& behind = behind_[waiting.key];
    // What came behind it and was not handed out waits behind it.
    ready_.EraseIf([&](Inbound& later) {
      if (!later.message.has(Field::kKey) || KeyHash(later) != waiting.key) {
        return false;
      }
      behind.push_back(std::move(later));
      return true;
    });
  }
  waiting.inbound = std::move(inbound);
  retries_.emplace(at, std::move(waiting));
}

void Backlog::FreeKey(uint64_t key) {
  auto it = behind_.find(key);
  if (it == behind_.end()) return;
  for (Inbound& parked : it->second) ready_.push_back(std::move(parked));
  behind_.erase(it);
}

void Backlog::RetryDue(absl::Time now) {
  while (NextRetry() <= now) {
    Waiting waiting = std::move(retries_.begin()->second);
    retries_.erase(retries_.begin());
    ready_.push_back(std::move(waiting.inbound));
    if (waiting.keeps_key) FreeKey(waiting.key);
  }
}

void Backlog::FreeKeys() {
  for (auto it = retries_.begin(); it != retries_.end();) {
    if (!it->second.keeps_key) {
      ++it;
      continue;
    }
    ready_.push_back(std::move(it->second.inbound));
    FreeKey(it->second.key);
    it = retries_.erase(it);
  }
}

void Backlog::DropLane(driver::Lane lane, const See& see) {
  const auto gone = [&](const Inbound& inbound) {
    if (inbound.token.lane != lane) return false;
    see(inbound);
    return true;
  };
  ready_.EraseIf(gone);
  for (auto& [key, parked] : behind_) std::erase_if(parked, gone);
  for (auto it = retries_.begin(); it != retries_.end();) {
    if (!gone(it->second.inbound)) {
      ++it;
      continue;
    }
    // Nobody else would free the key.
    if (it->second.keeps_key) FreeKey(it->second.key);
    it = retries_.erase(it);
  }
}

void Backlog::Clear(const See& see) {
  for (size_t i = 0; i < ready_.size(); ++i) see(ready_[i]);
  ready_.clear();
  for (const auto& [key, parked] : behind_) {
    for (const Inbound& inbound : parked) see(inbound);
  }
  behind_.clear();
  for (const auto& [at, waiting] : retries_) see(waiting.inbound);
  retries_.clear();
}

}  // namespace tieline::inline v0
