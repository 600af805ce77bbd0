// tieline receive: from a queue to standard output.
#include <fmt/format.h>

#include <algorithm>

#include "absl/time/clock.h"
#include "lib/base/status.h"
#include "tools/command.h"
#include "tools/failure.h"
#include "tools/ndjson.h"
#include "tools/options.h"
#include "tools/output.h"
#include "tools/stop.h"

namespace tieline::tools {
namespace {

constexpr size_t kMaxBatch = 256;
constexpr uint64_t kPeekPage = 1000;
// With --no-ack, what may be held until it is given back.
constexpr uint64_t kMaxHeld = 20000;
constexpr uint64_t kMaxHeldBytes = uint64_t{512} << 20;
// While following, how long trouble may wait to be said.
constexpr absl::Duration kFollowSlice = absl::Milliseconds(500);
constexpr absl::Duration kCloseTimeout = absl::Seconds(10);

class Receive : public Command {
 public:
  explicit Receive(CLI::App* app) {
    queue_.Add(app);
    app->add_option("-f,--format", format_,
                    "ndjson: each message as a line of JSON with all its "
                    "fields; lines: each body and a line break; raw: the "
                    "bodies and nothing else")
        ->check(CLI::IsMember({"ndjson", "lines", "raw"}))
        ->capture_default_str();
    app->add_option("-n,--count", count_, "Stop after so many messages")
        ->check(CLI::PositiveNumber);
    app->add_flag("-F,--follow", follow_, "Wait for more, until interrupted");
    AddDuration(app, "--idle", &idle_, "Stop when no message came for so long");
    app->add_option("--from", from_,
                    "Read from here without taking anything: earliest, latest, "
                    "an offset or sequence number, or a time (RFC 3339), where "
                    "the backend can");
    app->add_flag("--peek", peek_,
                  "Look at what is in the queue without taking it");
    app->add_flag("--no-ack", no_ack_,
                  "Give every message back when done, as if never received "
                  "(20000 messages at most)");
    AddDuration(app, "--timeout", &timeout_, "How long to try to connect");
    app->add_flag("-q,--quiet", quiet_, "Do not say how many came");
    app->add_flag("-v,--verbose", verbose_, "Say what the connection does");
  }

  ExitCode Run() override {
    if (peek_ && (no_ack_ || follow_)) {
      return Fail(ExitCode::kUsage, "usage",
                  "--peek takes nothing and does not wait",
                  "leave out --no-ack and --follow");
    }
    auto config = queue_.Load(&name_);
    if (!config.ok()) return FailConfig(config.status());
    if (!from_.empty() && !peek_) config->queues[name_].start = from_;
    const absl::Status valid = config->Validate();
    if (!valid.ok()) return FailConfig(valid);
    auto bus =
        OpenBus(*std::move(config), verbose_, follow_ ? trouble_ : nullptr);
    if (!bus.ok()) return FailConfig(bus.status());
    const ExitCode code = peek_ ? Peek(bus->get()) : Consume(bus->get());
    if (!quiet_) fmt::print(stderr, "tieline: received {}\n", received_);
    return code;
  }

 private:
  static bool IsSequence(const std::string& from) {
    return !from.empty() &&
           from.find_first_not_of("0123456789") == std::string::npos;
  }

  std::string Render(const Message& message, const std::string& line) const {
    if (format_ == "ndjson") return line + '\n';
    std::string body(message.body_view());
    if (format_ == "lines") body += '\n';
    return body;
  }

  // The messages in the queue by their sequence numbers, page by page.
  ExitCode Peek(Bus* bus) {
    int64_t from = IsSequence(from_) ? std::stoll(from_.substr(0, 18)) : 0;
    while (StopSignal() == 0 && received_ < count_) {
      driver::Request request;
      request.op = driver::Request::Op::kPeek;
      request.from = from;
      request.max = static_cast<uint32_t>(
          std::min<uint64_t>(kPeekPage, count_ - received_));
      auto reply = bus->Ask(name_, std::move(request), timeout_);
      if (!reply.ok()) return FailStatus(reply.status(), name_, *bus);
      if (reply->inbound.empty()) return ExitCode::kOk;
      std::string text;
      const int64_t before = from;
      for (const driver::Inbound& inbound : reply->inbound) {
        from = std::max(from, inbound.position + 1);
        text += Render(inbound.message, ToJsonLine(inbound.message));
        ++received_;
      }
      const absl::Status written = output_.Write(text);
      if (!written.ok()) return FailOutput(written, 0);
      // A backend that tells no positions has only one page.
      if (from == before) break;
    }
    return ExitCode::kOk;
  }

