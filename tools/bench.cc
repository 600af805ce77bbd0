// tieline bench: how fast a queue takes and gives messages.
#include <fmt/format.h>

#include <condition_variable>
#include <mutex>
#include <nlohmann/json.hpp>

#include "absl/time/clock.h"
#include "lib/base/status.h"
#include "tools/command.h"
#include "tools/failure.h"
#include "tools/options.h"
#include "tools/stop.h"
#include "tools/terminal.h"

namespace tieline::tools {
namespace {

struct Leg {
  uint64_t messages = 0;
  absl::Duration took = absl::ZeroDuration();
  Histogram latency;  // of a batch, from the call to its results
  double rate() const {
    const double seconds = absl::ToDoubleSeconds(took);
    return seconds > 0 ? static_cast<double>(messages) / seconds : 0;
  }
};

// Bounds the batches on their way, and gathers their results.
class InFlight {
 public:
  void Begin(size_t limit) {
    std::unique_lock lock(mu_);
    changed_.wait(lock, [&] { return open_ < limit; });
    ++open_;
  }
  void End(std::span<const SendResult> results, absl::Duration took) {
    std::lock_guard lock(mu_);
    for (const SendResult& result : results) {
      if (result.ok()) {
        ++accepted_;
      } else {
        first_.Update(result.status);
      }
    }
    latency_.Add(absl::ToInt64Nanoseconds(took), results.size());
    --open_;
    changed_.notify_all();
  }
  void Cancel() {
    std::lock_guard lock(mu_);
    --open_;
    changed_.notify_all();
  }
  absl::Status first() {
    std::lock_guard lock(mu_);
    return first_;
  }
  void Finish(Leg* leg) {
    std::unique_lock lock(mu_);
    changed_.wait(lock, [&] { return open_ == 0; });
    leg->messages = accepted_;
    leg->latency = latency_;
  }

 private:
  std::mutex mu_;
  std::condition_variable changed_;
  size_t open_ = 0;
  uint64_t accepted_ = 0;
  Histogram latency_;
  absl::Status first_;
};

class Bench : public Command {
 public:
  explicit Bench(CLI::App* app) {
    queue_.Add(app);
    app->add_option("-n,--count", count_, "Messages")
        ->check(CLI::PositiveNumber)
        ->capture_default_str();
    app->add_option("-s,--size", size_, "Bytes of each body")
        ->check(CLI::Range(0, 64 << 20))
        ->capture_default_str();
    app->add_option("--batch", batch_, "Messages in one call")
        ->check(CLI::Range(1, 10000))
        ->capture_default_str();
    app->add_option("--in-flight", in_flight_, "Calls without results, at most")
        ->check(CLI::Range(1, 10000))
        ->capture_default_str();
    app->add_option("--keys", keys_, "Different keys; 0: no key")
        ->capture_default_str();
    app->add_flag("--send-only", send_only_, "Leave the messages in the queue");
    app->add_flag("--receive-only", receive_only_, "Receive what is there");
    app->add_flag("--json", json_, "Report as lines of JSON");
    AddDuration(app, "--timeout", &timeout_,
                "How long to wait for the broker before giving up");
  }

  ExitCode Run() override {
    std::string name;
    auto config = queue_.Load(&name);
    if (!config.ok()) return FailConfig(config.status());
    auto bus = OpenBus(*std::move(config), false);
    if (!bus.ok()) return FailConfig(bus.status());
    ExitCode code = ExitCode::kOk;
    if (!receive_only_) code = Send(bus->get(), name);
    if (code == ExitCode::kOk && !send_only_) code = Receive(bus->get(), name);
    return code;
  }

