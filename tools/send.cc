// tieline send: from standard input or files into a queue.
#include <fmt/format.h>

#include <condition_variable>
#include <mutex>
#include <optional>

#include "lib/base/status.h"
#include "tools/command.h"
#include "tools/failure.h"
#include "tools/input.h"
#include "tools/options.h"
#include "tools/pace.h"
#include "tools/stop.h"

namespace tieline::tools {
namespace {

constexpr size_t kBatchBytes = 8 << 20;

// What became of the messages, gathered from the callbacks.
class Results {
 public:
  void Add(std::span<const SendResult> results) {
    std::lock_guard lock(mu_);
    for (const SendResult& result : results) {
      if (result.ok()) {
        ++accepted_;
      } else if (++failed_ == 1) {
        first_ = result.status;
        first_id_ = std::string(result.id());
      }
    }
    open_ -= 1;
    changed_.notify_all();
  }
  void Begin() {
    std::lock_guard lock(mu_);
    ++open_;
  }
  void Cancel() {
    std::lock_guard lock(mu_);
    --open_;
  }
  // Until all that was begun has its results; bounded by their deadlines.
  void WaitForAll() {
    std::unique_lock lock(mu_);
    changed_.wait(lock, [&] { return open_ == 0; });
  }
  // For room in the sender's buffer: until something has its result.
  void WaitForSome() {
    std::unique_lock lock(mu_);
    const uint64_t before = accepted_ + failed_;
    changed_.wait(lock,
                  [&] { return open_ == 0 || accepted_ + failed_ != before; });
  }
  bool has_failed() const {
    std::lock_guard lock(mu_);
    return failed_ > 0;
  }
  uint64_t accepted() const {
    std::lock_guard lock(mu_);
    return accepted_;
  }
  uint64_t failed() const {
    std::lock_guard lock(mu_);
    return failed_;
  }
  absl::Status first() const {
    std::lock_guard lock(mu_);
    return first_;
  }
  std::string first_id() const {
    std::lock_guard lock(mu_);
    return first_id_;
  }

 private:
  mutable std::mutex mu_;
  std::condition_variable changed_;
  uint64_t open_ = 0;
  uint64_t accepted_ = 0;
  uint64_t failed_ = 0;
  absl::Status first_;
  std::string first_id_;
};

// "name=value[:type]" as a property.
absl::StatusOr<Property> ParseProperty(const std::string& text) {
  const size_t equals = text.find('=');
  if (equals == std::string::npos || equals == 0) {
    return InvalidArgument("--property {}: expected NAME=VALUE[:TYPE]", text);
  }
  const std::string name = text.substr(0, equals);
  const std::string value = text.substr(equals + 1);
  const size_t colon = value.rfind(':');
  if (colon != std::string::npos) {
    const auto type = TypeFromName(value.substr(colon + 1));
    if (type.has_value()) {
      auto typed = Value::Parse(*type, value.substr(0, colon));
      if (!typed.ok()) return Annotate(typed.status(), "--property " + name);
      return Property{name, *std::move(typed)};
    }
  }
  return Property{name, Value(value)};
}

class Send : public Command {
 public:
  explicit Send(CLI::App* app) {
    queue_.Add(app);
    app->add_option("FILES", files_,
                    "Files to send; - is standard input (the default)");
    app->add_option("--body", body_,
                    "Send this text instead of reading anything");
    app->add_option("-f,--format", format_,
                    "auto: message lines (as `tieline receive` writes them) if "
                    "the first line is one, else lines; lines: each line is a "
                    "body; ndjson: each line is a message; raw: each file is a "
                    "body")
        ->check(CLI::IsMember({"auto", "lines", "ndjson", "raw"}))
        ->capture_default_str();
    app->add_option("-k,--key", key_, "Ordering key of every message");
    app->add_option("-p,--property", properties_,
                    "Property of every message: NAME=VALUE[:TYPE], such as "
                    "region=eu or n=5:int")
        ->allow_extra_args(false);
    app->add_option("--id", id_,
                    "Message id (with --count, -1, -2, ... is added)");
    app->add_option("--subject", subject_, "Subject of every message");
    app->add_option("--content-type", content_type_,
                    "Content type of every message");
    app->add_option("-n,--count", count_, "Send each message this many times")
        ->check(CLI::PositiveNumber);
    app->add_option("--rate", rate_, "Messages a second, at most")
        ->check(CLI::PositiveNumber);
    app->add_option("--batch", batch_, "Messages given to the broker at once")
        ->check(CLI::Range(1, 10000))
        ->capture_default_str();
    app->add_option("--max-bytes", max_bytes_, "Longest line or file")
        ->check(CLI::PositiveNumber)
        ->capture_default_str();
    AddDuration(app, "--timeout", &timeout_,
                "How long to try, for connecting and for each message");
    app->add_flag("-q,--quiet", quiet_, "Do not say how many were sent");
    app->add_flag("-v,--verbose", verbose_, "Say what the connection does");
  }

  ExitCode Run() override {
    for (const std::string& text : properties_) {
      auto property = ParseProperty(text);
      if (!property.ok()) {
        return Fail(ExitCode::kUsage, "usage", MessageOf(property.status()),
                    "see tieline send --help");
      }
      parsed_.push_back(*std::move(property));
    }
    if (!body_.empty() && !files_.empty()) {
      return Fail(ExitCode::kUsage, "usage", "both --body and files",
                  "give one of them");
    }
    std::string name;
    auto config = queue_.Load(&name);
    if (!config.ok()) return FailConfig(config.status());
    auto bus = OpenBus(*std::move(config), verbose_);
    if (!bus.ok()) return FailConfig(bus.status());
    SenderOptions options;
    options.timeout = timeout_;
    options.max_pending_bytes =
        std::max<uint64_t>(options.max_pending_bytes, 2 * max_bytes_);
    auto sender = (*bus)->OpenSender(name, options);
    if (!sender.ok()) return FailStatus(sender.status(), name);
    const absl::Status open = (*sender)->WaitOpen(timeout_);
    if (!open.ok()) return FailStatus(open, name, **bus);
    return SendAll(name, bus->get(), sender->get());
  }

