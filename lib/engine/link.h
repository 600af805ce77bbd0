// Link: whether a handle's link to its entity is open, and if not, why and
// when it is next tried; what a sender and a receiver have in common.
//
// Threads: what says "in the strand" there, the rest on any. Its lock is a
// leaf but for Endpoint::mu_: it may be taken under a core's lock.
#ifndef TIELINE_LIB_ENGINE_LINK_H_
#define TIELINE_LIB_ENGINE_LINK_H_

#include <atomic>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "lib/base/deadline.h"
#include "lib/base/mutex.h"
#include "lib/engine/endpoint.h"
#include "lib/policy/backoff.h"
#include "tieline/capabilities.h"
#include "tieline/driver/driver.h"

namespace tieline::inline v0 {

class Link {
 public:
  // What is a "sender" or a "receiver" in messages.
  Link(Endpoint* endpoint, const QueueConfig& queue, std::string_view what,
       std::vector<Capability> needs);

  // "queue q (broker b, entity e)".
  const std::string& name() const { return name_; }

  // ---- In the strand.
  void OnUp(driver::Connection* connection);
  // The connection that a handle is to be opened on now, or null.
  driver::Connection* ToOpen(absl::Time now);
  void OnOpening() { state_ = State::kOpening; }
  // OK, or what the broker lacks (kUnimplemented).
  absl::Status OnOpened(const Capabilities& capabilities);
  // The broker closed the link, or answered Close: then true, and nothing else
  // is to be done. Else `error` says why, and it is tried again later.
  bool OnClosed(const absl::Status& why, absl::Status* error);
  // The connection went; for good when `why` is OK.
  void OnDown(const absl::Status& why);
  bool open() const { return state_ == State::kOpen; }
  // When ToOpen is next due.
  absl::Time next_try() const {
    return state_ == State::kDown && connection_ != nullptr
               ? open_at_
               : absl::InfiniteFuture();
  }
  // True once, when the close was asked for and is to begin: with the driver's
  // handle if there is one, else it is closed from then on.
  bool BeginClose(bool has_handle, bool* close_handle);

  // ---- Any thread.
  // kFailedPrecondition.
  absl::Status CheckOpen() const;
  bool closed() const { return closed_.load(std::memory_order_acquire); }
  // Refuses new work; false when it was closed before.
  bool Refuse();
  void AskToClose() { close_asked_.store(true, std::memory_order_release); }
  bool close_asked() const {
    return close_asked_.load(std::memory_order_acquire);
  }
  // Nothing more is open, or ever was. False when the time passed first.
  bool WaitClosed(const Deadline& deadline);
  // As Sender::WaitOpen.
  absl::Status WaitOpen(absl::Duration timeout);
  void SetError(const absl::Status& error);
  // The link's own; OK when it is open.
  absl::Status error() const;
  // The link's, else the connection's.
  absl::Status last_error() const;
  Capabilities capabilities() const;
  bool is_open() const;
  bool link_closed() const {
    return link_closed_.load(std::memory_order_acquire);
  }

 private:
  enum class State { kDown, kOpening, kOpen, kClosing, kClosed };

  Endpoint* const endpoint_;
  const std::string name_;
  const std::string what_;
  const std::vector<Capability> needs_;

  // In the strand.
  State state_ = State::kDown;
  driver::Connection* connection_ = nullptr;
  Backoff backoff_;
  absl::Time open_at_ = absl::InfinitePast();

  // Changed under the lock.
  std::atomic<bool> closed_{false};
  std::atomic<bool> link_closed_{false};
  std::atomic<bool> close_asked_{false};

  mutable Mutex mu_;
  Condition cv_;
  bool open_ ABSL_GUARDED_BY(mu_) = false;
  absl::Status error_ ABSL_GUARDED_BY(mu_);
  Capabilities capabilities_ ABSL_GUARDED_BY(mu_);
};

// kFailedPrecondition on a runner's thread, where nothing may block.
absl::Status CheckMayBlock(const Endpoint& endpoint);

}  // namespace tieline::inline v0

#endif  // TIELINE_LIB_ENGINE_LINK_H_
