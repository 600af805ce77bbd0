// Entity options: what is valid, and how a config spells them.
#include <functional>
#include <map>

#include "absl/strings/numbers.h"
#include "adapters/memory/broker.h"
#include "lib/base/status.h"

namespace tieline::inline v0 {
namespace memory {
namespace {

absl::Status CheckDuration(std::string_view field, absl::Duration value,
                           bool zero_allowed) {
  if (value > absl::ZeroDuration()) return absl::OkStatus();
  if (zero_allowed && value == absl::ZeroDuration()) return absl::OkStatus();
  return InvalidArgument("{}: expected a time above zero, found {}", field,
                         absl::FormatDuration(value));
}

bool ParseTime(const std::string& text, absl::Duration* out) {
  return absl::ParseDuration(text, out);
}

bool ParseFlag(const std::string& text, bool* out) {
  *out = text == "true";
  return text == "true" || text == "false";
}

bool ParseSize(const std::string& text, size_t* out) {
  uint64_t value = 0;
  if (!absl::SimpleAtoi(text, &value)) return false;
  *out = value;
  return true;
}

}  // namespace

absl::Status EntityOptions::Validate() const {
  TIELINE_RETURN_IF_ERROR(CheckDuration("lock_duration", lock_duration, false));
  TIELINE_RETURN_IF_ERROR(CheckDuration("default_ttl", default_ttl, false));
  TIELINE_RETURN_IF_ERROR(
      CheckDuration("duplicate_window", duplicate_window, true));
  if (max_messages == 0) {
    return InvalidArgument("max_messages: expected at least 1, found 0");
  }
  return absl::OkStatus();
}

absl::StatusOr<EntityOptions> OptionsFrom(const QueueConfig& queue,
                                          EntityOptions options) {
  using Parse = std::function<bool(const std::string&)>;
  const std::map<std::string, Parse, std::less<>> settings = {
      {"lock_duration",
       [&](const auto& t) { return ParseTime(t, &options.lock_duration); }},
      {"max_delivery_count",
       [&](const auto& t) {
         return absl::SimpleAtoi(t, &options.max_delivery_count);
       }},
      {"sessions",
       [&](const auto& t) { return ParseFlag(t, &options.sessions); }},
      {"ttl",
       [&](const auto& t) { return ParseTime(t, &options.default_ttl); }},
      {"dead_letter_expired",
       [&](const auto& t) {
         return ParseFlag(t, &options.dead_letter_expired);
       }},
      {"duplicate_window",
       [&](const auto& t) { return ParseTime(t, &options.duplicate_window); }},
      {"max_messages",
       [&](const auto& t) { return ParseSize(t, &options.max_messages); }},
      {"max_message_bytes",
       [&](const auto& t) { return ParseSize(t, &options.max_message_bytes); }},
  };
  for (const auto& [name, text] : queue.settings) {
    auto it = settings.find(name);
    if (it == settings.end()) {
      std::string known;
      for (const auto& [k, parse] : settings) {
        known += (known.empty() ? "" : ", ") + k;
      }
      return InvalidArgument(
          "queue \"{}\": unknown setting \"{}\"; memory queues have {}",
          queue.name, name, known);
    }
    if (!it->second(text)) {
      return InvalidArgument("queue \"{}\": setting \"{}\": cannot read \"{}\"",
                             queue.name, name, text);
    }
  }
  TIELINE_RETURN_IF_ERROR(options.Validate());
  return options;
}

}  // namespace memory
}  // namespace tieline::inline v0
