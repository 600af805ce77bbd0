#include "tools/demo_view.h"

#include <fmt/format.h>

namespace tieline::tools {
namespace {

constexpr absl::Duration kSpan = absl::Seconds(1);

std::string TimeText(absl::Duration at) {
  return fmt::format("{:.1f} s", absl::ToDoubleSeconds(at));
}

}  // namespace

DemoView::DemoView(bool quiet)
    : quiet_(quiet),
      every_(IsTerminal() ? absl::Milliseconds(200) : absl::Seconds(2)),
      table_({"  time", "primary is", "queue at", "   sent", "sent/s",
              "handled/s", "    p99", "at primary", "at fresh", "duplicates",
              "move"}) {}

void DemoView::News(absl::Duration at, const std::string& text) {
  if (!quiet_) table_.Say(fmt::format("{:>6}  {}", TimeText(at), text));
}

void DemoView::Add(absl::Duration at, const Ledger::Counts& counts,
                   const Ledger::Waits& waits) {
  counts_ = counts;
  samples_.push_back({at, counts.sent, counts.handled, waits.histogram});
  while (samples_.size() > 2 && at - samples_[1].at >= kSpan) {
    samples_.pop_front();
  }
}

void DemoView::Show(absl::Duration at, const Scene& scene) {
  if (at >= next_) ShowNow(at, scene);
}

void DemoView::ShowNow(absl::Duration at, const Scene& scene) {
  if (quiet_ || samples_.empty()) return;
  next_ = at + every_;
  const Sample& first = samples_.front();
  const Sample& last = samples_.back();
  const double span = absl::ToDoubleSeconds(last.at - first.at);
  const auto rate = [span](uint64_t since) {
    return span <= 0 ? std::string("-")
                     : Grouped(static_cast<uint64_t>(
                           static_cast<double>(since) / span));
  };
  Histogram waits;
  for (const Sample& sample : samples_) waits.Merge(sample.waits);
  table_.Draw(
      {{fmt::format("{:>6}", TimeText(at)), fmt::format("{:>12}", scene.health),
        fmt::format("{:>16}", scene.place), Grouped(counts_.sent),
        rate(last.sent - first.sent), rate(last.handled - first.handled),
        Short(waits.Quantile(0.99)), Grouped(scene.on_primary),
        Grouped(scene.on_fresh), Grouped(counts_.duplicates),
        fmt::format("{:>9}", scene.move)}});
}

}  // namespace tieline::tools
