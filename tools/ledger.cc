#include "tools/ledger.h"

#include <algorithm>
#include <charconv>
#include <optional>
#include <string>

#include "tools/charger_load.h"

namespace tieline::tools {
namespace {

// Takes a number off the front, and `after` behind it.
template <typename Number>
bool TakeNumber(std::string_view* text, char after, Number* number) {
  const char* const end = text->data() + text->size();
  const auto [at, error] = std::from_chars(text->data(), end, *number);
  if (error != std::errc() || at == end || *at != after) return false;
  text->remove_prefix(static_cast<size_t>(at - text->data()) + 1);
  return true;
}

// What the body says that it is; nothing when that is not what was sent.
std::optional<ChargerCall> CallOf(const Message& message) {
  constexpr std::string_view kBegin = "[2,\"charger-";
  std::string_view text = message.body_view();
  if (!text.starts_with(kBegin)) return std::nullopt;
  text.remove_prefix(kBegin.size());
  ChargerCall call;
  if (!TakeNumber(&text, '-', &call.charger) ||
      !TakeNumber(&text, '"', &call.number) ||
      message.body_view() != BodyOf(call) ||
      message.key() != KeyOf(call.charger)) {
    return std::nullopt;
  }
  return call;
}

}  // namespace

void Ledger::Sent(const ChargerCall& call) {
  std::lock_guard lock(mu_);
  std::vector<uint8_t>& entries = books_.at(call.charger).entries;
  if (entries.size() <= call.number) entries.resize(call.number + 1);
  entries[call.number] |= kSent;
  ++counts_.sent;
}

void Ledger::Answered(const ChargerCall& call, bool accepted,
                      absl::Duration waited) {
  std::lock_guard lock(mu_);
  uint8_t* const entry = Find(call);
  if (entry == nullptr) return;
  waits_.histogram.Add(absl::ToInt64Nanoseconds(waited));
  waits_.longest = std::max(waits_.longest, waited);
  if (!accepted) {
    ++counts_.failed;
    return;
  }
  *entry |= kAccepted;
  ++counts_.accepted;
  if ((*entry & kHandled) != 0) ++kept_;
}

void Ledger::Handled(const Message& message) {
  const std::optional<ChargerCall> call = CallOf(message);
  std::lock_guard lock(mu_);
  uint8_t* const entry = call.has_value() ? Find(*call) : nullptr;
  if (entry == nullptr) {
    ++counts_.altered;
    return;
  }
  if ((*entry & kHandled) != 0) {
    ++counts_.duplicates;
    return;
  }
  *entry |= kHandled;
  ++counts_.handled;
  if ((*entry & kAccepted) != 0) ++kept_;
  Book& book = books_[call->charger];
  if (call->number < book.next) ++counts_.order_violations;
  book.next = std::max(book.next, call->number + 1);
}

Ledger::Counts Ledger::counts() const {
  std::lock_guard lock(mu_);
  Counts counts = counts_;
  counts.lost = counts_.accepted - kept_;
  return counts;
}

Ledger::Waits Ledger::TakeWaits() {
  std::lock_guard lock(mu_);
  return std::exchange(waits_, {});
}

uint8_t* Ledger::Find(const ChargerCall& call) {
  if (call.charger >= books_.size()) return nullptr;
  std::vector<uint8_t>& entries = books_[call.charger].entries;
  return call.number < entries.size() ? &entries[call.number] : nullptr;
}

}  // namespace tieline::tools
