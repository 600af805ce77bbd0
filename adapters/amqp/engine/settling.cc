#include "adapters/amqp/engine/settling.h"

#include <algorithm>

namespace tieline::inline v0::amqp::wire {
namespace {

using Kind = DeliveryState::Kind;

// By serial number (RFC 1982).
void Sort(std::vector<uint32_t>* ids) {
  const auto before = [](uint32_t a, uint32_t b) {
    return static_cast<int32_t>(a - b) < 0;
  };
  if (!std::is_sorted(ids->begin(), ids->end(), before)) {
    std::sort(ids->begin(), ids->end(), before);
  }
}

// `id` belongs to the run that ends with `last`.
bool Continues(uint32_t last, uint32_t id) { return id - last <= 1; }

// Where the run that begins at `begin` ends.
size_t EndOfRun(const std::vector<uint32_t>& ids, size_t begin) {
  size_t end = begin + 1;
  while (end < ids.size() && Continues(ids[end - 1], ids[end])) ++end;
  return end;
}

}  // namespace

void Settling::Add(Kind kind, bool settled, uint32_t id) {
  std::vector<uint32_t>& ids = ids_[IndexOf(kind, settled)];
  if (ids.empty() || !Continues(ids.back(), id)) ++runs_;
  ids.push_back(id);
  ++count_;
}

size_t Settling::SortedRuns() {
  size_t runs = 0;
  for (std::vector<uint32_t>& ids : ids_) {
    Sort(&ids);
    for (size_t i = 0; i < ids.size(); i = EndOfRun(ids, i)) ++runs;
  }
  return runs;
}

bool Settling::Waits(absl::Time now) {
  if (count_ <= kFew || count_ >= kMost) return false;
  if (due_ == absl::InfiniteFuture()) {
    // Sorted, there are no more of them.
    if (runs_ * kLong <= count_ || SortedRuns() * kLong <= count_) return false;
    due_ = now + kWait;
  }
  return now < due_;
}

void Settling::Write(uint16_t channel, Writer* out) {
  for (const Kind kind : {Kind::kAccepted, Kind::kReleased}) {
    for (const bool settled : {false, true}) {
      Disposition head;
      head.receiver = true;
      head.settled = settled;
      head.state.kind = kind;
      AppendRanges(channel, head, &ids_[IndexOf(kind, settled)], out);
    }
  }
  count_ = 0;
  runs_ = 0;
  due_ = absl::InfiniteFuture();
}

void AppendRanges(uint16_t channel, Disposition head,
                  std::vector<uint32_t>* ids, Writer* out) {
  Sort(ids);
  for (size_t i = 0; i < ids->size();) {
    const size_t end = EndOfRun(*ids, i);
    head.first = (*ids)[i];
    head.last = (*ids)[end - 1];
    AppendFrame(channel, head, out);
    i = end;
  }
  ids->clear();
}

}  // namespace tieline::inline v0::amqp::wire
