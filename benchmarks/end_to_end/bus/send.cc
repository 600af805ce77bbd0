// Sends through the public interface and counts the results: what an
// application pays for a message, core and adapter together.
#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <span>
#include <vector>

#include "benchmarks/end_to_end/bus/open.h"
#include "benchmarks/end_to_end/maker.h"

namespace {

using namespace tieline;

// Several batches are on their way at once, also in a small window.
size_t BatchOf(const bench::Flags& flags) {
  return std::clamp<size_t>(flags.credit / 8, 1, 256);
}

// Counts results, and lets the sending thread wait for them.
class Results {
 public:
  void Take(std::span<const SendResult> results) {
    size_t failed = 0;
    for (const SendResult& r : results) failed += r.ok() ? 0 : 1;
    {
      const std::lock_guard lock(mu_);
      done_ += results.size();
      failed_ += failed;
    }
    more_.notify_one();
  }
  void AwaitAtLeast(size_t count) {
    std::unique_lock lock(mu_);
    more_.wait(lock, [&] { return done_ >= count; });
  }
  size_t failed() {
    const std::lock_guard lock(mu_);
    return failed_;
  }

 private:
  std::mutex mu_;
  std::condition_variable more_;
  size_t done_ = 0;
  size_t failed_ = 0;
};

}  // namespace

int main(int argc, char** argv) {
  const bench::Flags flags = bench::Flags::Parse(argc, argv);
  const size_t most = BatchOf(flags);
  auto bus = bench::OpenBus();
  SenderOptions options;
  options.stamp_ids = false;
  options.window = static_cast<uint32_t>(flags.credit);
  options.max_pending = static_cast<uint32_t>(flags.credit + most);
  auto sender = bus->OpenSender(flags.url, options);
  bench::Check(sender.status());
  bench::Check((*sender)->WaitOpen(absl::Seconds(30)));

  bench::MessageMaker maker(flags);
  Results results;
  const bench::Pacer pacer(flags.rate);
  const bench::Stopwatch watch;
  size_t sent = 0;
  while (sent < flags.count) {
    const size_t n = std::min(most, flags.count - sent);
    pacer.Await(sent + n);
    if (sent + n > flags.credit) {
      results.AwaitAtLeast(sent + n - flags.credit);
    }
    std::vector<Message> batch;
    batch.reserve(n);
    for (size_t i = 0; i < n; ++i) batch.push_back(maker.Make());
    bench::Check((*sender)->SendBatch(
        std::move(batch),
        [&results](std::span<const SendResult> all) { results.Take(all); }));
    sent += n;
  }
  results.AwaitAtLeast(sent);
  const int code =
      bench::Report("tieline", flags, sent, results.failed(), watch);
  bench::Check((*sender)->Close(absl::Seconds(10)));
  return code;
}
