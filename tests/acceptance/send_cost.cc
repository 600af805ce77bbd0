// What sending costs on the memory backend, for counting instructions below
// callgrind (--instr-atstart=no): only the sends are counted.
//
//   send_cost --count N --batch N [--state FILE]
//
// With a state file the queue could be moved at any time.
#include <fmt/format.h>
#include <valgrind/callgrind.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <string>
#include <utility>
#include <vector>

#include "tieline/bus.h"
#include "tieline/memory.h"

int main(int argc, char** argv) {
  CLI::App app("Sends on memory, for counting instructions.");
  int count = 20000;
  int batch = 1;
  std::string state_file;
  app.add_option("--count", count, "Messages");
  app.add_option("--batch", batch, "Messages a call");
  app.add_option("--state", state_file, "State file");
  CLI11_PARSE(app, argc, argv);

  tieline::memory::Register();
  tieline::Config config;
  tieline::BrokerConfig& broker = config.brokers["here"];
  broker.name = "here";
  broker.url.scheme = "memory";
  broker.url.hosts.push_back({"send-cost", 0});
  tieline::QueueConfig& queue = config.queues["q"];
  queue.name = queue.entity = "q";
  queue.broker = "here";
  queue.ordered = tieline::Order::kPerKey;
  config.state_file = state_file;
  auto bus = tieline::Bus::Open(std::move(config));
  if (!bus.ok()) {
    fmt::print(stderr, "send_cost: {}\n", bus.status().ToString());
    return 2;
  }
  auto sender = (*bus)->OpenSender("q");
  if (!sender.ok()) return 2;
  const auto send = [&](int first) {
    std::vector<tieline::Message> messages;
    messages.reserve(static_cast<size_t>(batch));
    for (int i = first; i < first + batch; ++i) {
      messages.push_back(tieline::Message(std::string(100, 'x'))
                             .set_key(std::to_string(i % 100)));
    }
    for (const auto& result : (*sender)->SendBatch(std::move(messages))) {
      if (!result.ok()) return false;
    }
    return true;
  };
  // What comes once, apart.
  for (int i = 0; i < 1000; i += batch) {
    if (!send(i)) return 1;
  }
  CALLGRIND_START_INSTRUMENTATION;
  bool ok = true;
  for (int i = 0; ok && i < count; i += batch) ok = send(i);
  CALLGRIND_STOP_INSTRUMENTATION;
  return ok ? 0 : 1;
}
