// Client: one rd_kafka_t with its life and its last words.
//
// librdkafka cannot free a client while a message of it is held, and freeing
// may block; so a client is counted, by its owner and by each message handed
// out, and the last to let go hands it to the Reaper.
// Threads: everything from any thread.
#ifndef TIELINE_ADAPTERS_KAFKA_CLIENT_H_
#define TIELINE_ADAPTERS_KAFKA_CLIENT_H_

#include <librdkafka/rdkafka.h>

#include <atomic>
#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "adapters/kafka/settings.h"
#include "lib/base/mutex.h"

namespace tieline::inline v0 {
namespace kafka {

class Client;

// One reference.
class ClientRef {
 public:
  ClientRef() = default;
  explicit ClientRef(Client* adopted) : client_(adopted) {}
  ClientRef(ClientRef&& other) noexcept
      : client_(std::exchange(other.client_, nullptr)) {}
  ClientRef& operator=(ClientRef&& other) noexcept {
    std::swap(client_, other.client_);
    return *this;
  }
  ~ClientRef();
  ClientRef Share() const;
  Client* get() const { return client_; }
  Client* operator->() const { return client_; }
  explicit operator bool() const { return client_ != nullptr; }

 private:
  Client* client_ = nullptr;
};

class Client {
 public:
  // `events` is a set of RD_KAFKA_EVENT_*. kInvalidArgument names the setting
  // that the library refused, never the value of a secret.
  static absl::StatusOr<ClientRef> Make(rd_kafka_type_t type,
                                        const Settings& settings, int events);
  // The client of a received message.
  static Client* Of(const rd_kafka_message_t* message) {
    return static_cast<Client*>(rd_kafka_topic_opaque(message->rkt));
  }

  rd_kafka_t* rk() const { return rk_; }
  void Ref(int64_t n = 1) { refs_.fetch_add(n, std::memory_order_relaxed); }
  void Unref() {
    if (refs_.fetch_sub(1, std::memory_order_acq_rel) == 1) Retire();
  }

  // Kept until librdkafka has let go of every record: what in-flight records
  // point into.
  void KeepUntilFreed(std::shared_ptr<void> baggage) {
    baggage_ = std::move(baggage);
  }
  // A consumer leaves its group, on the Reaper's thread: messages that are
  // still held must not keep a member alive that nobody reads.
  void LeaveSoon();
  // The broker is out of reach, or the group was left: freeing need not.
  void SkipLeave() { skip_leave_.store(true, std::memory_order_relaxed); }

  // The library's last few complaints, newest last, joined by "; ".
  std::string Reasons() const;

 private:
  Client() = default;
  ~Client();
  void Retire();
  void AddReason(std::string_view text);
  static void OnLog(const rd_kafka_t* rk, int level, const char* facility,
                    const char* text);

  rd_kafka_t* rk_ = nullptr;
  std::atomic<int64_t> refs_{1};
  std::atomic<bool> skip_leave_{false};
  std::shared_ptr<void> baggage_;
  mutable Mutex mutex_;
  std::deque<std::string> reasons_ ABSL_GUARDED_BY(mutex_);
};

inline ClientRef::~ClientRef() {
  if (client_ != nullptr) client_->Unref();
}
inline ClientRef ClientRef::Share() const {
  if (client_ != nullptr) client_->Ref();
  return ClientRef(client_);
}

// Frees librdkafka's things.
struct Free {
  void operator()(rd_kafka_queue_t* p) const { rd_kafka_queue_destroy(p); }
  void operator()(rd_kafka_event_t* p) const { rd_kafka_event_destroy(p); }
  void operator()(rd_kafka_topic_t* p) const { rd_kafka_topic_destroy(p); }
  void operator()(rd_kafka_error_t* p) const { rd_kafka_error_destroy(p); }
  void operator()(rd_kafka_topic_partition_list_t* p) const {
    rd_kafka_topic_partition_list_destroy(p);
  }
};
template <typename T>
using Owned = std::unique_ptr<T, Free>;

}  // namespace kafka
}  // namespace tieline::inline v0

#endif  // TIELINE_ADAPTERS_KAFKA_CLIENT_H_
