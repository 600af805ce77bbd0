#include "lib/engine/spool_entry.h"

#include <algorithm>

#include "lib/base/status.h"
#include "lib/engine/send_batch.h"
#include "lib/store/message_codec.h"

namespace tieline::inline v0 {
namespace {

constexpr size_t kNumber = 8;  // bytes, the lowest first
constexpr size_t kHead = 3 * kNumber;

void Put(uint64_t number, std::string* out) {
  for (size_t i = 0; i < kNumber; ++i) {
    out->push_back(static_cast<char>(number >> (8 * i)));
  }
}

uint64_t Take(std::string_view* bytes) {
  uint64_t number = 0;
  for (size_t i = 0; i < kNumber; ++i) {
    number |= uint64_t{static_cast<uint8_t>((*bytes)[i])} << (8 * i);
  }
  bytes->remove_prefix(kNumber);
  return number;
}

}  // namespace

absl::Duration SpoolEntry::TtlLeft(absl::Time now) const {
  const absl::Duration ttl = message.ttl();
  if (ttl == absl::InfiniteDuration()) return ttl;
  // A clock that was set back makes no message younger than it was.
  const absl::Duration age = std::max(now - spooled_at, absl::ZeroDuration());
  return std::max(ttl - age, absl::ZeroDuration());
}

SpoolEntry SpoolEntryOf(const SendResult& result, absl::Time now) {
  const SendBatchState& batch = *SendBatchState::BatchOf(result);
  SpoolEntry entry;
  entry.sequence = batch.sequence;
  entry.index = batch.first_index + batch.IndexOf(result);
  entry.spooled_at = now;
  entry.message = result.message;
  return entry;
}

void EncodeSpoolEntry(const SpoolEntry& entry, std::string* out) {
  Put(entry.sequence, out);
  Put(entry.index, out);
  Put(static_cast<uint64_t>(absl::ToUnixMillis(entry.spooled_at)), out);
  EncodeStored(entry.message, out);
}

absl::StatusOr<SpoolEntry> DecodeSpoolEntry(std::string_view bytes) {
  if (bytes.size() < kHead) {
    return MakeStatus(absl::StatusCode::kDataLoss,
                      "an entry of the spool has {} bytes, {} are the least",
                      bytes.size(), kHead);
  }
  SpoolEntry entry;
  entry.sequence = Take(&bytes);
  entry.index = Take(&bytes);
  entry.spooled_at = absl::FromUnixMillis(static_cast<int64_t>(Take(&bytes)));
  TIELINE_ASSIGN_OR_RETURN(entry.message, DecodeStored(bytes));
  return entry;
}

}  // namespace tieline::inline v0
