// Sends readings of simulated charging stations to a queue:
//
//   producer amqp://localhost:5672/readings 1000
//   producer "kafka://localhost:9092/readings?create=true"
//
// The charger's name is the key, so that its readings stay in order.
#include <cstdlib>
#include <iostream>
#include <string>
#include <utility>
#include <vector>

#include "examples/backends.h"
#include "tieline/bus.h"

namespace {

constexpr int kChargers = 200;
constexpr size_t kBatch = 100;

tieline::Message Reading(int number) {
  const std::string charger = "charger-" + std::to_string(number % kChargers);
  tieline::Message message(R"({"charger":")" + charger + R"(","wh":)" +
                           std::to_string(number) + "}");
  message.set_key(charger)
      .set_content_type("application/json")
      .set_property("number", int64_t{number});
  return message;
}

int Fail(const absl::Status& status) {
  std::cerr << "producer: " << status.message() << "\n";
  return 1;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) {
    std::cerr << "usage: producer URL [COUNT]\n";
    return 2;
  }
  const long count = argc > 2 ? std::strtol(argv[2], nullptr, 10) : 1000;
  RegisterBackends();

  tieline::Config config;
  const auto queue = config.AddUrl(argv[1]);
  if (!queue.ok()) return Fail(queue.status());
  auto bus = tieline::Bus::Open(std::move(config));
  if (!bus.ok()) return Fail(bus.status());
  auto sender = (*bus)->OpenSender(*queue);
  if (!sender.ok()) return Fail(sender.status());

  int accepted = 0;
  for (int sent = 0; sent < count;) {
    std::vector<tieline::Message> batch;
    while (batch.size() < kBatch && sent < count) {
      batch.push_back(Reading(sent++));
    }
    // Returns when the broker has them all, or it is known why not.
    for (const tieline::SendResult& result :
         (*sender)->SendBatch(std::move(batch))) {
      if (!result.ok()) return Fail(result.status);
      ++accepted;
    }
  }
  std::cout << "accepted " << accepted << "\n";
  const absl::Status closed = (*sender)->Close(absl::Seconds(10));
  return closed.ok() ? 0 : Fail(closed);
}
