#include "tests/sim/session.h"

#include <algorithm>
#include <utility>

#include "tests/sim/broker.h"
#include "tests/sim/connection.h"

namespace tieline::sim {

void Session::Up(Timeline::Step step) {
  Timeline& timeline = broker->timeline();
  up_edge = std::max(up_edge, timeline.now() + broker->Latency());
  timeline.At(up_edge, [this, step = std::move(step)] { Arrive(step); });
}

void Session::Arrive(const Timeline::Step& step) {
  if (gone || broker->timeline().now() >= cut) return;
  if (broker->faults().paused) {
    broker->waiting_.push_back({this, step});
    return;
  }
  step();
}

void Session::Down(Answer answer, absl::Duration extra) {
  Timeline& timeline = broker->timeline();
  absl::Time at = timeline.now() + broker->Latency() + extra;
  if (extra == absl::ZeroDuration()) {
    at = std::max(at, down_edge);
    down_edge = at;
  }
  timeline.At(at, [this, answer = std::move(answer)]() mutable {
    if (client != nullptr) client->Hear(std::move(answer));
  });
}

}  // namespace tieline::sim
