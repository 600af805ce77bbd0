// How a SenderSpool sends what is in its lanes.
#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "lib/base/mutant.h"
#include "lib/base/status.h"
#include "lib/engine/generation_stamp.h"
#include "lib/engine/sender_spool.h"

namespace tieline::inline v0 {
namespace {

// Read and without a result, at most.
constexpr uint64_t kMost = 5000;
constexpr uint64_t kMostBytes = uint64_t{8} << 20;
constexpr int64_t kChunkBytes = int64_t{256} << 10;
constexpr size_t kRefusedTogether = 100;
constexpr absl::Duration kTryAgain = absl::Seconds(1);

}  // namespace

SenderSpool::Batch::Batch(const Batch::From& from, std::span<Message> messages,
                          std::vector<Stored> with)
    : SendBatchState(messages), lane(from.lane), stored(std::move(with)) {
  sequence = from.sequence;
  first_index = from.first_index;
  from_spool = true;
}

absl::Status SenderSpool::AddLane(QueueId id) {
  TIELINE_ASSIGN_OR_RETURN(const Store::SpoolRange range,
                           claim_->store()->RangeOf(id));
  Lane lane;
  lane.id = id;
  lane.trimmed = range.trimmed;
  lane.next = (Mutant(97) ? range.last : range.trimmed) + 1;
  lane.last = range.last;
  const uint64_t there = range.last - range.trimmed;
  if (there > 0) {
    NoteSequence(id, range);
    options_.log(
        fmt::format("{}: {} messages in the spool", options_.queue, there));
  }
  in_spool_.fetch_add(there);
  lanes_.push_back(std::move(lane));
  return absl::OkStatus();
}

// One that can't be read is found, and named, when it is its turn.
void SenderSpool::NoteSequence(QueueId id, const Store::SpoolRange& range) {
  if (range.last == range.trimmed) return;
  const auto chunk = claim_->store()->ReadSpool(id, range.last, 1);
  if (!chunk.ok() || chunk->entries.empty()) return;
  const auto entry = DecodeSpoolEntry(chunk->entries.back().bytes);
  if (!entry.ok()) return;
  next_sequence_ = std::max(next_sequence_, entry->sequence + 1);
}

void SenderSpool::TakeLeft() {
  if (retainer_ != nullptr) {
    retainer_->TakeLeft();
    FindReplays();
  }
  for (const QueueId id : claim_->TakeLeft()) {
    const absl::Status added = AddLane(id);
    if (added.ok()) continue;
    options_.log(fmt::format("{}: the spool can't be read: {}", options_.queue,
                             MessageOf(added)));
  }
}

void SenderSpool::Read() {
  if (now_ < read_again_at_) {
    WakeAt(read_again_at_);
    return;
  }
  for (size_t i = 0; i < lanes_.size(); ++i) {
    while (!IsRead(lanes_[i]) && MayRead(lanes_[i])) {
      const Unanswered& now = UnansweredOf(lanes_[i]);
      if (now.count >= kMost || now.bytes >= kMostBytes) break;
      if (!ReadChunk(i)) {
        read_again_at_ = now_ + kTryAgain;
        WakeAt(read_again_at_);
        return;
      }
    }
  }
}

bool SenderSpool::ReadChunk(size_t index) {
  Lane& lane = lanes_[index];
  const auto chunk =
      claim_->store()->ReadSpool(lane.id, lane.next, kChunkBytes);
  if (lane.retained && chunk.ok() && chunk->entries.empty()) {
    lane.next = lane.last + 1;  // too old meanwhile
    return true;
  }
  if (!chunk.ok() || chunk->entries.empty()) {
    options_.log(fmt::format("{}: the spool can't be read: {}", options_.queue,
                             MessageOf(chunk.status())));
    return false;
  }
  for (const SpoolChunk::Entry& entry : chunk->entries) {
    // Later ones are not known to be there yet.
    if (entry.sequence > lane.last) break;
    lane.next = entry.sequence + 1;
    if (!lane.done.contains(entry.sequence)) ReadEntry(index, entry);
  }
  FlushRead();
  return true;
}

void SenderSpool::ReadEntry(size_t lane, const SpoolChunk::Entry& stored) {
  auto entry = DecodeSpoolEntry(stored.bytes);
  if (!entry.ok()) {
    refused_.push_back({lane,
                        stored.sequence,
                        {},
                        std::string(stored.bytes),
                        std::string(MessageOf(entry.status()))});
    stirred_ = true;
    return;
  }
  if (!Prepare(lanes_[lane], stored.sequence, &*entry)) return;
  const bool follows = !read_.empty() && read_from_.lane == lane &&
                       read_from_.sequence == entry->sequence &&
                       read_from_.first_index + read_.size() == entry->index;
  if (!follows) {
    FlushRead();
    read_from_ = {lane, entry->sequence, entry->index};
  }
  const uint64_t bytes = entry->message.size_estimate();
  Unanswered& unanswered = UnansweredOf(lanes_[lane]);
  ++unanswered.count;
  unanswered.bytes += bytes;
  read_.push_back(std::move(entry->message));
  read_stored_.push_back({stored.sequence, bytes});
  if (Mutant(91)) Done(lane, stored.sequence);
}

bool SenderSpool::MayRead(const Lane& lane) const {
  if (lane.retained) return replay_.has_value();
  return !(replay_ && replay_->in_order);
}

bool SenderSpool::Prepare(Lane& lane, uint64_t number, SpoolEntry* entry) {
  const absl::Time now = options_.clock->Now();
  const absl::Duration left = entry->TtlLeft(now);
  const auto index = static_cast<size_t>(&lane - lanes_.data());
  if (left == absl::ZeroDuration()) {
    if (!lane.retained) ++expired_;
    Done(index, number);
    return false;
  }
  if (left != absl::InfiniteDuration()) entry->message.set_ttl(left);
  if (!lane.retained) return true;
  const uint64_t generation =
      std::max<uint64_t>(GenerationOf(entry->message), 1);
  // Of a later generation: its broker is not the one that was lost.
  if (generation > replay_->until) return false;
  if (now - entry->spooled_at > 2 * options_.retain) {
    Done(index, number);
    return false;
  }
  if (!replay_->in_order) StampGeneration(entry->message, generation);
  return true;
}

void SenderSpool::FlushRead() {
  if (read_.empty()) return;
  auto* batch = new Batch(read_from_, read_, std::exchange(read_stored_, {}));
  batch->observer = this;
  batch->keeps_stamp = lanes_[read_from_.lane].retained && !replay_->in_order;
  read_.clear();
  in_hand_->Add(batch);
}

// ---- What became of it.

void SenderSpool::OnResolved(SendBatchState& batch, SendResult& result) {
  const auto& b = static_cast<Batch&>(batch);
  const Stored& stored = b.stored[b.IndexOf(result)];
  Unanswered& unanswered = UnansweredOf(lanes_[b.lane]);
  --unanswered.count;
  unanswered.bytes -= stored.bytes;
  stirred_ = true;
  if (result.state == SendState::kAccepted) {
    if (lanes_[b.lane].retained) replayed_.fetch_add(1);
    Done(b.lane, stored.number);
  } else if (result.state == SendState::kRejected) {
    Refused refused{b.lane,
                    stored.number,
                    std::string(result.id()),
                    {},
                    std::string(MessageOf(result.status))};
    EncodeSpoolEntry(SpoolEntryOf(result, options_.clock->Now()),
                     &refused.bytes);
    refused_.push_back(std::move(refused));
  } else {
    // The next one reads it again.
    closed_ = true;
  }
}

bool SenderSpool::OnRejected(SendBatchState& /*batch*/, SendResult& /*result*/,
                             const absl::Status& /*why*/) {
  return false;
}

void SenderSpool::OnSubmitted(SendBatchState& /*batch*/,
                              SendResult& /*result*/) {}

void SenderSpool::Done(size_t lane, uint64_t number) {
  lanes_[lane].done.insert(number);
  if (!lanes_[lane].retained) in_spool_.fetch_sub(1);
  stirred_ = true;
}

void SenderSpool::Trim(size_t index) {
  Lane& lane = lanes_[index];
  if (lane.trims) return;
  uint64_t to = lane.trimmed;
  while (lane.done.erase(to + 1) > 0) ++to;
  // Not read yet, where the answer came late.
  lane.next = std::max(lane.next, to + 1);
  if (to == lane.trimmed && !lane.owes_trim) return;
  if (lane.owes_trim && now_ < retry_at_) {
    // Taken up again with what is added here.
    lane.trimmed = to;
    WakeAt(retry_at_);
    return;
  }
  lane.trimmed = to;
  lane.trims = true;
  StoreBatch batch;
  batch.Trim(lane.id, to);
  Submit(What::kTrimmed, index, std::move(batch));
}

// ---- What a broker refused for good: kept apart, and told.

void SenderSpool::WriteRefused() {
  if (refused_.empty() || refused_writing_ > 0) return;
  if (now_ < retry_at_) {
    WakeAt(retry_at_);
    return;
  }
  StoreBatch batch;
  while (refused_writing_ < std::min(refused_.size(), kRefusedTogether) &&
         batch.bytes() < kChunkBytes) {
    const Refused& refused = refused_[refused_writing_++];
    batch.Append(claim_->rejected(), 0, refused.bytes);
  }
  Submit(What::kRefused, 0, std::move(batch));
}

void SenderSpool::OnRefusedWritten(const absl::Status& status) {
  const size_t count = std::exchange(refused_writing_, 0);
  if (!status.ok()) {
    NoteDisk(status);
    return;
  }
  for (size_t i = 0; i < count; ++i) {
    const Refused& refused = refused_[i];
    options_.log(
        fmt::format("{}: the broker refuses message {} of the spool: "
                    "{}",
                    options_.queue, refused.id, refused.why));
    Tell("rejected", &refused);
    Done(refused.lane, refused.number);
  }
  refused_.erase(refused_.begin(),
                 refused_.begin() + static_cast<std::ptrdiff_t>(count));
}

}  // namespace tieline::inline v0
