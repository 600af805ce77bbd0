// The faults of a scenario, at work.
#include <algorithm>

#include "absl/strings/str_cat.h"
#include "tests/sim/world.h"

namespace tieline::sim {

void World::Plan(const Fault& fault) {
  timeline_.After(fault.at, [this, &fault] { Do(fault); });
}

void World::Do(const Fault& fault) {
  ledger_.Note(absl::StrCat("fault ", std::string(FaultName(fault.kind)),
                            " of ", fault.target, " for ",
                            absl::FormatDuration(fault.length)));
  if (fault.kind >= FaultKind::kStall) {
    DoToProcess(fault, fault.target);
  } else {
    DoToBroker(fault, *brokers_[static_cast<size_t>(fault.target)]);
  }
}

void World::DoToBroker(const Fault& fault, SimBroker& broker) {
  BrokerFaults& faults = broker.faults();
  const absl::Time until = timeline_.now() + fault.length;
  const auto extend = [&](absl::Time& time) { time = std::max(time, until); };
  switch (fault.kind) {
    case FaultKind::kCut: {
      const std::vector<Session*> live = broker.LiveSessions();
      if (live.empty()) return;
      Session* session = live[static_cast<size_t>(
          rng_.Between(0, static_cast<int>(live.size()) - 1))];
      // Both hear at once, or the broker much later.
      broker.Cut(*session,
                 rng_.Between(absl::ZeroDuration(), absl::Milliseconds(5)),
                 fault.is_hard ? fault.length : absl::ZeroDuration());
      return;
    }
    case FaultKind::kBusy:
      extend(faults.busy);
      return;
    case FaultKind::kMute:
      extend(faults.mute);
      return;
    case FaultKind::kLate:
      extend(faults.late);
      return;
    case FaultKind::kHoard:
      extend(faults.hoards);
      timeline_.At(until + absl::Nanoseconds(1),
                   [&broker] { broker.AfterFault(); });
      return;
    case FaultKind::kSurfaceLate:
      extend(faults.surfaces_late);
      return;
    case FaultKind::kDoubtful:
      extend(faults.doubtful);
      return;
    case FaultKind::kRefuse:
      extend(faults.refuses);
      return;
    case FaultKind::kCloseLinks:
      extend(faults.closes_links);
      broker.DetachSomeLink();
      return;
    case FaultKind::kPause:
      if (!faults.alive || faults.paused) return;
      broker.Pause();
      timeline_.At(until, [&broker] {
        if (broker.faults().paused) broker.Resume();
      });
      return;
    case FaultKind::kDie:
    case FaultKind::kDieWithData:
      if (!faults.alive) return;
      broker.Die(fault.kind == FaultKind::kDieWithData);
      timeline_.At(until, [&broker] { broker.Revive(); });
      return;
    case FaultKind::kRebalance:
      broker.Rebalance(fault.is_hard ? absl::ZeroDuration() : fault.length);
      return;
    default:
      return;
  }
}

void World::DoToProcess(const Fault& fault, int number) {
  Process& process = *processes_[static_cast<size_t>(number)];
  if (!process.is_alive()) return;
  switch (fault.kind) {
    case FaultKind::kStall:
      process.Stall(fault.length);
      stalled_ += fault.length;
      return;
    case FaultKind::kClockJump:
      process.clock().Jump(fault.is_hard ? -fault.length : fault.length);
      return;
    case FaultKind::kKill:
      Kill(number, fault.restart, fault.length);
      return;
    case FaultKind::kKillInWrite:
      process.disk()->CutAt(fault.writes);
      return;
    case FaultKind::kFillDisk:
      process.disk()->Fill();
      timeline_.After(fault.length, [&process] { process.disk()->Free(); });
      return;
    case FaultKind::kFailDisk:
      process.disk()->Fail(true);
      timeline_.After(fault.length,
                      [&process] { process.disk()->Fail(false); });
      return;
    case FaultKind::kRemember:
      process.disk()->Remember();
      return;
    default:
      return;
  }
}

void World::Kill(int process, Restart restart, absl::Duration length) {
  for (size_t i = 0; i < producers_.size(); ++i) {
    if (scenario_.producers[i].process == process) producers_[i]->Forget();
  }
  ledger_.OnKilled();
  steps_.OnKilled(process);
  processes_[static_cast<size_t>(process)]->Kill(restart);
  timeline_.After(length, [this, process] { Begin(process); });
}

void World::EndFaults() {
  ledger_.Note("the faults are over");
  for (const auto& broker : brokers_) {
    BrokerFaults& faults = broker->faults();
    const bool was_paused = faults.paused;
    const bool was_alive = faults.alive;
    faults = {};
    faults.paused = was_paused;
    if (was_paused) broker->Resume();
    if (!was_alive) broker->Revive();
    broker->AfterFault();
  }
  for (const auto& process : processes_) {
    if (process->disk() != nullptr) process->disk()->DoNotCut();
  }
}

}  // namespace tieline::sim
