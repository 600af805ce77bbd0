#include "tools/route_report.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <nlohmann/json.hpp>

namespace tieline::tools {
namespace {

std::vector<std::string> Row(const RouteMetrics& total,
                             const RouteMetrics& since, absl::Duration span) {
  const double seconds = absl::ToDoubleSeconds(span);
  const double rate =
      seconds > 0 ? static_cast<double>(since.relayed) / seconds : 0;
  return {total.route,
          Grouped(total.received),
          Grouped(total.relayed),
          Grouped(static_cast<uint64_t>(rate)) + "/s",
          Grouped(total.in_flight),
          Grouped(total.filtered),
          Grouped(total.failed_attempts),
          Grouped(total.dead_lettered),
          Short(since.latency.Quantile(0.5)),
          Short(since.latency.Quantile(0.99))};
}

std::string JsonLine(const RouteMetrics& total, const RouteMetrics& since,
                     absl::Duration span, bool last) {
  const double seconds = absl::ToDoubleSeconds(span);
  const auto us = [](const Histogram& h, double q) {
    return absl::ToInt64Microseconds(h.Quantile(q));
  };
  const nlohmann::ordered_json line = {
      {"event", last ? "total" : "report"},
      {"route", total.route},
      {"in", total.received},
      {"out", total.relayed},
      {"rate", seconds > 0 ? static_cast<double>(since.relayed) / seconds : 0},
      {"in_flight", total.in_flight},
      {"filtered", total.filtered},
      {"retried", total.failed_attempts},
      {"dead_lettered", total.dead_lettered},
      {"latency_p50_us", us(since.latency, 0.5)},
      {"latency_p99_us", us(since.latency, 0.99)},
      {"residence_p50_us", us(since.residence, 0.5)},
      {"residence_p99_us", us(since.residence, 0.99)},
  };
  return line.dump(-1, ' ', false,
                   nlohmann::ordered_json::error_handler_t::replace) +
         "\n";
}

}  // namespace

Histogram Since(const Histogram& now, const Histogram& then) {
  Histogram out;
  for (size_t i = 0; i < now.counts.size(); ++i) {
    out.counts[i] = now.counts[i] - std::min(now.counts[i], then.counts[i]);
    out.total += out.counts[i];
  }
  return out;
}

RouteReport::RouteReport(Form form)
    : form_(form),
      table_({"route", "in", "out", "rate", "in flight", "filtered", "retried",
              "dead-lettered", "p50", "p99"}),
      begin_(absl::InfinitePast()) {}

void RouteReport::Show(const std::vector<RouteMetrics>& routes,
                       absl::Time now) {
  if (begin_ == absl::InfinitePast()) begin_ = now;
  std::vector<std::vector<std::string>> rows;
  for (const RouteMetrics& route : routes) {
    Before& before = before_[route.route];
    RouteMetrics since = route;
    since.relayed -= before.metrics.relayed;
    since.latency = Since(route.latency, before.metrics.latency);
    since.residence = Since(route.residence, before.metrics.residence);
    const absl::Duration span =
        before.metrics.route.empty() ? now - begin_ : now - before.at;
    if (form_ == Form::kJson) {
      const std::string line = JsonLine(route, since, span, false);
      std::fwrite(line.data(), 1, line.size(), stdout);
    }
    rows.push_back(Row(route, since, span));
    before = {route, now};
  }
  if (form_ == Form::kJson) std::fflush(stdout);
  if (form_ == Form::kTable) table_.Draw(rows);
}

void RouteReport::ShowTotals(const std::vector<RouteMetrics>& routes,
                             absl::Time now) {
  if (begin_ == absl::InfinitePast()) begin_ = now;
  std::vector<std::vector<std::string>> rows;
  for (const RouteMetrics& route : routes) {
    if (form_ == Form::kJson) {
      const std::string line = JsonLine(route, route, now - begin_, true);
      std::fwrite(line.data(), 1, line.size(), stdout);
    }
    rows.push_back(Row(route, route, now - begin_));
  }
  if (form_ == Form::kTable) table_.Draw(rows);
  std::fflush(stdout);
}

}  // namespace tieline::tools
