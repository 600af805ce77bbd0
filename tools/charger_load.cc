#include "tools/charger_load.h"

#include <fmt/format.h>

#include <optional>

namespace tieline::tools {
namespace {

constexpr char kNumber[] = "number";

}  // namespace

Message ChargerSource::Next() {
  const size_t charger = made_++ % next_.size();
  const uint64_t number = next_[charger]++;
  const bool is_beat = number % 10 == 0;
  const std::string id = fmt::format("charger-{:03}-{}", charger, number);
  const std::string body =
      is_beat ? fmt::format(R"([2,"{}","Heartbeat",{{}}])", id)
              : fmt::format(R"([2,"{}","MeterValues",{{"connectorId":1,)"
                            R"("meterValue":[{{"sampledValue":[{{"value":"{}",)"
                            R"("unit":"Wh"}}]}}]}}])",
                            id, number * 7);
  Message message(body);
  message.set_id(id)
      .set_key(fmt::format("charger-{:03}", charger))
      .set_content_type("application/json")
      .set_property("action", is_beat ? "Heartbeat" : "MeterValues")
      .set_property(kNumber, static_cast<int64_t>(number));
  return message;
}

void ChargerCheck::Add(const Message& message) {
  const Value* property = message.properties().Find(kNumber);
  const std::optional<uint64_t> number =
      property == nullptr ? std::nullopt : property->AsUInt64();
  std::lock_guard lock(mu_);
  if (!number.has_value() || message.key().empty()) {
    ++counts_.malformed;
    return;
  }
  auto it = expected_.find(message.key());
  if (it == expected_.end()) {
    it = expected_.emplace(std::string(message.key()), 0).first;
  }
  if (*number < it->second) {
    ++counts_.duplicates;
    return;
  }
  if (*number > it->second) ++counts_.out_of_order;
  it->second = *number + 1;
  ++counts_.received;
}

ChargerCheck::Counts ChargerCheck::counts() const {
  std::lock_guard lock(mu_);
  return counts_;
}

}  // namespace tieline::tools
