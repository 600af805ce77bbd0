#include "tests/sim/trace.h"

#include <array>
#include <cstdio>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace tieline::sim {
namespace {

constexpr std::array<std::string_view, 20> kNames = {
    "given",     "submitted", "arrived", "stored",    "duplicate",
    "busy",      "refused",   "outcome", "delivered", "settled",
    "completed", "returned",  "stale",   "expired",   "lost",
    "dead",      "EFFECT",    "result",  "forgotten", "note"};
constexpr std::array<std::string_view, 4> kFates = {"accepted", "not taken",
                                                    "rejected", "unknown"};
constexpr std::array<std::string_view, 6> kVerbs = {
    "complete", "abandon", "release", "dead-letter", "defer", "renew"};
constexpr std::array<std::string_view, 5> kStates = {
    "accepted", "not sent", "rejected", "unknown", "spooled"};

std::string DetailOf(const Trace::Entry& e) {
  switch (e.what) {
    case What::kOutcome:
      return std::string(kFates.at(e.detail));
    case What::kSettled:
      return std::string(kVerbs.at(e.detail));
    case What::kResult:
      return std::string(kStates.at(e.detail));
    default:
      return e.detail == 0 ? "" : absl::StrCat(e.detail);
  }
}

void Mix(uint64_t& hash, uint64_t value) {
  hash = (hash ^ value) * 0x100000001b3ull;
  hash ^= hash >> 29;
}

}  // namespace

void Trace::Note(absl::Time at, std::string text) {
  entries_.push_back(
      {at, -1, What::kNote, 0, static_cast<uint32_t>(notes_.size())});
  notes_.push_back(std::move(text));
  if (is_live) Print();
}

std::string Trace::Line(absl::Time start, const Entry& e) const {
  const double at = absl::ToDoubleSeconds(e.at - start);
  if (e.what == What::kNote) {
    return absl::StrFormat("%12.6f  -- %s\n", at, notes_[e.detail]);
  }
  return absl::StrFormat("%12.6f  m%-4d %-10s %c  %s\n", at, e.message,
                         kNames.at(static_cast<size_t>(e.what)),
                         static_cast<char>('A' + e.place), DetailOf(e));
}

void Trace::Print() const {
  std::fputs(
      Line(absl::FromUnixSeconds(1'700'000'000), entries_.back()).c_str(),
      stdout);
  std::fflush(stdout);
}

uint64_t Trace::Digest() const {
  uint64_t hash = 0xcbf29ce484222325ull;
  for (const Entry& e : entries_) {
    Mix(hash, static_cast<uint64_t>(absl::ToUnixNanos(e.at)));
    Mix(hash, static_cast<uint64_t>(e.message));
    Mix(hash, static_cast<uint64_t>(e.what) << 8 | e.place);
    Mix(hash, e.detail);
  }
  for (const std::string& note : notes_) {
    for (const char c : note) Mix(hash, static_cast<unsigned char>(c));
  }
  return hash;
}

std::string Trace::Format(absl::Time start,
                          const std::set<int>& messages) const {
  std::string out;
  for (const Entry& e : entries_) {
    const bool is_wanted = e.what == What::kNote || messages.empty() ||
                           messages.count(e.message) != 0;
    if (is_wanted) out += Line(start, e);
  }
  return out;
}

}  // namespace tieline::sim
