// Receives from a queue, several keys at a time, each key in order:
//
//   consumer amqp://localhost:5672/readings 1000
//   consumer "kafka://localhost:9092/readings?group=consumers"
//
// Ends after COUNT messages, or when none came for 10 seconds.
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <iostream>
#include <semaphore>
#include <utility>

#include "examples/backends.h"
#include "tieline/bus.h"

namespace {

int Fail(const absl::Status& status) {
  std::cerr << "consumer: " << status.message() << "\n";
  return 1;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) {
    std::cerr << "usage: consumer URL [COUNT]\n";
    return 2;
  }
  const int64_t count =
      argc > 2 ? std::strtoll(argv[2], nullptr, 10) : INT64_MAX;
  RegisterBackends();

  tieline::Config config;
  const auto queue = config.AddUrl(argv[1]);
  if (!queue.ok()) return Fail(queue.status());
  auto bus = tieline::Bus::Open(std::move(config));
  if (!bus.ok()) return Fail(bus.status());
  auto receiver = (*bus)->OpenReceiver(*queue);
  if (!receiver.ok()) return Fail(receiver.status());
  const absl::Status open = (*receiver)->WaitOpen(absl::Seconds(10));
  if (!open.ok()) return Fail(open);

  std::atomic<int64_t> handled{0};
  std::counting_semaphore<> arrived(0);
  auto processor = (*receiver)->Process(
      {.concurrency = 4, .order = tieline::Order::kPerKey},
      [&](tieline::Delivery& delivery) -> absl::Status {
        // An error here would bring the message back; OK completes it.
        if (delivery.message().body_view().empty()) {
          return delivery.DeadLetter("empty", "a reading has a body");
        }
        handled.fetch_add(1);
        arrived.release();
        return absl::OkStatus();
      });
  while (handled.load() < count &&
         arrived.try_acquire_for(std::chrono::seconds(10))) {
  }
  const absl::Status stopped = processor->Stop(absl::Seconds(10));
  std::cout << "handled " << handled.load() << "\n";
  return stopped.ok() ? 0 : Fail(stopped);
}
