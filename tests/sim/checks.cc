#include "tests/sim/checks.h"

#include "absl/strings/str_cat.h"
#include "tests/sim/world.h"

namespace tieline::sim {
namespace {

// Beyond a deadline, for being told of it.
constexpr absl::Duration kGrace = absl::Milliseconds(100);
// After the faults: what is given then, or waits, is sent within this time.
constexpr absl::Duration kSentBy = absl::Minutes(5);

void CheckResult(const World& world, int number, const Life& life,
                 Ledger* ledger) {
  if (life.forgotten) return;
  if (!life.has_result) {
    ledger->Violate(9, number, "never had a result");
    return;
  }
  if (life.result_at > life.deadline + kGrace + world.stalled()) {
    ledger->Violate(9, number, "its result came after its deadline");
  }
  const bool is_settled = life.result == SendState::kAccepted ||
                          life.result == SendState::kSpooled ||
                          life.result == SendState::kRejected;
  const absl::Time all_is_well =
      world.start() + world.scenario().faults_end + world.stalled();
  if (!is_settled && life.result_at > all_is_well + kSentBy) {
    ledger->Violate(9, number, "never sent, and nothing hinders it");
  }
}

void CheckFate(const World& world, int number, const Life& life,
               Ledger* ledger) {
  const bool was_handled = life.effects > 0 || life.dead > 0;
  if (life.stored > 0 && !was_handled &&
      life.expired + life.lost < life.stored) {
    ledger->Violate(1, number, "accepted, and never handled");
  }
  const bool is_spooled = life.has_result && life.result == SendState::kSpooled;
  if (is_spooled && life.stored == 0 && life.rejections == 0 &&
      !life.spool_lost && !life.has_ttl) {
    ledger->Violate(6, number, "spooled, and never sent");
  }
  if (life.expired > 0 && !life.has_ttl) {
    ledger->Violate(1, number, "expired without a TTL");
  }
  const auto most =
      static_cast<int>(world.scenario().brokers.front().most_attempts);
  if (life.dead > 0 && life.rejections == 0 && life.redeliveries + 1 < most) {
    ledger->Violate(1, number, "dead-lettered without a reason");
  }
}

void CheckIdle(const World& world, Ledger* ledger) {
  for (const auto& broker : world.brokers()) {
    if (broker->Undrained() != 0) {
      ledger->Violate(9, -1,
                      absl::StrCat(broker->traits().name, " still has ",
                                   broker->Undrained()));
    }
  }
  for (const auto& broker : world.brokers()) {
    if (broker->traits().is_sink ||
        broker->traits().name == world.present_broker()) {
      continue;
    }
    if (broker->links() != 0) {
      ledger->Violate(10, -1,
                      absl::StrCat(broker->traits().name, ", which was left, ",
                                   "has links: ", broker->links()));
    }
  }
  if (!world.HaveMoved()) ledger->Violate(9, -1, "a move has not ended");
  for (const auto& process : world.processes()) {
    if (process->in_hand() != 0) {
      ledger->Violate(
          9, -1, absl::StrCat("a process has in hand ", process->in_hand()));
    }
  }
}

}  // namespace

void CheckEnd(const World& world, Ledger* ledger) {
  const std::vector<Life>& lives = ledger->lives();
  for (size_t i = 0; i < lives.size(); ++i) {
    const auto number = static_cast<int>(i);
    if (lives[i].producer < 0) {
      CheckFate(world, number, lives[i], ledger);
      continue;
    }
    // What was planned for a process that never came to send it.
    if (lives[i].deadline == absl::Time()) continue;
    CheckResult(world, number, lives[i], ledger);
    CheckFate(world, number, lives[i], ledger);
  }
  CheckIdle(world, ledger);
}

}  // namespace tieline::sim
