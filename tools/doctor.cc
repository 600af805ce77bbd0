// tieline doctor: goes to a broker step by step, and says which one fails.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <nlohmann/json.hpp>
#include <set>

#include "absl/time/clock.h"
#include "lib/base/status.h"
#include "tools/command.h"
#include "tools/failure.h"
#include "tools/network.h"
#include "tools/options.h"
#include "tools/probe.h"

namespace tieline::tools {
namespace {

class Doctor : public Command {
 public:
  explicit Doctor(CLI::App* app) {
    app->add_option("QUEUE", queue_,
                    "URL of a queue or broker, or with --config the name of a "
                    "queue there (default: all of them)");
    app->add_option("-c,--config", config_file_, "Configuration file (YAML)");
    app->add_flag("--probe", probe_,
                  "Also send one message to the queue and receive it again; "
                  "whoever else reads the queue may see it");
    app->add_flag("--json", json_, "Report each step as a line of JSON");
    AddDuration(app, "--timeout", &timeout_, "How long each step may take");
  }

  ExitCode Run() override {
    if (queue_.empty() && config_file_.empty()) {
      return Fail(ExitCode::kUsage, "usage", "nothing to examine",
                  "give a URL, or --config");
    }
    std::vector<std::string> queues;
    auto config = Load(&queues);
    if (!config.ok()) {
      Show("parse", "failed", std::string(MessageOf(config.status())),
           "mend what is named; `tieline config reference` has every field");
      return FailConfig(config.status());
    }
    Show("parse", "ok",
         fmt::format("{} brokers, {} queues", config->brokers.size(),
                     queues.size()),
         "");
    std::set<std::string> brokers;
    for (const std::string& queue : queues) {
      brokers.insert(config->queues.at(queue).broker);
    }
    if (queues.empty()) {
      for (const auto& [name, unused] : config->brokers) brokers.insert(name);
    }
    for (const std::string& name : brokers) {
      if (!Examine(*config, name, queues)) return code_;
    }
    return ExitCode::kOk;
  }

 private:
  absl::StatusOr<Config> Load(std::vector<std::string>* queues) const {
    Config config;
    if (!config_file_.empty()) {
      TIELINE_ASSIGN_OR_RETURN(config, Config::FromFile(config_file_));
    }
    if (queue_.empty()) {
      for (const auto& [name, unused] : config.queues) queues->push_back(name);
      return config;
    }
    if (queue_.find("://") == std::string::npos) {
      if (config.queues.count(queue_) == 0) {
        return InvalidArgument("there is no queue \"{}\"", queue_);
      }
      queues->push_back(queue_);
      return config;
    }
    TIELINE_ASSIGN_OR_RETURN(const Url url, Url::Parse(queue_));
    if (url.path.empty()) {
      TIELINE_ASSIGN_OR_RETURN(const std::string broker,
                               config.AddBrokerUrl(queue_));
      return config;
    }
    TIELINE_ASSIGN_OR_RETURN(const std::string name, config.AddUrl(queue_));
    queues->push_back(name);
    return config;
  }

  void Show(const std::string& step, const std::string& result,
            const std::string& detail, const std::string& remedy) const {
    if (json_) {
      nlohmann::ordered_json line = {{"step", step}, {"result", result}};
      if (!detail.empty()) line["detail"] = detail;
      if (!remedy.empty()) line["remedy"] = remedy;
      fmt::print("{}\n",
                 line.dump(-1, ' ', false,
                           nlohmann::ordered_json::error_handler_t::replace));
    } else {
      fmt::print("{:<14} {:<8} {}\n", step, result, detail);
      if (!remedy.empty()) fmt::print("{:<14} {:<8} {}\n", "", "->", remedy);
    }
    std::fflush(stdout);
  }

  // Shows the step; false when it failed, with the exit code kept.
  bool Step(const std::string& step, const absl::Status& status,
            const std::string& detail, std::string_view remedy) {
    if (status.ok()) {
      Show(step, "ok", detail, "");
      return true;
    }
    code_ = CodeOf(status);
    // Before the first message, what is invalid is a name or a file.
    if (code_ == ExitCode::kRejected) {
      code_ = step == "entity" ? ExitCode::kNotFound : ExitCode::kConfig;
    }
    const std::string_view text = MessageOf(status);
    if (text.find("check ") != std::string_view::npos) remedy = "";
    Show(step, "failed", std::string(text), std::string(remedy));
    Fail(code_, step + " failed", text, remedy);
    return false;
  }

  bool Examine(const Config& config, const std::string& name,
               const std::vector<std::string>& queues) {
    const BrokerConfig& broker = config.brokers.at(name);
    if (!Network(broker)) return false;
    auto bus = OpenBus(config, false);
    if (!bus.ok()) {
      return Step("backend", bus.status(), "",
                  "this build lacks the backend; see `tieline --help`");
    }
    if (!Authenticate(bus->get(), name)) return false;
    for (const std::string& queue : queues) {
      if (config.queues.at(queue).broker != name) continue;
      if (!Entity(bus->get(), queue)) return false;
    }
    if (queues.empty()) {
      Show("entity", "skipped", "the URL names none", "");
      Show("credit", "skipped", "", "");
      Show("round trip", "skipped", "", "");
    }
    return true;
  }

