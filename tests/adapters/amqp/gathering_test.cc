#include "adapters/amqp/gathering.h"

#include "tests/support/catch.h"

namespace tieline::inline v0::amqp {
namespace {

constexpr OnTheWay kPlenty = {.deliveries = 100000, .outcomes = 100000};

// A stream of reads on a clock of its own.
class Stream {
 public:
  // Reads of `bytes` with `deliveries` each, `every` so often.
  void Run(absl::Duration span, absl::Duration every, size_t bytes,
           int deliveries) {
    const absl::Time end = now_ + span;
    while (now_ < end) {
      // Input that gathers is read when its time has come.
      int reads = 1;
      now_ += every;
      for (; gathering.early(now_); ++reads) now_ += every;
      for (int i = 0; i < reads * deliveries; ++i) gathering.OnDelivery();
      Read(static_cast<size_t>(reads) * bytes);
    }
  }
  // One request on its way: the next delivery comes `every` after the last was
  // read.
  void RunInTurn(absl::Duration span, absl::Duration every) {
    const absl::Time end = now_ + span;
    while (now_ < end) {
      now_ += gathering.waits() ? std::max(every, Gathering::kWait) : every;
      gathering.OnDelivery();
      Read(100);
    }
  }
  // Until the next read, after the last one.
  absl::Duration Wait() const {
    return gathering.waits() ? gathering.read_at() - now_
                             : absl::ZeroDuration();
  }
  void Nothing(absl::Duration span) {
    now_ += span;
    Read(0);
  }

  Gathering gathering;
  OnTheWay on_the_way = kPlenty;

 private:
  void Read(size_t bytes) {
    gathering.OnRead(now_, bytes);
    if (gathering.due(now_))
      gathering.Judge(now_, [this] { return on_the_way; });
  }
  absl::Time now_ = absl::UnixEpoch();
};

constexpr absl::Duration kOften = absl::Microseconds(100);

TEST_CASE("many small reads are let gather") {
  Stream stream;
  stream.Run(absl::Seconds(1), kOften, 150, 1);
  CHECK(stream.gathering.on());
  CHECK(stream.gathering.waits());
  CHECK(stream.gathering.read_at() < absl::InfiniteFuture());
}

TEST_CASE("large reads, and few deliveries, are read at once") {
  Stream large;
  large.Run(absl::Seconds(1), kOften, Gathering::kSmallRead, 30);
  CHECK_FALSE(large.gathering.on());
  CHECK(large.gathering.read_at() == absl::InfiniteFuture());
  Stream few;
  few.Run(absl::Seconds(2), absl::Milliseconds(1), 150, 1);
  CHECK_FALSE(few.gathering.on());
}

TEST_CASE("input gathers for a third of what is on its way") {
  Stream stream;
  // 10,000 a second: three waits of 2 ms are 60 of them.
  stream.on_the_way = {.deliveries = 50, .outcomes = 0};
  stream.Run(absl::Seconds(1), kOften, 150, 1);
  CHECK_FALSE(stream.gathering.on());
  const auto wait_with = [&](uint64_t deliveries) {
    stream.on_the_way.deliveries = deliveries;
    stream.Run(absl::Seconds(2), kOften, 150, 1);
    return stream.Wait();
  };
  CHECK(wait_with(120) == absl::Milliseconds(4));
  CHECK(wait_with(100000) == Gathering::kWait);
  CHECK(wait_with(50) == absl::ZeroDuration());
}

TEST_CASE("between the times to read it is early") {
  Stream stream;
  stream.Run(absl::Seconds(1), kOften, 150, 1);
  const absl::Time at = stream.gathering.read_at();
  CHECK(stream.gathering.early(at - absl::Nanoseconds(1)));
  CHECK_FALSE(stream.gathering.early(at));
  stream.Nothing(Gathering::kWait);
  CHECK_FALSE(stream.gathering.early(at));
}

TEST_CASE("what is on the way is asked for only where it matters") {
  Gathering quiet;
  quiet.OnRead(absl::UnixEpoch(), 100);
  quiet.Judge(absl::UnixEpoch() + Gathering::kSpan, []() -> OnTheWay {
    FAIL("asked");
    return {};
  });
  CHECK_FALSE(quiet.on());
}

TEST_CASE("a stream that is slower for it is read at once again") {
  Stream stream;
  stream.RunInTurn(absl::Seconds(1), kOften);
  REQUIRE(stream.gathering.on());
  stream.RunInTurn(Gathering::kTrial + absl::Milliseconds(10), kOften);
  CHECK_FALSE(stream.gathering.on());
  // Each trial that fails makes the next pause longer.
  absl::Duration gathered;
  constexpr absl::Duration kStep = absl::Milliseconds(100);
  for (int i = 0; i < 1000; ++i) {
    stream.RunInTurn(kStep, kOften);
    if (stream.gathering.on()) gathered += kStep;
  }
  CHECK(gathered > absl::ZeroDuration());
  CHECK(gathered < absl::Seconds(10));
}

TEST_CASE("what pauses is woken for by its first byte") {
  Stream stream;
  stream.Run(absl::Seconds(1), kOften, 150, 1);
  REQUIRE(stream.gathering.waits());
  stream.Nothing(Gathering::kWait);
  CHECK(stream.gathering.on());
  CHECK_FALSE(stream.gathering.waits());
  CHECK(stream.gathering.read_at() == absl::InfiniteFuture());
  // The pause is not held against it.
  stream.Nothing(absl::Minutes(1));
  CHECK(stream.gathering.on());
  stream.Run(absl::Seconds(3), kOften, 150, 1);
  CHECK(stream.gathering.waits());
}

TEST_CASE("low latency forbids it for good") {
  Stream stream;
  stream.Run(absl::Seconds(1), kOften, 150, 1);
  REQUIRE(stream.gathering.on());
  stream.gathering.Forbid();
  CHECK_FALSE(stream.gathering.waits());
  stream.Run(absl::Seconds(10), kOften, 150, 1);
  CHECK_FALSE(stream.gathering.on());
}

}  // namespace
}  // namespace tieline::inline v0::amqp
