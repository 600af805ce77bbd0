#include "tools/charger_load.h"

#include <fmt/format.h>

#include <utility>

#include "absl/time/clock.h"
#include "tieline/clock.h"
#include "tools/stop.h"

namespace tieline::tools {
namespace {

constexpr absl::Duration kTick = absl::Milliseconds(2);
// How long a sender that is full is left alone.
constexpr absl::Duration kFull = absl::Milliseconds(5);
constexpr absl::Duration kTimeout = absl::Minutes(1);

bool IsBeat(const ChargerCall& call) { return call.number % 10 == 0; }

std::string IdOf(const ChargerCall& call) {
  return fmt::format("{}-{}", KeyOf(call.charger), call.number);
}

}  // namespace

std::string KeyOf(uint32_t charger) {
  return fmt::format("charger-{:03}", charger);
}

std::string BodyOf(const ChargerCall& call) {
  const std::string id = IdOf(call);
  if (IsBeat(call)) return fmt::format(R"([2,"{}","Heartbeat",{{}}])", id);
  return fmt::format(R"([2,"{}","MeterValues",{{"connectorId":1,)"
                     R"("meterValue":[{{"sampledValue":[{{"value":"{}",)"
                     R"("unit":"Wh"}}]}}]}}])",
                     id, call.number * 7);
}

ChargerCall ChargerSource::NextCall() {
  const auto charger = static_cast<uint32_t>(made_++ % next_.size());
  return {charger, next_[charger]++};
}

Message MessageFor(const ChargerCall& call) {
  Message message(BodyOf(call));
  message.set_key(KeyOf(call.charger))
      .set_content_type("application/json")
      .set_property("action", IsBeat(call) ? "Heartbeat" : "MeterValues");
  return message;
}

ChargerFleet::ChargerFleet(const Options& options, Sender* sender,
                           Ledger* ledger)
    : options_(options),
      sender_(sender),
      ledger_(ledger),
      thread_([this] { Run(); }) {}

ChargerFleet::~ChargerFleet() { Stop(); }

void ChargerFleet::Stop() {
  stop_.store(true);
  if (thread_.joinable()) thread_.join();
}

void ChargerFleet::Run() {
  ChargerSource source(options_.chargers);
  const Clock* const clock = Clock::System();
  const absl::Time begin = clock->Steady();
  while (!stop_.load()) {
    const double due =
        absl::ToDoubleSeconds(clock->Steady() - begin) * options_.rate;
    while (static_cast<double>(source.made()) < due) Send(source.NextCall());
    if (WaitForStop(kTick)) return;
  }
}

void ChargerFleet::Send(const ChargerCall& call) {
  ledger_->Sent(call);
  const absl::Time wanted = Clock::System()->Steady();
  const auto answered = [ledger = ledger_, call,
                         wanted](std::span<const SendResult> results) {
    ledger->Answered(call, results.front().ok(),
                     Clock::System()->Steady() - wanted);
  };
  while (true) {
    std::vector<Message> messages;
    messages.push_back(MessageFor(call));
    const absl::Status given = sender_->SendBatch(std::move(messages), answered,
                                                  {.timeout = kTimeout});
    if (given.ok()) return;
    if (!absl::IsResourceExhausted(given)) break;
    // There is room at the latest when those on their way have timed out.
    absl::SleepFor(kFull);
  }
  ledger_->Answered(call, false, absl::ZeroDuration());
}

}  // namespace tieline::tools
