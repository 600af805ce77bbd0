// Topic: hands each message to the subscriptions whose rule takes it.
//
// Threads: every function from any thread. The list of subscriptions is
// replaced as a whole, so senders hold no lock while rules run.
#ifndef TIELINE_ADAPTERS_MEMORY_TOPIC_H_
#define TIELINE_ADAPTERS_MEMORY_TOPIC_H_

#include <atomic>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "adapters/memory/queue.h"
#include "lib/base/mutex.h"
#include "tieline/memory.h"

namespace tieline::inline v0 {
namespace memory {

class Topic {
 public:
  struct Subscription {
    std::string name;
    Broker::Rule rule;  // empty: all
    std::shared_ptr<Queue> queue;
  };
  using Subscriptions = std::vector<Subscription>;

  explicit Topic(std::string name)
      : name_(std::move(name)),
        subscriptions_(std::make_shared<const Subscriptions>()) {}

  const std::string& name() const { return name_; }
  void Add(Subscription subscription);
  // False when there is none; names are compared without case.
  bool Remove(std::string_view name);
  std::shared_ptr<Queue> Find(std::string_view name) const;
  std::shared_ptr<const Subscriptions> subscriptions() const;

  // All or none of its subscriptions get a message. As Queue::Put.
  void Put(std::span<const driver::Outbound> batch,
           std::vector<driver::Outcome>* outcomes);

  void MarkDeleted() { deleted_.store(true, std::memory_order_release); }
  bool deleted() const { return deleted_.load(std::memory_order_acquire); }

 private:
  driver::Outcome PutOne(const driver::Outbound& one,
                         const Subscriptions& list);

  const std::string name_;
  std::atomic<int64_t> sequence_ = 0;
  std::atomic<bool> deleted_ = false;
  mutable Mutex mu_;
  std::shared_ptr<const Subscriptions> subscriptions_ ABSL_GUARDED_BY(mu_);
};

// True when the names are the same but for case (ASCII).
bool SameName(std::string_view a, std::string_view b);
std::string LowerCase(std::string_view name);

}  // namespace memory
}  // namespace tieline::inline v0

#endif  // TIELINE_ADAPTERS_MEMORY_TOPIC_H_
