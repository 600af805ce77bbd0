#include "tools/dead_letter_taker.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <utility>

#include "lib/base/status.h"

namespace tieline::tools {
namespace {

// Sent at once, where it is known which are meant.
constexpr size_t kBatch = 256;
// Held until the end: what is not meant, and what is gathered before any of it
// is sent, where it may come back while others are still received.
constexpr size_t kMaxHeld = 20000;
constexpr uint64_t kMaxHeldBytes = uint64_t{256} << 20;

int32_t PartitionOf(const DeadLetterPlace& place, const Delivery& delivery) {
  int32_t partition = 0;
  if (place.settles_singly) return partition;
  const std::string lane = delivery.lane();
  std::from_chars(lane.data(), lane.data() + lane.size(), partition);
  return partition;
}

}  // namespace

DeadLetterTaker::DeadLetterTaker(Bus* bus, const DeadLetterPlace& place,
                                 TakeOptions options)
    : bus_(bus),
      place_(place),
      options_(std::move(options)),
      wanted_(options_.choice != nullptr
                  ? options_.choice->size()
                  : std::min<uint64_t>(options_.most, kMaxHeld)) {}

TakeResult DeadLetterTaker::Run() {
  const absl::Duration window =
      options_.to == nullptr ? absl::ZeroDuration()
                             : options_.to->capabilities().duplicate_window;
  if (window > absl::ZeroDuration() && !options_.drops_ids) {
    // It would say "accepted" and keep nothing.
    result_.status = MakeStatus(
        absl::StatusCode::kFailedPrecondition,
        "the queue drops a second message with an id that it has seen within "
        "{}",
        absl::FormatDuration(window));
    return result_;
  }
  ReceiverOptions options;
  options.credit = kMaxHeld;
  options.credit_bytes = kMaxHeldBytes;
  auto receiver = bus_->OpenReceiver(place_.queue, options);
  result_.status = receiver.status();
  if (!receiver.ok()) return result_;
  result_.status = (*receiver)->WaitOpen(options_.timeout);
  if (!result_.status.ok()) return result_;
  const absl::Status ended = Gather(receiver->get());
  result_.status.Update(ended);
  for (Delivery& delivery : held_) result_.status.Update(delivery.Release());
  held_.clear();
  result_.status.Update((*receiver)->Flush(options_.timeout));
  result_.status.Update((*receiver)->Close(options_.timeout));
  if (options_.choice != nullptr) result_.missing = wanted_ - seen_;
  return result_;
}

absl::Status DeadLetterTaker::Gather(Receiver* receiver) {
  absl::Status ended;
  while (!IsDone()) {
    if (options_.stop.stop_requested()) {
      ended = absl::CancelledError("stopped");
      break;
    }
    if (held_.size() >= kMaxHeld) {
      ended = MakeStatus(absl::StatusCode::kResourceExhausted,
                         "{}: {} others are before those that are meant",
                         place_.entity, held_.size());
      break;
    }
    auto batch = receiver->ReceiveBatch(kBatch, options_.idle, options_.stop);
    if (!batch.ok()) {
      const bool is_quiet =
          batch.status().code() == absl::StatusCode::kDeadlineExceeded;
      if (!is_quiet) ended = batch.status();
      break;
    }
    for (Delivery& delivery : *batch) Sort(std::move(delivery));
    if (!IsFull()) continue;
    Finish();
    if (options_.choice == nullptr) {
      result_.may_have_more = true;
      break;
    }
  }
  if (ended.ok()) Finish();
  for (Item& item : items_) Keep(std::move(item));
  items_.clear();
  return ended;
}

// As much is gathered as is sent at once.
bool DeadLetterTaker::IsFull() const {
  if (bytes_ >= kMaxHeldBytes / 2) return true;
  if (options_.choice == nullptr) return to_take_ >= wanted_;
  return to_take_ >= kBatch || items_.size() >= kMaxHeld / 2;
}

bool DeadLetterTaker::IsDone() const {
  if (options_.choice != nullptr && seen_ >= wanted_) return true;
  if (result_.failed == 0) return false;
  // A destination that is away, or that refused what all others wait behind.
  return !place_.settles_singly ||
         result_.first_failure.code() != absl::StatusCode::kInvalidArgument;
}

void DeadLetterTaker::Sort(Delivery delivery) {
  driver::Inbound inbound;
  inbound.message = delivery.message();
  inbound.position = delivery.position();
  const DeadLetter letter =
      DeadLetterOf(place_, inbound, PartitionOf(place_, delivery));
  Item item{std::move(delivery), letter.id, letter.partition, ActionOf(letter)};
  if (item.action == Action::kKeep && place_.settles_singly) {
    Keep(std::move(item));
    return;
  }
  bytes_ += inbound.message.size_estimate();
  if (item.action == Action::kTake) ++to_take_;
  items_.push_back(std::move(item));
}

DeadLetterTaker::Action DeadLetterTaker::ActionOf(const DeadLetter& letter) {
  if (!letter.is_of_source) {
    // The group reads for this one queue only.
    return place_.settles_singly ? Action::kKeep : Action::kPass;
  }
  if (options_.choice == nullptr) {
    if (seen_ >= wanted_) return Action::kKeep;
    ++seen_;
    return Action::kTake;
  }
  if (!options_.choice->Has(letter.id)) return Action::kKeep;
  const auto [it, is_new] = seen_ids_.try_emplace(letter.id, false);
  if (is_new) {
    ++seen_;
    return Action::kTake;
  }
  return it->second ? Action::kPass : Action::kKeep;
}

void DeadLetterTaker::Finish() {
  std::vector<Message> messages;
  for (const Item& item : items_) {
    if (item.action != Action::kTake) continue;
    messages.push_back(
        WithoutMarks(place_.kind, item.delivery.message(), place_.entity));
    if (options_.drops_ids) messages.back().clear(Field::kId);
  }
  std::vector<SendResult> results;
  if (options_.to != nullptr && !messages.empty()) {
    results = options_.to->SendBatch(std::move(messages));
  }
  size_t next = 0;
  for (Item& item : items_) {
    const bool is_sent = item.action == Action::kTake && options_.to != nullptr;
    Settle(std::move(item), is_sent ? &results[next++] : nullptr);
  }
  items_.clear();
  to_take_ = 0;
  bytes_ = 0;
  if (options_.progress) options_.progress(result_.taken);
}

void DeadLetterTaker::Settle(Item item, const SendResult* result) {
  if (result != nullptr && !result->ok()) {
    if (++result_.failed == 1) {
      result_.first_failure = result->status;
      result_.first_failed_id = item.id;
    }
    item.action = Action::kKeep;
  }
  if (item.action == Action::kKeep || stuck_.count(item.partition) != 0) {
    Keep(std::move(item));
    return;
  }
  result_.status.Update(item.delivery.Complete());
  if (item.action != Action::kTake) return;
  ++result_.taken;
  if (!item.id.empty()) seen_ids_[item.id] = true;
}

void DeadLetterTaker::Keep(Item item) {
  if (place_.settles_singly) {
    held_.push_back(std::move(item.delivery));
    return;
  }
  // What is behind it can't be settled either.
  stuck_.insert(item.partition);
  result_.status.Update(item.delivery.Release());
}

}  // namespace tieline::tools