 private:
  ExitCode Send(Bus* bus, const std::string& name) {
    SenderOptions options;
    options.timeout = timeout_;
    auto sender = bus->OpenSender(name, options);
    if (!sender.ok()) return FailStatus(sender.status(), name);
    const absl::Status open = (*sender)->WaitOpen(timeout_);
    if (!open.ok()) return FailStatus(open, name, *bus);
    const Bytes body = Bytes::Take(std::string(size_, 'x'));
    std::vector<std::string> keys;
    for (uint32_t i = 0; i < keys_; ++i) keys.push_back(fmt::format("k{}", i));
    InFlight in_flight;
    Leg leg;
    const absl::Time begin = absl::Now();
    absl::Status status;
    for (uint64_t sent = 0;
         sent < count_ && status.ok() && StopSignal() == 0;) {
      std::vector<Message> batch;
      for (; batch.size() < batch_ && sent < count_; ++sent) {
        Message& message = batch.emplace_back(body);
        if (!keys.empty()) message.set_key(keys[sent % keys.size()]);
      }
      in_flight.Begin(in_flight_);
      const absl::Time at = absl::Now();
      status = (*sender)->SendBatch(
          std::move(batch), [&, at](std::span<const SendResult> results) {
            in_flight.End(results, absl::Now() - at);
          });
      if (!status.ok()) in_flight.Cancel();
      status.Update(in_flight.first());
    }
    in_flight.Finish(&leg);
    leg.took = absl::Now() - begin;
    status.Update(in_flight.first());
    if (!status.ok()) return FailStatus(status, name, *bus);
    Show("send", leg);
    return ExitCode::kOk;
  }

  ExitCode Receive(Bus* bus, const std::string& name) {
    ReceiverOptions options;
    options.credit = 10000;
    auto receiver = bus->OpenReceiver(name, options);
    if (!receiver.ok()) return FailStatus(receiver.status(), name);
    const absl::Status open = (*receiver)->WaitOpen(timeout_);
    if (!open.ok()) return FailStatus(open, name, *bus);
    Leg leg;
    absl::Time begin = absl::Now();
    while (leg.messages < count_) {
      auto batch = (*receiver)->ReceiveBatch(batch_, timeout_, StopToken());
      if (!batch.ok()) {
        const bool stopped =
            batch.status().code() == absl::StatusCode::kCancelled;
        if (stopped || (receive_only_ && leg.messages > 0)) break;
        return FailStatus(batch.status(), name, *bus);
      }
      // From the first message on: joining a group is not what is measured.
      if (leg.messages == 0) begin = absl::Now();
      leg.messages += batch->size();
      const absl::Status done = (*receiver)->CompleteAll(*std::move(batch));
      if (!done.ok()) return FailStatus(done, name);
      leg.took = absl::Now() - begin;
    }
    const absl::Status flushed = (*receiver)->Flush(timeout_);
    if (!flushed.ok()) return FailStatus(flushed, name);
    Show("receive", leg);
    return ExitCode::kOk;
  }

  void Show(const char* what, const Leg& leg) const {
    const double megabytes = leg.rate() * static_cast<double>(size_) / 1e6;
    const absl::Duration p50 = leg.latency.Quantile(0.5);
    const absl::Duration p99 = leg.latency.Quantile(0.99);
    if (json_) {
      const nlohmann::ordered_json line = {
          {"leg", what},
          {"messages", leg.messages},
          {"seconds", absl::ToDoubleSeconds(leg.took)},
          {"rate", leg.rate()},
          {"bytes_per_message", size_},
          {"latency_p50_us", absl::ToInt64Microseconds(p50)},
          {"latency_p99_us", absl::ToInt64Microseconds(p99)}};
      fmt::print("{}\n", line.dump());
      return;
    }
    fmt::print("{:<8} {} messages in {:.2f} s: {}/s, {:.1f} MB/s", what,
               Grouped(leg.messages), absl::ToDoubleSeconds(leg.took),
               Grouped(static_cast<uint64_t>(leg.rate())), megabytes);
    if (leg.latency.total > 0) {
      fmt::print(", a call of {} answered in p50 {}, p99 {}", batch_,
                 Short(p50), Short(p99));
    }
    fmt::print("\n");
  }

  QueueOption queue_;
  uint64_t count_ = 100000;
  size_t size_ = 100;
  size_t batch_ = 100;
  size_t in_flight_ = 50;
  uint32_t keys_ = 0;
  bool send_only_ = false;
  bool receive_only_ = false;
  bool json_ = false;
  absl::Duration timeout_ = absl::Seconds(30);
};

}  // namespace

std::unique_ptr<Command> MakeBench(CLI::App* app) {
  app->footer(
      "Sends messages to the queue and receives as many: use one that nobody "
      "else reads.\nExample: tieline bench "
      "amqp://localhost:5672/bench -n 50000");
  return std::make_unique<Bench>(app);
}

}  // namespace tieline::tools
