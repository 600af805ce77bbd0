#include "adapters/memory/topic.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "lib/base/status.h"

namespace tieline::inline v0 {
namespace memory {

using driver::Fate;
using driver::Outbound;
using driver::Outcome;

bool SameName(std::string_view a, std::string_view b) {
  return absl::EqualsIgnoreCase(ToAbsl(a), ToAbsl(b));
}

std::string LowerCase(std::string_view name) {
  return absl::AsciiStrToLower(ToAbsl(name));
}

std::shared_ptr<const Topic::Subscriptions> Topic::subscriptions() const {
  MutexLock lock(&mu_);
  return subscriptions_;
}

void Topic::Add(Subscription subscription) {
  MutexLock lock(&mu_);
  auto changed = std::make_shared<Subscriptions>(*subscriptions_);
  changed->push_back(std::move(subscription));
  subscriptions_ = std::move(changed);
}

bool Topic::Remove(std::string_view name) {
  MutexLock lock(&mu_);
  auto changed = std::make_shared<Subscriptions>(*subscriptions_);
  const size_t removed = std::erase_if(*changed, [&](const Subscription& s) {
    if (!SameName(s.name, name)) return false;
    s.queue->MarkDeleted();
    return true;
  });
  subscriptions_ = std::move(changed);
  return removed > 0;
}

std::shared_ptr<Queue> Topic::Find(std::string_view name) const {
  const auto list = subscriptions();
  for (const Subscription& s : *list) {
    if (SameName(s.name, name)) return s.queue;
  }
  return nullptr;
}

void Topic::Put(std::span<const Outbound> batch,
                std::vector<Outcome>* outcomes) {
  const auto list = subscriptions();
  for (const Outbound& one : batch) outcomes->push_back(PutOne(one, *list));
}

Outcome Topic::PutOne(const Outbound& one, const Subscriptions& list) {
  std::vector<Queue*> takers;
  for (const Subscription& s : list) {
    if (s.rule && !s.rule(*one.message)) continue;
    absl::Status accepts = s.queue->Accepts(*one.message);
    if (!accepts.ok()) {
      return {one.cookie, Fate::kRejected, -1, std::move(accepts), {}};
    }
    if (!s.queue->HasRoom(1)) {
      return {one.cookie, Fate::kNotTaken, -1,
              MakeStatus(absl::StatusCode::kResourceExhausted,
                         "{}: the subscription is full", s.queue->name()),
              absl::Milliseconds(20)};
    }
    takers.push_back(s.queue.get());
  }
  for (Queue* queue : takers) queue->PutOver(one);
  return {one.cookie, Fate::kAccepted, ++sequence_, {}, {}};
}

}  // namespace memory
}  // namespace tieline::inline v0
