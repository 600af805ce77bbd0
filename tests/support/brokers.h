// Broker: a real broker for a test program, through tests/brokers/broker.
//
//   Broker& kafka = Broker::Shared("kafka");       // one for the whole run
//   Broker mine = Broker::Start("artemis --max-delivery-attempts -1");
//   mine.Kill();  mine.Restart();
//
// Shared brokers come from the environment that scripts/test sets
// (TIELINE_KAFKA_BROKER, TIELINE_ARTEMIS_BROKER, TIELINE_RABBITMQ_BROKER: a
// description file; or TIELINE_..._URL alone: a broker of the user's own).
// Without it one is started at first use, and stopped when the program ends,
// however it ends. Whoever kills or pauses a broker starts its own: other test
// programs use the shared ones at the same time.
//
// Threads: any thread may call anything; calls on one broker take turns.
// Failures are std::runtime_error with the command's one-line reason.
#ifndef TIELINE_TESTS_SUPPORT_BROKERS_H_
#define TIELINE_TESTS_SUPPORT_BROKERS_H_

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "tests/support/proxy.h"

namespace tieline::testing {

class Broker {
 public:
  // The broker of a kind ("kafka", "artemis", "rabbitmq") that the run shares.
  // The reference stays valid to the end of the program.
  static Broker& Shared(std::string_view kind);
  // Starts a broker: a kind and options as the command's `start` takes them,
  // separated by blanks. Stopped by the destructor.
  static Broker Start(std::string_view line);

  ~Broker();
  Broker(Broker&&) noexcept;
  Broker& operator=(Broker&&) noexcept;

  // "kafka://127.0.0.1:PORT". Roles: plain; with --tls also tls and mtls; Kafka
  // with --sasl also sasl (and sasl_tls).
  std::string Url(std::string_view role = "plain") const;
  bool HasRole(std::string_view role) const;
  uint16_t Port(std::string_view role = "plain") const;
  // The user that PLAIN, SCRAM and certificates know, and its password.
  std::string User() const;
  std::string Password() const;
  // A text of the description by its JSON pointer: "/tls/ca",
  // "/tls/client_cert", "/name", "/log"...
  std::string Text(const std::string& pointer) const;
  // What is in the file that such a text names: "/tls/client_key".
  std::string Contents(const std::string& pointer) const;

  // A proxy before this broker. Kafka announces addresses of its own, so there
  // the broker must have been started with --proxied N, for up to N proxies at
  // a time in all programs; the URL to use is in the result.
  struct Proxied {
    std::unique_ptr<Proxy> proxy;
    std::string url;
  };
  Proxied MakeProxy() const;

  void Kill();      // SIGKILL
  void Restart();   // the same ports and data; returns when it serves
  void Pause();     // SIGSTOP
  void Continue();  // SIGCONT
  void WaitReady();

  // Kafka: makes a topic and waits until every partition has a leader. It is
  // fine if it is there. settings: "--config KEY=VALUE ...".
  void CreateTopic(const std::string& name, int partitions,
                   std::string_view settings = "") const;
  void DeleteTopic(const std::string& name) const;
  // Artemis (milliseconds) and RabbitMQ (a second): messages in a queue, those
  // being delivered included.
  int64_t Depth(const std::string& queue);

 private:
  struct State;
  explicit Broker(std::unique_ptr<State> state);
  // Runs the command on this broker; what it printed.
  std::string Control(std::string_view command, std::string_view more = "");

  std::unique_ptr<State> state_;
};

}  // namespace tieline::testing

#endif  // TIELINE_TESTS_SUPPORT_BROKERS_H_
