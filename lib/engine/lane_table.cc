#include "lib/engine/lane_table.h"

#include <algorithm>

namespace tieline::inline v0 {

using driver::Inbound;
using driver::Lane;
using driver::LaneEvent;
using driver::LaneState;
using driver::Token;

LaneTable::Info* LaneTable::Find(Lane lane) {
  const auto number = static_cast<uint32_t>(lane);
  if (last_ != nullptr && last_number_ == number) return last_;
  auto it = lanes_.find(number);
  if (it == lanes_.end()) return nullptr;
  last_ = &it->second;
  last_number_ = number;
  return last_;
}

LaneTable::Info& LaneTable::Of(Lane lane) {
  if (Info* known = Find(lane)) return *known;
  last_number_ = static_cast<uint32_t>(lane);
  last_ = &lanes_[last_number_];
  return *last_;
}

bool LaneTable::IsCurrent(const Token& token, uint32_t incarnation) {
  if (incarnation != incarnation_) return false;
  const Info* lane = Find(token.lane);
  return lane != nullptr && lane->open && lane->epoch == token.epoch;
}

bool LaneTable::HasEpoch(const Token& token, uint32_t incarnation) {
  if (incarnation != incarnation_) return false;
  const Info* lane = Find(token.lane);
  return lane != nullptr && lane->epoch == token.epoch;
}

std::string LaneTable::Name(Lane lane) const {
  auto it = lanes_.find(static_cast<uint32_t>(lane));
  return it == lanes_.end() ? std::string() : it->second.name;
}

void LaneTable::Arrived(const Inbound& inbound) {
  Info& lane = Of(inbound.token.lane);
  if (!lane.announced) {
    lane.open = true;
    lane.epoch = inbound.token.epoch;
  }
  ++lane.unsettled;
  ++unsettled_;
  unsettled_bytes_ += inbound.message.body_view().size();
}

void LaneTable::ArrivedOnCredit(std::span<const Inbound> inbound) {
  const uint64_t before = unsettled_bytes_;
  for (const Inbound& one : inbound) Arrived(one);
  granted_ -= std::min<uint64_t>(granted_, inbound.size());
  granted_bytes_ -= std::min(granted_bytes_, unsettled_bytes_ - before);
}

void LaneTable::Settled(Info& lane, uint32_t n) {
  n = std::min(n, lane.unsettled);
  // A message's own size is not kept: the mean of those that are here.
  unsettled_bytes_ -= unsettled_ == 0 ? 0 : unsettled_bytes_ * n / unsettled_;
  unsettled_ -= std::min<uint64_t>(n, unsettled_);
  if (unsettled_ == 0) unsettled_bytes_ = 0;
  lane.unsettled -= n;
}

void LaneTable::Settled(Lane lane, uint32_t n) {
  if (Info* known = Find(lane)) Settled(*known, n);
}

void LaneTable::Apply(const LaneEvent& event) {
  Info& lane = Of(event.lane);
  switch (event.state) {
    case LaneState::kOpened:
      if (lane.stalled) --stalled_;
      lane = {};
      lane.epoch = event.epoch;
      lane.open = lane.announced = true;
      lane.name = event.name;
      break;
    case LaneState::kClosing:
      lane.closing = true;
      lane.until = event.until;
      closing_ = true;
      break;
    case LaneState::kClosed:
      break;  // Forget, once what is buffered of it was dropped
    case LaneState::kStalled:
      if (!lane.stalled) ++stalled_;
      lane.stalled = true;
      break;
    case LaneState::kResumed:
      if (lane.stalled) --stalled_;
      lane.stalled = false;
      break;
  }
}

void LaneTable::Forget(Lane number) {
  Info& lane = Of(number);
  Settled(lane, lane.unsettled);
  if (lane.stalled) --stalled_;
  last_ = nullptr;
  lanes_.erase(static_cast<uint32_t>(number));
}

absl::Time LaneTable::TakeClosed(absl::Time now, std::vector<Drop>* drop) {
  absl::Time next = absl::InfiniteFuture();
  if (!closing_) return next;
  closing_ = false;
  for (auto& [number, lane] : lanes_) {
    if (!lane.closing) continue;
    if (lane.unsettled == 0 || now >= lane.until) {
      drop->emplace_back(Lane{number}, lane.epoch);
      lane.closing = false;
      lane.open = false;
      Settled(lane, lane.unsettled);
    } else {
      closing_ = true;
      next = std::min(next, lane.until);
    }
  }
  return next;
}

bool LaneTable::TakeGrant(uint64_t* messages, uint64_t* bytes) {
  const uint64_t in_use = granted_ + unsettled_;
  const uint64_t bytes_in_use = granted_bytes_ + unsettled_bytes_;
  *messages = in_use < credit_ ? credit_ - in_use : 0;
  *bytes = bytes_in_use < credit_bytes_ ? credit_bytes_ - bytes_in_use : 0;
  const bool enough =
      *messages >= std::max(1u, credit_ / 4) || *bytes >= credit_bytes_ / 4;
  if (!enough || (*messages == 0 && *bytes == 0)) return false;
  granted_ += *messages;
  granted_bytes_ += *bytes;
  return true;
}

void LaneTable::Reset() {
  constexpr uint32_t kCount = (uint32_t{1} << kNumberShift) - 1;
  incarnation_ = (incarnation_ & ~kCount) | ((incarnation_ + 1) & kCount);
  lanes_.clear();
  last_ = nullptr;
  closing_ = false;
  stalled_ = 0;
  granted_ = granted_bytes_ = 0;
  unsettled_ = unsettled_bytes_ = 0;
}

}  // namespace tieline::inline v0
