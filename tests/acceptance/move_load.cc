#include "tests/acceptance/move_load.h"

#include <fmt/format.h>

#include <utility>

#include "absl/time/clock.h"
#include "tests/acceptance/move_setup.h"

namespace tieline::move_check {

std::string IdOf(uint64_t number) { return fmt::format("m-{}", number); }

absl::StatusOr<std::unique_ptr<Load>> Load::Start(Bus& bus, LoadOptions options,
                                                  LoadObserver* observer) {
  auto sender = bus.OpenSender(kQueue);
  if (!sender.ok()) return sender.status();
  return std::unique_ptr<Load>(
      new Load(*std::move(sender), std::move(options), observer));
}

Load::Load(std::unique_ptr<Sender> sender, LoadOptions options,
           LoadObserver* observer)
    : options_(std::move(options)),
      observer_(observer),
      sender_(std::move(sender)),
      thread_([this] { Run(); }) {}

bool Load::Stop() {
  stop_ = true;
  if (thread_.joinable()) thread_.join();
  if (!sender_->Flush(options_.wait).ok()) return false;
  // The callbacks use what is about to go.
  while (answered_ < sent_) absl::SleepFor(absl::Milliseconds(1));
  return true;
}

void Load::Run() {
  for (const uint64_t number : options_.again) SendOne(number);
  const absl::Time begin = absl::Now();
  for (uint64_t next = options_.first; !stop_;) {
    const uint64_t due =
        options_.first +
        static_cast<uint64_t>(absl::ToDoubleSeconds(absl::Now() - begin) *
                              options_.rate);
    while (next < due && !stop_) SendOne(next++);
    absl::SleepFor(absl::Microseconds(200));
  }
}

// Waits for room, unless it is stopped meanwhile.
void Load::SendOne(uint64_t number) {
  observer_->OnIntended(number);
  std::vector<Message> batch;
  batch.emplace_back(fmt::format("{}", number));
  batch.front().set_key(fmt::format("key-{}", number % options_.keys));
  if (options_.own_ids) batch.front().set_id(IdOf(number));
  SendOptions send_options;
  send_options.timeout = options_.send_timeout;
  const absl::Time given = absl::Now();
  while (!stop_) {
    const absl::Status status = sender_->SendBatch(
        std::move(batch),
        [this, number, given](std::span<const SendResult> results) {
          observer_->OnResult(number, results.front(), absl::Now() - given);
          ++answered_;
        },
        send_options);
    if (status.ok()) {
      ++sent_;
      return;
    }
    absl::SleepFor(absl::Milliseconds(1));
  }
}

}  // namespace tieline::move_check
