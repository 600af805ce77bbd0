#include "tests/acceptance/relay_tally.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

namespace tieline::relay_check {
namespace {

constexpr size_t kFaultsShown = 20;

}  // namespace

Tally::Tally(Plan plan, uint64_t count, std::set<std::string> may_differ)
    : plan_(plan),
      count_(count),
      may_differ_(std::move(may_differ)),
      seen_(count),
      last_of_key_(plan.keys, -1) {}

void Tally::Add(const Message& got) {
  ++received_;
  const auto i = NumberOf(got);
  if (!i || *i >= count_) {
    ++strangers_;
    Fault(fmt::format("a stranger with the id \"{}\"", got.id()));
    return;
  }
  if (seen_[*i]) return;  // a duplicate
  seen_[*i] = true;
  ++unique_;
  const Message sent = MakeMessage(plan_, *i);
  if (KeepsOrder(sent)) JudgeOrder(*i);
  Judge(*i, sent, got);
}

void Tally::EndAt(uint64_t count) { count_ = std::min(count_, count); }

void Tally::JudgeOrder(uint64_t i) {
  const auto seq = static_cast<int64_t>(i / plan_.keys);
  int64_t& last = last_of_key_[i % plan_.keys];
  if (seq < last) {
    ++disordered_;
    Fault(fmt::format("m-{}: number {} of its key after number {}", i, seq,
                      last));
  } else {
    last = seq;
  }
}

void Tally::Judge(uint64_t i, const Message& sent, const Message& got) {
  const Comparison c = Compare(sent, got);
  for (const std::string& what : c.compared) ++fields_[what].compared;
  std::vector<std::string> bad;
  for (const std::string& what : c.lost) {
    ++fields_[what].lost;
    if (!may_differ_.contains(what)) bad.push_back(what + " (lost)");
  }
  for (const std::string& what : c.changed) {
    ++fields_[what].changed;
    if (!may_differ_.contains(what)) bad.push_back(what + " (changed)");
  }
  if (bad.empty()) return;
  ++different_;
  Fault(fmt::format("m-{}: {}", i, fmt::join(bad, ", ")));
}

void Tally::Fault(std::string text) {
  if (faults_.size() < kFaultsShown) faults_.push_back(std::move(text));
}

bool Tally::ok() const {
  return complete() && disordered_ == 0 && strangers_ == 0 && different_ == 0;
}

std::vector<std::string> Tally::Faults() const {
  std::vector<std::string> all = faults_;
  for (uint64_t i = 0; i < count_ && all.size() < 2 * kFaultsShown; ++i) {
    if (!seen_[i]) all.push_back(fmt::format("m-{}: lost", i));
  }
  return all;
}

std::string Tally::Report() const {
  nlohmann::json fields = nlohmann::json::object();
  for (const auto& [name, counts] : fields_) {
    fields[name] = {{"compared", counts.compared},
                    {"lost", counts.lost},
                    {"changed", counts.changed}};
  }
  const nlohmann::json report = {
      {"ok", ok()},
      {"expected", count_},
      {"received", received_},
      {"lost", lost()},
      {"duplicates", duplicates()},
      {"out_of_order", disordered_},
      {"different", different_},
      {"strangers", strangers_},
      {"faults", Faults()},
      {"fields", fields},
  };
  return report.dump(-1, ' ', true, nlohmann::json::error_handler_t::replace);
}

}  // namespace tieline::relay_check