  ExitCode Consume(Bus* bus) {
    ReceiverOptions options;
    options.browse = !from_.empty();
    options.credit = static_cast<uint32_t>(
        std::min<uint64_t>(count_, no_ack_ ? kMaxHeld : 1000));
    if (no_ack_) options.credit_bytes = kMaxHeldBytes;
    auto receiver = bus->OpenReceiver(name_, options);
    if (!receiver.ok()) return FailStatus(receiver.status(), name_);
    const absl::Status open = (*receiver)->WaitOpen(timeout_);
    if (!open.ok()) return FailStatus(open, name_, *bus);
    ExitCode code = Loop(receiver->get());
    for (Delivery& delivery : held_) {
      const absl::Status released = delivery.Release();
      if (!released.ok() && code == ExitCode::kOk) {
        code = FailStatus(released, name_);
      }
    }
    held_.clear();
    absl::Status closed = (*receiver)->Flush(kCloseTimeout);
    closed.Update((*receiver)->Close(kCloseTimeout));
    if (!closed.ok() && code == ExitCode::kOk) {
      return FailStatus(closed, name_);
    }
    return code;
  }

  ExitCode Loop(Receiver* receiver) {
    while (StopSignal() == 0 && received_ < count_) {
      const size_t max = std::min<uint64_t>(kMaxBatch, count_ - received_);
      const absl::Duration wait = follow_ ? kFollowSlice : idle_;
      trouble_->Flush();
      auto batch = receiver->ReceiveBatch(max, wait, StopToken());
      if (!batch.ok()) {
        const absl::StatusCode code = batch.status().code();
        if (code == absl::StatusCode::kCancelled) break;
        if (code == absl::StatusCode::kDeadlineExceeded) {
          if (follow_) continue;
          break;
        }
        return FailStatus(batch.status(), name_);
      }
      const ExitCode code = Put(receiver, *std::move(batch));
      if (code != ExitCode::kOk) return code;
    }
    const bool wanted_more = count_ != UINT64_MAX && received_ < count_;
    if (StopSignal() != 0 && wanted_more) {
      return Fail(ExitCode::kInterrupted, "interrupted", name_, "");
    }
    return ExitCode::kOk;
  }

  // Settled only once it is written.
  ExitCode Put(Receiver* receiver, std::vector<Delivery> batch) {
    std::string text;
    for (const Delivery& delivery : batch) {
      text += Render(delivery.message(), ToJsonLine(delivery));
    }
    const absl::Status written = output_.Write(text);
    if (!written.ok()) {
      const size_t unwritten = batch.size();
      for (Delivery& delivery : batch) held_.push_back(std::move(delivery));
      return FailOutput(written, unwritten);
    }
    received_ += batch.size();
    if (no_ack_) {
      for (Delivery& delivery : batch) held_.push_back(std::move(delivery));
      return ExitCode::kOk;
    }
    const absl::Status status = receiver->CompleteAll(std::move(batch));
    return status.ok() ? ExitCode::kOk : FailStatus(status, name_);
  }

  static ExitCode FailOutput(const absl::Status& status, size_t given_back) {
    return Fail(ExitCode::kInputOutput, "output", MessageOf(status),
                given_back == 0
                    ? "make room or give another output"
                    : fmt::format("{} messages are given back to the queue; "
                                  "make room and receive them again",
                                  given_back));
  }

  QueueOption queue_;
  std::string format_ = "ndjson";
  uint64_t count_ = UINT64_MAX;
  bool follow_ = false;
  absl::Duration idle_ = absl::Seconds(5);
  std::string from_;
  bool peek_ = false;
  bool no_ack_ = false;
  absl::Duration timeout_ = absl::Seconds(10);
  bool quiet_ = false;
  bool verbose_ = false;
  std::shared_ptr<TroubleLog> trouble_ = std::make_shared<TroubleLog>();

  std::string name_;
  Output output_;
  std::vector<Delivery> held_;
  uint64_t received_ = 0;
};

}  // namespace

std::unique_ptr<Command> MakeReceive(CLI::App* app) {
  app->footer(
      "Examples:\n"
      "  tieline receive amqp://localhost:5672/orders\n"
      "  tieline receive \"kafka://localhost:9092/orders?group=g\" --follow\n"
      "  tieline receive kafka://localhost:9092/orders --from earliest -n 10");
  return std::make_unique<Receive>(app);
}

}  // namespace tieline::tools
