// Gathering: when to let input gather before it is read.
//
// A broker may write each delivery, or each answer to a message that was sent,
// by itself, some hundred microseconds apart; a thread that wakes for each
// spends most of its time on waking. Where many come in small reads, and so
// much more is on its way that nobody waits for the single one, input is read
// every few milliseconds, or when a good piece of it is there, as network cards
// do with interrupts. It is given up when the stream is slower for it.
//
// Pure: times come with the calls. Threads: one at a time.
#ifndef TIELINE_ADAPTERS_AMQP_GATHERING_H_
#define TIELINE_ADAPTERS_AMQP_GATHERING_H_

#include <cstddef>
#include <cstdint>

#include "absl/functional/function_ref.h"
#include "absl/time/time.h"

namespace tieline::inline v0::amqp {

// What may still come without our doing anything, of a connection's links.
struct OnTheWay {
  uint64_t deliveries = 0;  // credit
  uint64_t outcomes = 0;    // messages sent and not settled
};

class Gathering {
 public:
  // Bytes of input that are read at once.
  static constexpr size_t kPiece = 48 << 10;
  // The longest that input waits, and the shortest that is worth it.
  static constexpr absl::Duration kWait = absl::Milliseconds(16);
  static constexpr absl::Duration kShortestWait = absl::Milliseconds(2);
  // Over how long input is judged; longer while it is let gather, since brokers
  // pause for tens of milliseconds now and then.
  static constexpr absl::Duration kSpan = absl::Milliseconds(200);
  static constexpr absl::Duration kTrial = absl::Seconds(1);
  // In a span: deliveries, outcomes and reads that are many; bytes in a read
  // that are few. Credit says nothing of how long a delivery was on its way, so
  // it takes more deliveries than outcomes.
  static constexpr uint64_t kManyDeliveries = 800;
  static constexpr uint64_t kManyOutcomes = 100;
  static constexpr uint64_t kManyReads = 60;
  static constexpr uint64_t kSmallRead = 4 << 10;
  // What is on its way lasts for so many waits.
  static constexpr int kLasts = 3;
  // Once a stream was slower for it, it is not tried again before; twice as
  // long each time that it did not outlast its trial.
  static constexpr absl::Duration kPause = absl::Seconds(1);
  static constexpr absl::Duration kLongestPause = absl::Seconds(30);

  void OnDelivery() { ++deliveries_; }
  void OnOutcome() { ++outcomes_; }
  // What a read brought; none is told as well.
  void OnRead(absl::Time now, size_t bytes);
  // Judge wants to be called.
  bool due(absl::Time now) const {
    return !forbidden_ && !dry_ && now - since_ >= (on_ ? kTrial : kSpan);
  }
  // Asks for what is on the way where the answer hangs on it.
  void Judge(absl::Time now, absl::FunctionRef<OnTheWay()> on_the_way);
  // Waits no more, for good: low latency is asked for.
  void Forbid();

  bool on() const { return on_; }
  // Input waits for a piece, or for the time to read, whatever the descriptor
  // says; else the first byte is waited for.
  bool waits() const { return on_ && !dry_; }
  absl::Time read_at() const {
    return waits() ? read_at_ : absl::InfiniteFuture();
  }
  // It is not time to read yet.
  bool early(absl::Time now) const { return waits() && now < read_at_; }

 private:
  // Arrivals a second, over the span that ends now.
  double Rate(absl::Time now) const;
  bool IsWorthwhile(absl::Time now) const;
  // How long input may wait without anybody waiting for the single arrival.
  absl::Duration HarmlessWait(absl::Time now, const OnTheWay& on_the_way) const;

  bool on_ = false;
  bool forbidden_ = false;
  bool dry_ = false;  // nothing came while input was let gather
  absl::Time dry_since_;
  // The span's begin; dry times are not part of it.
  absl::Time since_ = absl::InfinitePast();
  absl::Time read_at_ = absl::InfiniteFuture();
  absl::Duration wait_ = kWait;
  absl::Time not_before_ = absl::InfinitePast();
  absl::Duration pause_ = kPause;
  // In this span.
  uint64_t reads_ = 0;  // that brought something
  uint64_t bytes_ = 0;
  uint64_t deliveries_ = 0;
  uint64_t outcomes_ = 0;
  double rate_before_ = 0;  // before input was let gather
};

}  // namespace tieline::inline v0::amqp

#endif  // TIELINE_ADAPTERS_AMQP_GATHERING_H_
