#include "tests/sim/producer.h"

#include <utility>

#include "absl/strings/str_cat.h"

namespace tieline::sim {

Producer::Producer(const PlannedProducer* plan, int number, Process* process,
                   Timeline* timeline, Ledger* ledger, Rng rng)
    : plan_(plan),
      number_(number),
      process_(process),
      timeline_(timeline),
      ledger_(ledger),
      rng_(rng) {
  ArmNext();
}

bool Producer::Begin() {
  sender_ = process_->OpenSender(plan_->queue, plan_->options);
  ledger_->OnNewSender(number_);
  Send();
  return sender_ != nullptr;
}

void Producer::Forget() {
  sender_ = nullptr;
  ++life_;
  for (const int number : open_) ledger_->OnForgotten(number);
  open_.clear();
}

void Producer::ArmNext() {
  if (next_ == plan_->sends.size()) return;
  const PlannedSend& send = plan_->sends[next_];
  const absl::Duration wait = send.at - timeline_->since_start();
  timeline_->After(wait, [this, &send] {
    waiting_.push_back(Make(send));
    ++next_;
    Send();
    ArmNext();
  });
}

Producer::Batch Producer::Make(const PlannedSend& send) {
  Batch batch;
  batch.timeout = send.timeout;
  for (int i = 0; i < send.count; ++i) {
    Life life;
    life.producer = number_;
    life.key = plan_->keys == 0 ? -1 : rng_.Between(0, plan_->keys - 1);
    life.sequence = sequence_++;
    life.ordered = plan_->ordered;
    life.has_ttl = plan_->ttl != absl::InfiniteDuration();
    const int key = life.key;
    const int number = ledger_->NewMessage(std::move(life));
    const int size =
        rng_.Chance(5) ? rng_.Between(500, 3000) : rng_.Between(0, 60);
    ledger_->life(number).body = Ledger::BodyOf(number, size);
    Message message(ledger_->life(number).body);
    if (key >= 0) message.set_key(absl::StrCat("k", key));
    if (plan_->ttl != absl::InfiniteDuration()) message.set_ttl(plan_->ttl);
    batch.messages.push_back(std::move(message));
    batch.numbers.push_back(number);
  }
  return batch;
}

void Producer::Send() {
  while (sender_ != nullptr && !waiting_.empty()) {
    Batch& batch = waiting_.front();
    const absl::Status status = sender_->SendBatch(
        std::move(batch.messages),
        [this, life = life_](std::span<const SendResult> results) {
          if (life == life_ && !process_->is_dying()) OnResults(results);
        },
        {.timeout = batch.timeout});
    if (status.ok()) {
      process_->Touch();
      for (const int number : batch.numbers) {
        ledger_->OnGiven(number, timeline_->now() + batch.timeout);
        open_.insert(number);
      }
      waiting_.pop_front();
      continue;
    }
    if (status.code() != absl::StatusCode::kResourceExhausted ||
        batch.messages.size() != batch.numbers.size()) {
      ledger_->Violate(0, batch.numbers.front(),
                       absl::StrCat("not taken: ", status.ToString()));
      return;
    }
    // The buffer is full; later ones must not overtake these.
    if (retries_) return;
    retries_ = true;
    timeline_->After(absl::Milliseconds(20), [this] {
      retries_ = false;
      Send();
    });
    return;
  }
}

void Producer::OnResults(std::span<const SendResult> results) {
  for (const SendResult& result : results) {
    ledger_->OnResult(result);
    open_.erase(Ledger::NumberOf(result.message));
  }
}

}  // namespace tieline::sim
