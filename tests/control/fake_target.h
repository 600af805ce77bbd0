// FakeTarget: a ControlTarget that remembers what it was told.
#ifndef TIELINE_TESTS_CONTROL_FAKE_TARGET_H_
#define TIELINE_TESTS_CONTROL_FAKE_TARGET_H_

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "lib/control/control_target.h"

namespace tieline::testing {

class FakeTarget : public ControlTarget {
 public:
  FakeTarget() {
    for (const char* name : {"primary", "fresh"}) {
      BrokerConfig& broker = config_.brokers[name];
      broker.name = name;
      broker.url.scheme = "memory";
      broker.url.hosts = {{name, 0}};
    }
    config_.brokers["primary"].auth.user = "u";
    config_.brokers["primary"].auth.password = Secret("hunter2");
    QueueConfig& queue = config_.queues["q"];
    queue.name = queue.entity = "q";
    queue.broker = "primary";
  }

  Config config() const override { return config_; }
  std::vector<MoveReport> moves() const override { return reports_; }
  absl::StatusOr<ChangePlan> Plan(const Config& config) const override {
    if (!plan_status_.ok()) return plan_status_;
    ChangePlan plan;
    plan.config = config;
    for (const auto& [name, queue] : config.queues) {
      const QueueConfig& now = config_.queues.at(name);
      if (queue.broker == now.broker) continue;
      plan.moves.push_back({.queue = name,
                            .from = now.broker,
                            .to = queue.broker,
                            .from_generation = now.generation,
                            .to_generation = queue.generation,
                            .notes = {"nothing is proved"}});
    }
    return plan;
  }
  absl::Status Apply(const ChangePlan& plan) override {
    config_ = plan.config;
    accepted_existing_ = plan.accepts_existing;
    return absl::OkStatus();
  }
  absl::Status Proceed(std::string_view queue) override {
    told_.push_back("proceed " + std::string(queue));
    return absl::OkStatus();
  }
  absl::Status Cancel(std::string_view queue) override {
    told_.push_back("cancel " + std::string(queue));
    return absl::FailedPreconditionError("it has moved");
  }
  absl::StatusOr<std::vector<JournalRecord>> ReadJournal(
      uint64_t from, int64_t limit) const override {
    std::vector<JournalRecord> found;
    for (const JournalRecord& entry : journal_) {
      if (entry.number >= from && static_cast<int64_t>(found.size()) < limit) {
        found.push_back(entry);
      }
    }
    return found;
  }
  absl::StatusOr<MemberStanding> StandingOf(
      const std::string& queue, uint64_t generation) const override {
    if (!config_.queues.contains(queue)) {
      return absl::NotFoundError("there is no queue " + queue);
    }
    const bool sends = config_.queues.at(queue).generation <= generation;
    return MemberStanding{sends ? "sending" : "drained", "run-1"};
  }

  Config config_;
  std::vector<MoveReport> reports_;
  std::vector<std::string> told_;
  std::vector<JournalRecord> journal_;
  absl::Status plan_status_;
  bool accepted_existing_ = false;
};

}  // namespace tieline::testing

#endif  // TIELINE_TESTS_CONTROL_FAKE_TARGET_H_