 private:
  ExitCode SendAll(const std::string& name, Bus* bus, Sender* sender) {
    ExitCode code = ExitCode::kOk;
    if (!body_.empty()) {
      code = Repeat(Message(body_), sender);
    } else {
      code = SendInput(sender);
    }
    if (code == ExitCode::kOk) code = SubmitBatch(sender);
    results_.WaitForAll();
    if (code == ExitCode::kOk && results_.has_failed()) {
      const std::string id = results_.first_id();
      const std::string where = id.empty() ? name : name + ": message " + id;
      const absl::Status first = results_.first();
      // Nothing was submitted: then it is worth saying that nobody is there.
      code = first.code() == absl::StatusCode::kResourceExhausted
                 ? FailStatus(first, where, *bus)
                 : FailStatus(first, where);
    } else if (code == ExitCode::kOk && StopSignal() != 0) {
      code = Fail(ExitCode::kInterrupted, "interrupted", name, "");
    }
    if (!quiet_ || code != ExitCode::kOk) {
      fmt::print(stderr, "tieline: sent {}, failed {}\n", results_.accepted(),
                 results_.failed());
    }
    const absl::Status closed = sender->Close(timeout_);
    if (code == ExitCode::kOk && !closed.ok()) {
      return FailStatus(closed, name);
    }
    return code;
  }

  ExitCode SendInput(Sender* sender) {
    Input input(files_, Format(), max_bytes_);
    while (!StopRequested()) {
      auto message = input.Next();
      if (!message.ok()) {
        const bool io =
            message.status().code() == absl::StatusCode::kUnavailable;
        SubmitBatch(sender);
        return Fail(io ? ExitCode::kInputOutput : ExitCode::kRejected, "input",
                    MessageOf(message.status()),
                    io ? "check the path and its permissions" : "");
      }
      if (!message->has_value()) return ExitCode::kOk;
      const ExitCode code = Repeat(**std::move(message), sender);
      if (code != ExitCode::kOk) return code;
    }
    return ExitCode::kOk;
  }

  InputFormat Format() const {
    if (format_ == "lines") return InputFormat::kLines;
    if (format_ == "ndjson") return InputFormat::kNdjson;
    if (format_ == "raw") return InputFormat::kRaw;
    return InputFormat::kAuto;
  }

  bool StopRequested() const {
    return StopSignal() != 0 || results_.has_failed();
  }

  ExitCode Repeat(Message message, Sender* sender) {
    if (!key_.empty()) message.set_key(key_);
    if (!subject_.empty()) message.set_subject(subject_);
    if (!content_type_.empty()) message.set_content_type(content_type_);
    for (const Property& property : parsed_) {
      message.set_property(property.name, property.value);
    }
    for (uint64_t i = 0; i < count_ && !StopRequested(); ++i) {
      Message one = message;
      if (!id_.empty()) {
        one.set_id(count_ == 1 ? id_ : fmt::format("{}-{}", id_, i + 1));
      } else if (count_ > 1) {
        one.clear(Field::kId);
      }
      pace_.WaitFor(++begun_, rate_);
      pending_bytes_ += one.size_estimate();
      pending_.push_back(std::move(one));
      if (pending_.size() >= batch_ || pending_bytes_ >= kBatchBytes ||
          rate_ > 0) {
        const ExitCode code = SubmitBatch(sender);
        if (code != ExitCode::kOk) return code;
      }
    }
    return ExitCode::kOk;
  }

  ExitCode SubmitBatch(Sender* sender) {
    pending_bytes_ = 0;
    while (!pending_.empty()) {
      results_.Begin();
      const absl::Status status = sender->SendBatch(
          std::move(pending_), [this](std::span<const SendResult> results) {
            results_.Add(results);
          });
      if (status.ok()) {
        pending_.clear();
        break;
      }
      results_.Cancel();
      if (status.code() != absl::StatusCode::kResourceExhausted) {
        pending_.clear();
        return FailStatus(status, queue_.queue);
      }
      results_.WaitForSome();
    }
    return ExitCode::kOk;
  }

  QueueOption queue_;
  std::vector<std::string> files_;
  std::string body_;
  std::string format_ = "auto";
  std::string key_;
  std::vector<std::string> properties_;
  std::string id_;
  std::string subject_;
  std::string content_type_;
  uint64_t count_ = 1;
  double rate_ = 0;
  size_t batch_ = 100;
  size_t max_bytes_ = 64 << 20;
  absl::Duration timeout_ = absl::Seconds(10);
  bool quiet_ = false;
  bool verbose_ = false;

  std::vector<Property> parsed_;
  std::vector<Message> pending_;
  size_t pending_bytes_ = 0;
  Results results_;
  Pace pace_;
  uint64_t begun_ = 0;
};

}  // namespace

std::unique_ptr<Command> MakeSend(CLI::App* app) {
  app->footer(
      "Examples:\n"
      "  echo hello | tieline send amqp://localhost:5672/orders\n"
      "  tieline send kafka://localhost:9092/orders --body hi --key c17 "
      "-p n=5:int\n"
      "  tieline receive amqp://localhost:5672/a | tieline send "
      "kafka://localhost:9092/b");
  return std::make_unique<Send>(app);
}

}  // namespace tieline::tools
