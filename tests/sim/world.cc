#include "tests/sim/world.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "lib/base/entropy.h"
#include "tests/sim/checks.h"

namespace tieline::sim {
namespace {

// After the faults: how long until everything must have ended, and how often
// that is looked at.
constexpr absl::Duration kPatience = absl::Minutes(15);
constexpr absl::Duration kLook = absl::Milliseconds(250);
// Where a process is started again.
constexpr absl::Duration kStartAgain = absl::Milliseconds(500);
// Nothing more may come of a world that is quiet.
constexpr absl::Duration kAfterwards = absl::Seconds(3);

}  // namespace

World::World(Scenario scenario)
    : scenario_(std::move(scenario)),
      config_(scenario_.config),
      ledger_(&timeline_),
      rng_(scenario_.seed ^ 0x5eed),
      network_(&timeline_, rng_.Fork()) {
  RegisterSimDriver();
  SeedEntropy(rng_.Next() | 1);
  for (const BrokerTraits& traits : scenario_.brokers) {
    brokers_.push_back(
        std::make_unique<SimBroker>(traits, &timeline_, &ledger_, rng_.Fork()));
    by_name_[traits.name] = brokers_.back().get();
  }
  for (int i = 0; i < scenario_.processes; ++i) {
    processes_.push_back(
        std::make_unique<Process>(i, &timeline_, &ledger_, &steps_, &by_name_,
                                  scenario_.has_state, rng_.Fork()));
  }
  for (const PlannedProducer& plan : scenario_.producers) {
    const auto process = static_cast<size_t>(plan.process);
    producers_.push_back(std::make_unique<Producer>(
        &plan, static_cast<int>(producers_.size()), processes_[process].get(),
        &timeline_, &ledger_, rng_.Fork()));
  }
  for (const Fault& fault : scenario_.faults) Plan(fault);
  PlanMoves();
}

World::~World() {
  movings_.clear();
  for (const auto& process : processes_) process->Kill(Restart::kNothing);
  SeedEntropy(0);
}

void World::Prefill() {
  for (size_t i = 0; i < brokers_.size(); ++i) {
    for (int n = 0; n < scenario_.prefilled[i]; ++n) {
      Life life;
      life.producer = -1;
      const int number = ledger_.NewMessage(std::move(life));
      Life& l = ledger_.life(number);
      l.body = Ledger::BodyOf(number, n);
      // Not everybody's ids are unique. (A sink that drops what has the same id
      // is right to do so.)
      const bool is_unique = scenario_.brokers.back().drops_duplicates;
      l.id = absl::StrCat("theirs-", is_unique ? number : n % 4);
      Message message(l.body);
      message.set_id(l.id);
      brokers_[i]->Prefill("q", std::move(message), number);
    }
  }
}

void World::Begin(int process) {
  Process& p = *processes_[static_cast<size_t>(process)];
  bool has_begun = p.Start(config_, scenario_.bus);
  const bool is_open = p.is_alive();
  for (const PlannedRoute& route : scenario_.routes) {
    if (is_open && route.process == process) {
      has_begun = has_begun && p.StartRoute(route.config);
    }
  }
  for (size_t i = 0; i < producers_.size(); ++i) {
    if (is_open && scenario_.producers[i].process == process) {
      has_begun = has_begun && producers_[i]->Begin();
    }
  }
  // An application that can't open what it needs ends.
  if (!has_begun && is_open) {
    Kill(process, Restart::kWithState, kStartAgain);
  } else if (!has_begun) {
    timeline_.After(kStartAgain, [this, process] { Begin(process); });
  }
}

uint64_t World::rounds() const {
  uint64_t rounds = 0;
  for (const auto& process : processes_) rounds += process->runs();
  return rounds;
}

void World::Step(absl::Time until) {
  while (!ledger_.failed()) {
    absl::Time next = std::min(timeline_.next(), until);
    for (const auto& process : processes_) {
      next = std::min(next, process->next_run());
    }
    timeline_.RunUntil(next);
    for (const auto& process : processes_) {
      if (process->next_run() <= next) process->Run();
      if (process->is_alive() && process->is_dying()) {
        Kill(process->number(), Restart::kWithState, kStartAgain);
      }
    }
    if (next >= until) return;
  }
}

bool World::IsQuiet() const {
  for (const auto& producer : producers_) {
    if (!producer->is_done()) return false;
  }
  for (const auto& broker : brokers_) {
    if (broker->Undrained() != 0) return false;
  }
  for (const auto& process : processes_) {
    if (process->in_hand() != 0) return false;
  }
  return HaveMoved();
}

void World::Run() {
  Prefill();
  for (int i = 0; i < scenario_.processes; ++i) {
    const absl::Duration at = scenario_.begins[static_cast<size_t>(i)];
    if (at == absl::ZeroDuration()) {
      Begin(i);
    } else {
      timeline_.After(at, [this, i] { Begin(i); });
    }
  }
  Step(start_ + scenario_.faults_end);
  EndFaults();
  const absl::Time last = timeline_.now() + kPatience;
  while (!ledger_.failed() && !IsQuiet() && timeline_.now() < last) {
    Step(timeline_.now() + kLook);
  }
  Step(timeline_.now() + kAfterwards);
  if (!ledger_.failed()) CheckEnd(*this, &ledger_);
}

}  // namespace tieline::sim
