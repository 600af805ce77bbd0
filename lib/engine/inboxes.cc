#include "lib/engine/inboxes.h"

#include <algorithm>

#include "lib/base/status.h"

namespace tieline::inline v0 {

int64_t Inboxes::IdsOf(const Config& config) {
  // Of all queues together, at rest.
  int64_t ids = 0;
  for (const auto& [name, queue] : config.queues) {
    if (queue.dedupe > absl::ZeroDuration()) ids += queue.dedupe_ids;
  }
  return std::max(StoreOptions().inbox_ids, 4 * ids);
}

absl::Status Inboxes::Open(Store* store, const Config& config, Clock* clock) {
  InboxOptions options;
  options.ids = IdsOf(config);
  for (const auto& [name, queue] : config.queues) {
    if (queue.dedupe <= absl::ZeroDuration()) continue;
    options.window.age = queue.dedupe;
    options.window.ids = queue.dedupe_ids;
    TIELINE_ASSIGN_OR_RETURN(const QueueId id, store->AddQueue(name));
    TIELINE_ASSIGN_OR_RETURN(inboxes_[name],
                             Inbox::Make(store, id, options, clock));
  }
  return absl::OkStatus();
}

std::shared_ptr<Inbox> Inboxes::Find(const std::string& queue) const {
  const auto it = inboxes_.find(queue);
  return it == inboxes_.end() ? nullptr : it->second;
}

void Inboxes::SetMoving(const std::string& queue, bool moves) {
  const std::shared_ptr<Inbox> inbox = Find(queue);
  if (inbox == nullptr) return;
  MutexLock lock(&mu_);
  if (moves && moving_.insert(queue).second) inbox->BeginMove();
  if (!moves && moving_.erase(queue) > 0) inbox->EndMove();
}

uint64_t Inboxes::SuppressedOf(const std::string& queue) const {
  const std::shared_ptr<Inbox> inbox = Find(queue);
  return inbox == nullptr ? 0 : inbox->state().suppressed;
}

void Inboxes::Close() {
  for (const auto& [queue, inbox] : inboxes_) inbox->Close();
}

}  // namespace tieline::inline v0
