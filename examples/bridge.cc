// A bridge between 200 simulated chargers, which speak in the manner of OCPP
// 1.6J, and a central system, over any two queues:
//
//   bridge memory://here/up memory://here/down
//   bridge amqp://localhost:5672/up "kafka://localhost:9092/down?group=bridge"
//
// A charger boots on UP; the central system sends it a command on DOWN; the
// charger confirms on UP. The key is the charger.
#include <atomic>
#include <chrono>
#include <iostream>
#include <semaphore>
#include <string>
#include <utility>

#include "examples/backends.h"
#include "tieline/bus.h"

namespace {

constexpr int kChargers = 200;

int Fail(const absl::Status& status) {
  std::cerr << "bridge: " << status.message() << "\n";
  return 1;
}

tieline::Message Frame(std::string_view charger, const std::string& body) {
  return tieline::Message(body).set_key(charger).set_content_type(
      "application/json");
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) {
    std::cerr << "usage: bridge UP_URL DOWN_URL\n";
    return 2;
  }
  RegisterBackends();
  tieline::Config config;
  const auto up = config.AddUrl(argv[1]);
  if (!up.ok()) return Fail(up.status());
  const auto down = config.AddUrl(argv[2]);
  if (!down.ok()) return Fail(down.status());
  auto bus = tieline::Bus::Open(std::move(config));
  if (!bus.ok()) return Fail(bus.status());
  auto to_central = (*bus)->OpenSender(*up);
  auto to_chargers = (*bus)->OpenSender(*down);
  auto from_chargers = (*bus)->OpenReceiver(*up);
  auto from_central = (*bus)->OpenReceiver(*down);
  absl::Status opened = to_central.status();
  opened.Update(to_chargers.status());
  opened.Update(from_chargers.status());
  opened.Update(from_central.status());
  if (!opened.ok()) return Fail(opened);

  // The central system: a command for each boot, a count of confirmations.
  std::atomic<int> boots{0};
  std::counting_semaphore<> confirmed(0);
  auto central =
      (*from_chargers)->Process({.concurrency = 4}, [&](tieline::Delivery& d) {
        const tieline::Message& message = d.message();
        if (message.body_view().starts_with("[3,")) {  // call result
          confirmed.release();
          return absl::OkStatus();
        }
        boots.fetch_add(1);
        const std::string id = "start-" + std::string(message.key());
        return (*to_chargers)
            ->Send(Frame(message.key(),
                         "[2,\"" + id + "\",\"RemoteStartTransaction\",{}]")
                       .set_id(id))
            .status;
      });
  // The chargers: each command is confirmed.
  auto chargers =
      (*from_central)->Process({.concurrency = 4}, [&](tieline::Delivery& d) {
        const std::string id(d.message().id());
        return (*to_central)
            ->Send(Frame(d.message().key(),
                         "[3,\"" + id + "\",{\"status\":\"Accepted\"}]")
                       .set_correlation_id(id))
            .status;
      });
  for (int i = 0; i < kChargers; ++i) {
    const std::string name = "charger-" + std::to_string(i);
    const std::string boot =
        "[2,\"boot-" + name + "\",\"BootNotification\",{}]";
    const tieline::SendResult sent = (*to_central)->Send(Frame(name, boot));
    if (!sent.ok()) return Fail(sent.status);
  }
  int done = 0;
  const auto patience = std::chrono::seconds(30);
  while (done < kChargers && confirmed.try_acquire_for(patience)) ++done;
  std::cout << "booted " << boots << ", commands confirmed " << done << "\n";
  return done == kChargers ? 0 : 1;
}
