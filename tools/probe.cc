#include "tools/probe.h"

#include <fmt/format.h>

#include <random>

#include "absl/time/clock.h"
#include "lib/base/status.h"

namespace tieline::tools {
namespace {

constexpr size_t kMaxOthers = 1000;

std::string NewId() {
  std::random_device random;
  return fmt::format("tieline-probe-{:08x}{:08x}", random(), random());
}

// Receives until the probe is there; settles it and gives the others back.
absl::Status Find(Receiver* receiver, const std::string& id, bool browse,
                  absl::Time deadline) {
  std::vector<Delivery> others;
  absl::Status status = absl::DeadlineExceededError(
      "the message was accepted, but did not come back");
  while (absl::Now() < deadline && others.size() < kMaxOthers) {
    auto delivery = receiver->Receive(deadline - absl::Now());
    if (!delivery.ok()) {
      if (delivery.status().code() != absl::StatusCode::kDeadlineExceeded) {
        status = delivery.status();
      }
      break;
    }
    if (delivery->message().id() == id) {
      status = browse ? absl::OkStatus() : delivery->Complete();
      break;
    }
    others.push_back(*std::move(delivery));
  }
  for (Delivery& other : others) status.Update(other.Release());
  status.Update(receiver->Flush(absl::Seconds(5)));
  return status;
}

}  // namespace

ProbeResult Probe(Bus* bus, Sender* sender, const std::string& queue,
                  absl::Duration timeout) {
  ProbeResult result;
  const absl::Time begin = absl::Now();
  const std::string id = NewId();
  Message message("tieline doctor");
  message.set_id(id).set_key("tieline-probe").set_ttl(absl::Minutes(1));
  const SendResult sent = sender->Send(message, {.timeout = timeout});
  result.sent = sent.status;
  if (!sent.ok()) return result;

  const bool browse = sender->capabilities().has(Capability::kReplay);
  ReceiverOptions options;
  options.browse = browse;
  std::unique_ptr<Bus> other;
  if (browse) {
    Config config = bus->config();
    config.queues.at(queue).start =
        sent.position >= 0 ? fmt::format("{}", sent.position) : "earliest";
    auto opened = Bus::Open(std::move(config));
    if (!opened.ok()) {
      result.received = opened.status();
      return result;
    }
    other = *std::move(opened);
  }
  auto receiver = (browse ? other.get() : bus)->OpenReceiver(queue, options);
  if (!receiver.ok()) {
    result.received = receiver.status();
    return result;
  }
  result.received = Find(receiver->get(), id, browse, absl::Now() + timeout);
  result.took = absl::Now() - begin;
  return result;
}

absl::StatusOr<driver::Reply> AskBroker(Bus* bus, const std::string& broker,
                                        const driver::Request& request,
                                        absl::Duration timeout) {
  const Config config = bus->config();
  for (const auto& [name, queue] : config.queues) {
    if (queue.broker == broker) return bus->Ask(name, request, timeout);
  }
  // Without a queue of its own, a broker is asked for what it has.
  auto entities = bus->ListEntities(broker, timeout);
  if (!entities.ok()) return entities.status();
  driver::Reply reply;
  reply.entities = *std::move(entities);
  return reply;
}

}  // namespace tieline::tools
