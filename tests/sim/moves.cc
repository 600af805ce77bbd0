// The moves of a scenario, at work.
#include "absl/strings/str_cat.h"
#include "tests/sim/world.h"

namespace tieline::sim {
namespace {

constexpr absl::Duration kAgain = absl::Seconds(2);
constexpr absl::Duration kLate = absl::Seconds(3);
constexpr char kQueue[] = "q";

}  // namespace

void World::PlanMoves() {
  const bool retains = config_.queues[kQueue].retain > absl::ZeroDuration();
  const bool proceeds = config_.move.when_dead == WhenDead::kProceed || retains;
  for (const BrokerTraits& broker : scenario_.brokers) {
    if (proceeds || !broker.tells_undrained) {
      ledger_.MayBeLateFrom(broker.place);
    }
  }
  for (const Fault& fault : scenario_.faults) {
    const bool silences =
        fault.kind == FaultKind::kCut || fault.kind == FaultKind::kMute ||
        fault.kind == FaultKind::kPause || fault.kind == FaultKind::kDie ||
        fault.kind == FaultKind::kDieWithData;
    if (!proceeds || !silences) continue;
    steps_.MayGiveUp(scenario_.brokers[static_cast<size_t>(fault.target)].name);
  }
  ledger_.SetBudget(scenario_.bus.retry_budget);
  const QueueConfig& q = config_.queues[kQueue];
  if (q.spool > absl::ZeroDuration()) ledger_.SetSpools();
  if (retains) ledger_.SetRetains();
  // Each process has an inbox of its own.
  if (q.dedupe > absl::ZeroDuration() && !scenario_.MayForget() &&
      scenario_.processes == 1) {
    ledger_.SetSuppresses();
  }
  ledger_.Bind(q.generation, by_name_.at(q.broker)->traits().place);
  for (const PlannedMove& move : scenario_.moves) {
    timeline_.After(move.at, [this, &move] {
      QueueConfig& queue = config_.queues[kQueue];
      queue.was.push_back({queue.broker, queue.generation, queue.entity});
      queue.broker = move.to;
      ++queue.generation;
      ledger_.Bind(queue.generation, by_name_.at(move.to)->traits().place);
      ledger_.Note(
          absl::StrCat("move to ", move.to, ", generation ", queue.generation));
      ApplyConfig();
    });
  }
}

void World::ApplyConfig() {
  for (const auto& process : processes_) {
    const int number = process->number();
    if (!scenario_.is_late) {
      ApplyConfigAt(number);
      continue;
    }
    timeline_.After(rng_.Between(absl::ZeroDuration(), kLate),
                    [this, number] { ApplyConfigAt(number); });
  }
  if (applies_) return;
  applies_ = true;
  timeline_.After(kAgain, [this] {
    applies_ = false;
    if (!HaveMoved()) ApplyConfig();
  });
}

void World::ApplyConfigAt(int number) {
  Process& process = *processes_[static_cast<size_t>(number)];
  if (!process.is_alive()) return;
  auto plan = process.bus().Plan(process.ConfigOf(config_));
  if (!plan.ok()) {
    ledger_.Note(absl::StrCat("no plan: ", plan.status().ToString()));
    return;
  }
  // The operator's word for what is left of an earlier stay.
  plan->accepts_existing = true;
  auto moving = process.bus().Apply(*plan);
  process.Touch();
  if (!moving.ok()) {
    ledger_.Note(absl::StrCat("not applied: ", moving.status().ToString()));
    return;
  }
  movings_.push_back(*std::move(moving));
}

const std::string& World::present_broker() const {
  return config_.queues.at(kQueue).broker;
}

bool World::HaveMoved() const {
  const QueueConfig& wanted = config_.queues.at(kQueue);
  for (const auto& process : processes_) {
    if (!process->is_alive()) return false;
    const Config has = process->bus().config();
    if (has.queues.at(kQueue).generation != wanted.generation ||
        has.queues.at(kQueue).broker != wanted.broker) {
      return false;
    }
    for (const MoveReport& report : process->bus().moves()) {
      if (!report.over) return false;
    }
  }
  return true;
}

}  // namespace tieline::sim
