#include "tieline/capabilities.h"

#include <array>

namespace tieline::inline v0 {
namespace {

constexpr std::array<std::string_view, kCapabilityCount> kNames = {
    "ordering",
    "ordered-pipelining",
    "broker-redelivery",
    "dead-letter",
    "attempt-count",
    "defer",
    "schedule",
    "cancel-scheduled",
    "ttl",
    "sessions",
    "lock-renewal",
    "duplicate-detection",
    "transactions",
    "peek",
    "depth",
    "list-entities",
    "create-entity",
    "replay",
    "single-settle",
};

}  // namespace

std::string_view CapabilityName(Capability c) {
  const auto i = static_cast<size_t>(c);
  return i < kNames.size() ? kNames[i] : "unknown";
}

std::vector<std::string> Missing(const std::vector<Capability>& needs,
                                 const Capabilities& has) {
  std::vector<std::string> missing;
  for (Capability c : needs) {
    if (!has.has(c)) missing.emplace_back(CapabilityName(c));
  }
  return missing;
}

}  // namespace tieline::inline v0
