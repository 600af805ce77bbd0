#include "lib/move/bus_moves.h"

#include <algorithm>
#include <utility>

#include "lib/base/deadline.h"
#include "lib/base/status.h"
#include "tieline/driver/driver.h"

namespace tieline::inline v0 {
namespace {

bool IsWhere(const QueueConfig& a, const QueueConfig& b) {
  return DigestOf(a) == DigestOf(b);
}

// Which of the two brokers of one name differ in what reaches them.
absl::Status CheckBrokers(const Config& now, const Config& next) {
  for (const auto& [name, broker] : next.brokers) {
    const auto known = now.brokers.find(name);
    if (known == now.brokers.end()) continue;
    const Url& a = known->second.url;
    const Url& b = broker.url;
    if (a.scheme != b.scheme || a.HostList(0) != b.HostList(0)) {
      return InvalidArgument(
          "broker {}: it was {} and is {} now: a new broker needs a new name, "
          "and its queues a move to it",
          name, a.HostList(0), b.HostList(0));
    }
  }
  return absl::OkStatus();
}

PlannedMove Describe(const QueueConfig& from, const QueueConfig& to,
                     const Config& next) {
  PlannedMove planned;
  planned.queue = to.name;
  planned.from = from.broker;
  planned.to = to.broker;
  planned.from_generation = from.generation;
  planned.to_generation = to.generation;
  const auto broker = next.brokers.find(from.broker);
  if (broker == next.brokers.end()) return planned;
  const auto driver = driver::Find(broker->second.url.scheme);
  if (driver != nullptr &&
      driver->capabilities().drain_proof == DrainProof::kQuietPeriod) {
    planned.notes.push_back(fmt::format(
        "broker {} may not say when it is empty: quiet for {} then counts, and "
        "what comes later is marked late",
        from.broker, absl::FormatDuration(next.move.quiet_period)));
  }
  return planned;
}

}  // namespace

std::shared_ptr<QueueMove> BusMoves::Find(const std::string& queue) const {
  MutexLock lock(&mu_);
  const auto it = moves_.find(queue);
  return it == moves_.end() ? nullptr : it->second;
}

absl::StatusOr<std::shared_ptr<QueueMove>> BusMoves::FindOrMake(
    const QueueConfig& queue, const MoveConfig& options, bool* made) {
  *made = false;
  if (std::shared_ptr<QueueMove> known = Find(queue.name)) return known;
  TIELINE_ASSIGN_OR_RETURN(const std::optional<SavedMove> saved,
                           host_->store().Load(queue.name));
  TIELINE_ASSIGN_OR_RETURN(std::shared_ptr<QueueMove> move,
                           QueueMove::Make(host_, queue, options, saved));
  MutexLock lock(&mu_);
  if (stopped_) return absl::FailedPreconditionError("the bus is closed");
  const auto [it, inserted] = moves_.emplace(queue.name, move);
  *made = inserted;
  if (!inserted) move->Stop();
  return it->second;
}

absl::StatusOr<ChangePlan> BusMoves::Plan(const Config& now,
                                          const Config& next) const {
  TIELINE_RETURN_IF_ERROR(CheckBrokers(now, next));
  ChangePlan plan;
  plan.config = next;
  for (const auto& [name, queue] : next.queues) {
    const auto known = now.queues.find(name);
    if (known == now.queues.end() || IsWhere(known->second, queue)) continue;
    const std::shared_ptr<QueueMove> move = Find(name);
    if (move != nullptr) {
      TIELINE_RETURN_IF_ERROR(move->Check(queue));
    } else {
      TIELINE_RETURN_IF_ERROR(QueueMove::CheckFirst(known->second, queue));
    }
    // Else it only says what is drained, or is not known yet to be.
    if (queue.generation > known->second.generation) {
      plan.moves.push_back(Describe(known->second, queue, next));
    }
  }
  return plan;
}

void BusMoves::Correct(Config* config) const {
  for (auto& [name, queue] : config->queues) {
    if (const auto move = Find(name)) queue = move->Known();
  }
}

void BusMoves::SetOptions(const MoveConfig& options) const {
  for (const auto& move : All()) move->SetOptions(options);
}

absl::Status BusMoves::Wait(const Targets& targets,
                            absl::Duration timeout) const {
  const Deadline deadline(timeout);
  for (;;) {
    std::string waits_for;
    for (const MoveReport& report : Reports(targets)) {
      const uint64_t target = targets.at(report.queue);
      if (report.generation >= target && report.drained_all) continue;
      if (report.state == "active" && !report.status.ok()) {
        return report.status;  // undone, or refused
      }
      waits_for =
          fmt::format("queue {} is {}{}{}", report.queue, report.state,
                      report.status.ok() ? "" : ": ", MessageOf(report.status));
    }
    if (waits_for.empty()) return absl::OkStatus();
    MutexLock lock(&mu_);
    if (stopped_) return absl::FailedPreconditionError("the bus is closed");
    if (deadline.Passed()) {
      return MakeStatus(absl::StatusCode::kDeadlineExceeded,
                        "not moved within {}: {}",
                        absl::FormatDuration(timeout), waits_for);
    }
    // A report may have changed since it was looked at.
    changed_cv_.WaitFor(&mu_,
                        std::min(deadline.Left(), absl::Milliseconds(20)));
  }
}

absl::Status BusMoves::Cancel(const Targets& targets) const {
  absl::Status first;
  for (const auto& [queue, generation] : targets) {
    if (const auto move = Find(queue)) first.Update(move->Undo());
  }
  return first;
}

void BusMoves::Proceed(const Targets& targets) const {
  for (const auto& [queue, generation] : targets) {
    if (const auto move = Find(queue)) move->Proceed();
  }
}

std::vector<MoveReport> BusMoves::Reports(const Targets& targets) const {
  std::vector<MoveReport> reports;
  for (const auto& [queue, generation] : targets) {
    if (const auto move = Find(queue)) reports.push_back(move->report());
  }
  return reports;
}

std::vector<std::shared_ptr<QueueMove>> BusMoves::All() const {
  std::vector<std::shared_ptr<QueueMove>> all;
  MutexLock lock(&mu_);
  for (const auto& [name, move] : moves_) all.push_back(move);
  return all;
}

std::vector<MoveReport> BusMoves::AllReports() const {
  std::vector<MoveReport> reports;
  for (const auto& move : All()) {
    MoveReport report = move->report();
    if (!report.from.empty()) reports.push_back(std::move(report));
  }
  return reports;
}

void BusMoves::OnReport() {
  MutexLock lock(&mu_);
  changed_cv_.NotifyAll();
}

void BusMoves::Stop() {
  std::map<std::string, std::shared_ptr<QueueMove>> moves;
  {
    MutexLock lock(&mu_);
    stopped_ = true;
    moves.swap(moves_);
    changed_cv_.NotifyAll();
  }
  for (const auto& [name, move] : moves) move->Stop();
}

// ---- The handle.

Moving::Moving(std::shared_ptr<BusMoves> moves,
               std::map<std::string, uint64_t> targets)
    : moves_(std::move(moves)), targets_(std::move(targets)) {}

absl::Status Moving::Wait(absl::Duration timeout) {
  return moves_->Wait(targets_, timeout);
}

absl::Status Moving::Cancel() { return moves_->Cancel(targets_); }

void Moving::Proceed() { moves_->Proceed(targets_); }

std::vector<MoveReport> Moving::reports() const {
  return moves_->Reports(targets_);
}

}  // namespace tieline::inline v0
