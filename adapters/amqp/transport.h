// Transport: the bytes below the frames, in both directions. TCP and TLS are
// here; others (WebSocket) can be put in their place.
//
// Nothing blocks. Threads: one at a time.
#ifndef TIELINE_ADAPTERS_AMQP_TRANSPORT_H_
#define TIELINE_ADAPTERS_AMQP_TRANSPORT_H_

#include <sys/uio.h>

#include <cstddef>
#include <span>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "tieline/driver/types.h"

namespace tieline::inline v0::amqp {

// What came of reading or writing.
struct Transferred {
  size_t bytes = 0;
  bool closed = false;  // the peer has hung up in good order
  // Reading: nothing more is here before the descriptor says so.
  bool drained = false;
  absl::Status error;
  // Nothing went: wait for the descriptor.
  bool blocked() const { return bytes == 0 && !closed && error.ok(); }
};

class Transport {
 public:
  virtual ~Transport() = default;
  // Goes on with connecting. True: ready for reading and writing. Errors are
  // kUnavailable (not reached), kUnauthenticated (certificates) or
  // kInvalidArgument (files that can't be read).
  virtual absl::StatusOr<bool> Connect(absl::Time now) = 0;
  // When Connect wants to be called again without an event.
  virtual absl::Time deadline() const = 0;
  virtual Transferred Read(std::span<char> room) = 0;
  virtual Transferred Write(std::span<const iovec> pieces) = 0;
  // What to wait for; `want_write`: there is something to write.
  virtual driver::PollSet pollable(bool want_write) const = 0;
  // From now on the descriptor is readable when so many bytes are there, 1 or
  // more, or the connection is over. Reading takes what is there all the same.
  virtual void WakeAt(size_t bytes) = 0;
  // Whether the descriptor is readable now, by what WakeAt was told.
  virtual bool Readable() const = 0;
};

}  // namespace tieline::inline v0::amqp

#endif  // TIELINE_ADAPTERS_AMQP_TRANSPORT_H_
