// How a SenderSpool sends again what is retained.
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <string_view>
#include <utility>

#include "lib/base/status.h"
#include "lib/engine/sender_spool.h"

namespace tieline::inline v0 {
namespace {

constexpr std::string_view kInOrder = " in order";

}  // namespace

void SenderSpool::Replay(uint64_t until, bool in_order) {
  if (retainer_ == nullptr) return;
  asked_replay_ = {until, in_order};
  stirred_ = true;
}

void SenderSpool::WorkReplay() {
  if (!asked_replay_ || replay_) return;
  // What was accepted last is on its way to the disk.
  if (!retainer_->is_written()) return;
  if (asked_replay_->in_order &&
      (!begun_.empty() || !in_hand_->nothing_is_out())) {
    return;
  }
  replay_ = std::exchange(asked_replay_, std::nullopt);
  BeginReplay();
}

void SenderSpool::FindReplays() {
  for (const QueueId id : claim_->TakeLeftReplays()) replays_.push_back(id);
  for (const QueueId id : replays_) {
    const auto range = claim_->store()->RangeOf(id);
    if (!range.ok() || range->last == range->trimmed) continue;
    const auto chunk = claim_->store()->ReadSpool(id, range->last, 1);
    if (!chunk.ok() || chunk->entries.empty()) continue;
    // "7 in order": of generations up to 7.
    const std::string_view text = chunk->entries.back().bytes;
    uint64_t until = 0;
    const auto [end, error] =
        std::from_chars(text.data(), text.data() + text.size(), until);
    if (error != std::errc() || (replay_ && replay_->until >= until)) continue;
    Replay(until,
           text.substr(static_cast<size_t>(end - text.data())) == kInOrder);
  }
}

void SenderSpool::NoteReplay() {
  StoreBatch batch;
  if (replay_) {
    batch.Append(
        claim_->replays(), 0,
        fmt::format("{}{}", replay_->until, replay_->in_order ? kInOrder : ""));
  } else {
    for (const QueueId id : replays_) {
      const auto range = claim_->store()->RangeOf(id);
      if (range.ok() && range->last > range->trimmed) {
        batch.Trim(id, range->last);
      }
    }
  }
  if (batch.empty()) return;
  // Where the disk takes nothing, it is not gone on with.
  claim_->store()->Submit(std::move(batch), [](const auto&) {}).IgnoreError();
}

void SenderSpool::BeginReplay() {
  uint64_t there = 0;
  for (const QueueId id : retainer_->lanes()) {
    const auto range = claim_->store()->RangeOf(id);
    if (!range.ok() || range->last == range->trimmed) continue;
    auto it = std::find_if(lanes_.begin(), lanes_.end(),
                           [id](const Lane& lane) { return lane.id == id; });
    if (it == lanes_.end()) it = lanes_.insert(it, Lane());
    it->id = id;
    it->retained = true;
    it->trimmed = std::max(it->trimmed, range->trimmed);
    it->next = it->trimmed + 1;
    it->last = range->last;
    there += range->last - range->trimmed;
  }
  options_.log(fmt::format(
      "{}: the former broker does not answer: {} retained messages are sent "
      "again{}",
      options_.queue, there, replay_->in_order ? "" : ", marked late"));
  Tell("replaying");
  if (there > 0) NoteReplay();
  if (!replay_->in_order) return;
  in_hand_->SetAside();
  for (SendBatchState* batch : in_hand_->TakeUnbegun()) {
    waiting_.push_back(batch);
  }
  spooling_ = true;
}

bool SenderSpool::IsReplayed() const {
  return replay_unanswered_.count == 0 &&
         std::all_of(lanes_.begin(), lanes_.end(), [](const Lane& lane) {
           return !lane.retained || IsRead(lane);
         });
}

bool SenderSpool::IsAhead() const {
  if ((asked_replay_ && asked_replay_->in_order) ||
      (replay_ && replay_->in_order)) {
    return true;
  }
  return std::any_of(lanes_.begin() + 1, lanes_.end(), [](const Lane& lane) {
    return !lane.retained && lane.trimmed < lane.last;
  });
}

void SenderSpool::EndReplay() {
  const bool in_order = std::exchange(replay_, std::nullopt)->in_order;
  if (in_order) {
    in_hand_->PutBack();
    answered_ = true;
  }
  options_.log(fmt::format("{}: what was retained is sent", options_.queue));
  Tell("replayed");
  NoteReplay();
  stirred_ = true;
}

}  // namespace tieline::inline v0