  // Names, TCP and TLS of every host.
  bool Network(const BrokerConfig& broker) {
    const int default_port = DefaultPort(broker.url.scheme);
    const auto any_port = [&](const HostPort& h) {
      return h.port != 0 ? h.port : default_port;
    };
    if (broker.url.hosts.empty() || any_port(broker.url.hosts[0]) == 0) {
      for (const char* step : {"resolve", "connect", "tls"}) {
        Show(step, "skipped", broker.url.scheme + ":// uses no network", "");
      }
      return true;
    }
    for (const HostPort& host : broker.url.hosts) {
      auto addresses = Resolve(host.host);
      if (!Step("resolve", addresses.status(),
                addresses.ok() ? fmt::format("{}: {}", host.host,
                                             fmt::join(*addresses, ", "))
                               : "",
                "check the host's name and this machine's DNS")) {
        return false;
      }
      const int port = any_port(host);
      auto socket = Socket::Connect(host.host, port, timeout_);
      if (!Step("connect", socket.status(),
                fmt::format("{}:{}", host.host, port),
                "check the port, that the broker runs, and firewalls")) {
        return false;
      }
      if (!broker.tls.enabled) {
        Show("tls", "skipped", "plaintext", "");
        continue;
      }
      auto agreed = TlsHandshake(*socket, broker.tls, host.host, timeout_);
      if (!Step("tls", agreed.status(), agreed.ok() ? *agreed : "",
                "check tls.ca, tls.server_name and the client certificate, and "
                "that this port speaks TLS")) {
        return false;
      }
    }
    return true;
  }

  bool Authenticate(Bus* bus, const std::string& broker) {
    driver::Request ping;
    ping.op = driver::Request::Op::kPing;
    auto reply = AskBroker(bus, broker, ping, timeout_);
    absl::Status status = reply.status();
    if (status.code() == absl::StatusCode::kUnimplemented) {
      status = absl::OkStatus();  // connected, and that is what counts here
    }
    std::string remedy = "check user, password and SASL mechanism";
    if (!status.ok()) {
      // librdkafka before 2.6.1 sends a SCRAM nonce that Kafka 4 refuses.
      const std::string mechanism = "SCRAM";
      if (MessageOf(status).find(mechanism) != std::string_view::npos) {
        remedy +=
            "; librdkafka before 2.6.1 fails so with SCRAM against Kafka "
            "4: use a newer one, or PLAIN over TLS";
      }
      for (const BrokerMetrics& metrics : bus->metrics().brokers) {
        if (metrics.broker != broker || metrics.up ||
            status.code() != absl::StatusCode::kDeadlineExceeded) {
          continue;
        }
        status = absl::UnavailableError(
            metrics.last_error.empty() ? "no answer" : metrics.last_error);
        remedy =
            "check that this port speaks the protocol of the URL, with or "
            "without TLS";
      }
    }
    return Step("authenticate", status, broker, remedy);
  }

  bool Entity(Bus* bus, const std::string& queue) {
    auto sender = bus->OpenSender(queue);
    absl::Status status = sender.status();
    if (status.ok()) status = (*sender)->WaitOpen(timeout_);
    if (!Step("entity", status, queue,
              "check its name and permissions, or add create=true")) {
      return false;
    }
    if (!probe_) {
      Show("credit", "skipped", "add --probe to send a message", "");
      Show("round trip", "skipped", "", "");
      return true;
    }
    const ProbeResult probe = Probe(bus, sender->get(), queue, timeout_);
    if (!Step("credit", probe.sent, "the broker took a message",
              "the queue is full, or the broker grants no credit: look at its "
              "limits and alarms")) {
      return false;
    }
    return Step("round trip", probe.received,
                fmt::format("sent and received in {}",
                            absl::FormatDuration(probe.took)),
                "another receiver may have taken it, or the entity is a topic "
                "without this subscriber");
  }

  std::string queue_;
  std::string config_file_;
  bool probe_ = false;
  bool json_ = false;
  absl::Duration timeout_ = absl::Seconds(10);
  ExitCode code_ = ExitCode::kOk;
};

}  // namespace

std::unique_ptr<Command> MakeDoctor(CLI::App* app) {
  app->footer(
      "Steps: parse, resolve, connect, tls, authenticate, entity, credit, "
      "round "
      "trip.\nThe exit code is that of the first step that failed.\n"
      "Example: tieline doctor amqps://bridge@broker.example.net/orders"
      "?password_env=PW --probe");
  return std::make_unique<Doctor>(app);
}

}  // namespace tieline::tools
