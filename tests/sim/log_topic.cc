#include "tests/sim/log_topic.h"

#include <algorithm>
#include <functional>
#include <iterator>
#include <string>
#include <string_view>
#include <utility>

#include "absl/strings/str_cat.h"

namespace tieline::sim {

using driver::Lane;
using driver::LaneState;
using driver::Verb;

void LogTopic::Put(Copy copy) {
  size_t number = static_cast<size_t>(copy.position);
  if (copy.message.has(Field::kKey)) {
    number = 7;
    for (const char c : copy.message.key()) {
      number = number * 31 + static_cast<unsigned char>(c);
    }
  }
  partitions_[number % partitions_.size()].log.push_back(std::move(copy));
}

driver::LaneEvent LogTopic::Event(size_t number, LaneState state) const {
  const Partition& p = partitions_[number];
  driver::LaneEvent event;
  event.lane = Lane{static_cast<uint32_t>(number)};
  event.epoch = p.epoch;
  event.state = state;
  event.name = absl::StrCat(number);
  event.until = p.until;
  return event;
}

void LogTopic::AddReader(Reader* reader, absl::Time, const Tell& tell) {
  readers_[reader->id] = reader;
  Assign(tell);
}

// What is nobody's goes to the readers in turn, to be read from the watermark.
void LogTopic::Assign(const Tell& tell) {
  if (readers_.empty()) return;
  for (size_t i = 0; i < partitions_.size(); ++i) {
    Partition& p = partitions_[i];
    if (p.reader != 0) continue;
    const auto skip = static_cast<std::ptrdiff_t>(turn_++ % readers_.size());
    p.reader = std::next(readers_.begin(), skip)->first;
    ++p.epoch;
    p.position = p.watermark;
    p.done.clear();
    p.returned.clear();
    p.closing = false;
    p.until = absl::InfiniteFuture();
    tell(p.reader, Event(i, LaneState::kOpened));
  }
}

void LogTopic::Close(size_t number, bool is_fault, const Tell& tell) {
  Partition& p = partitions_[number];
  driver::LaneEvent event = Event(number, LaneState::kClosed);
  event.is_fault = is_fault;
  if (is_fault) event.why = absl::AbortedError("the partition was lost");
  const uint64_t reader = std::exchange(p.reader, 0);
  if (readers_.count(reader) != 0) tell(reader, event);
}

void LogTopic::RemoveReader(uint64_t reader, absl::Time, const Tell& tell) {
  readers_.erase(reader);
  for (Partition& p : partitions_) {
    if (p.reader == reader) p.reader = 0;
  }
  Assign(tell);
}

bool LogTopic::Take(Reader& reader, absl::Time now, driver::Inbound* out) {
  for (size_t i = 0; i < partitions_.size(); ++i) {
    Partition& p = partitions_[i];
    if (p.reader != reader.id || p.closing) continue;
    size_t offset = p.position;
    if (!p.returned.empty()) {
      offset = *p.returned.begin();
      p.returned.erase(p.returned.begin());
    } else if (offset < p.log.size() && p.log[offset].visible <= now) {
      ++p.position;
    } else {
      continue;
    }
    Copy& copy = p.log[offset];
    Deliver(copy, reader, out);
    out->token = {Lane{static_cast<uint32_t>(i)}, p.epoch, offset};
    out->position = static_cast<int64_t>(offset);
    out->redelivered = false;
    ledger().OnDelivered(copy.number, context().place, copy.deliveries > 1);
    return true;
  }
  return false;
}

driver::Settled LogTopic::Settle(Reader& reader,
                                 const driver::Settlement& settlement,
                                 absl::Time) {
  driver::Settled settled;
  settled.token = settlement.token;
  settled.verb = settlement.verb;
  const auto number = static_cast<size_t>(settlement.token.lane);
  if (number >= partitions_.size() || partitions_[number].reader != reader.id ||
      partitions_[number].epoch != settlement.token.epoch) {
    settled.status = absl::AbortedError("the partition is another's");
    return settled;
  }
  Partition& p = partitions_[number];
  const auto offset = static_cast<size_t>(settlement.token.id);
  const int message = p.log[offset].number;
  if (settlement.verb == Verb::kRelease) {
    p.returned.insert(offset);
    ledger().Add(message, What::kReturned, context().place);
    return settled;
  }
  if (settlement.verb != Verb::kComplete) {
    ledger().Violate(0, message, "a log was asked for what it can't do");
    return settled;
  }
  if (offset < p.watermark || !p.done.insert(offset).second) {
    ledger().Violate(0, message, "an offset was settled twice");
    return settled;
  }
  ledger().OnCompleted(message, context().place);
  while (p.done.erase(p.watermark) != 0) ++p.watermark;
  return settled;
}

void LogTopic::DropLane(uint64_t reader, Lane lane, uint32_t epoch, absl::Time,
                        const Tell& tell) {
  const auto number = static_cast<size_t>(lane);
  Partition& p = partitions_[number];
  if (p.reader != reader || p.epoch != epoch) return;  // it was lost already
  Close(number, false, tell);
  Assign(tell);
}

bool LogTopic::Rebalance(int lane, absl::Time now, absl::Duration grace,
                         const Tell& tell) {
  const auto number = static_cast<size_t>(lane) % partitions_.size();
  Partition& p = partitions_[number];
  if (p.reader == 0 || p.closing) return false;
  if (grace == absl::ZeroDuration()) {
    Close(number, true, tell);
    Assign(tell);
    return true;
  }
  p.closing = true;
  p.until = now + grace;
  tell(p.reader, Event(number, LaneState::kClosing));
  return true;
}

// Some time beyond what the core was told: it hands back at the last moment.
constexpr absl::Duration kSlack = absl::Seconds(1);

void LogTopic::Expire(absl::Time now, const Tell& tell) {
  bool any = false;
  for (size_t i = 0; i < partitions_.size(); ++i) {
    if (!partitions_[i].closing || now < partitions_[i].until + kSlack) {
      continue;
    }
    if (partitions_[i].reader == 0) continue;
    Close(i, true, tell);
    any = true;
  }
  if (any) Assign(tell);
}

absl::Time LogTopic::next(absl::Time now) const {
  absl::Time next = absl::InfiniteFuture();
  for (const Partition& p : partitions_) {
    if (p.closing && p.reader != 0) next = std::min(next, p.until + kSlack);
    if (p.position < p.log.size() && p.log[p.position].visible > now) {
      next = std::min(next, p.log[p.position].visible);
    }
  }
  return next;
}

int64_t LogTopic::undrained() const {
  int64_t count = 0;
  for (const Partition& p : partitions_) {
    count += static_cast<int64_t>(p.log.size() - p.watermark - p.done.size());
  }
  return count;
}

void LogTopic::Lose() {
  for (Partition& p : partitions_) {
    for (size_t i = p.watermark; i < p.log.size(); ++i) {
      if (p.done.count(i) != 0) continue;
      const int number = p.log[i].number;
      ledger().Add(number, What::kLost, context().place);
      if (number >= 0) ++ledger().life(number).lost;
    }
    p.log.clear();
    p.done.clear();
    p.returned.clear();
    p.watermark = p.position = 0;
  }
}

}  // namespace tieline::sim
