// BusCore: what is behind a Bus: the runner, an endpoint for each broker (or
// for each handle, where the driver runs inline), and the handles.
#ifndef TIELINE_LIB_ENGINE_BUS_CORE_H_
#define TIELINE_LIB_ENGINE_BUS_CORE_H_

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "lib/base/mutex.h"
#include "lib/engine/endpoint.h"
#include "lib/engine/inboxes.h"
#include "lib/engine/receiver_core.h"
#include "lib/engine/route_core.h"
#include "lib/engine/runner.h"
#include "lib/engine/sender_core.h"
#include "lib/engine/spool_lanes.h"
#include "lib/engine/store_runner.h"
#include "lib/move/bus_moves.h"
#include "lib/move/members.h"
#include "lib/store/store.h"
#include "tieline/bus.h"

namespace tieline::inline v0 {

// What a sender uses of the spool, as far as its queue is configured so.
enum class Spool : uint8_t {
  kNone,
  kRetain,  // what was accepted is retained
  kMay,     // and what no broker takes is spooled
};

class BusControlServer;

class BusCore : public std::enable_shared_from_this<BusCore>, public MoveHost {
 public:
  BusCore(Config config, BusOptions options);
  ~BusCore() override;

  // Opens the state file, and begins to run.
  absl::Status Start();
  absl::StatusOr<std::shared_ptr<SenderCore>> OpenSender(std::string_view queue,
                                                         SenderOptions options,
                                                         Spool spool);
  absl::StatusOr<std::shared_ptr<ReceiverCore>> OpenReceiver(
      std::string_view queue, ReceiverOptions options);
  absl::StatusOr<std::shared_ptr<RouteCore>> StartRoute(RouteConfig config,
                                                        Transform transform);
  absl::StatusOr<driver::Reply> Ask(const BrokerConfig& broker,
                                    driver::Request request,
                                    absl::Duration timeout);
  absl::Status Close(absl::Duration timeout);

  // The queue's config by name or URL; adds the URL's broker and queue.
  absl::StatusOr<QueueConfig> FindQueue(std::string_view queue);
  absl::StatusOr<BrokerConfig> FindBroker(std::string_view name) const;
  MetricsSnapshot metrics() const;
  // Queues are where they are in truth.
  Config config() const;
  Runner& runner() override { return runner_; }

  absl::StatusOr<ChangePlan> Plan(const Config& next) const;
  absl::StatusOr<std::unique_ptr<Moving>> Apply(const ChangePlan& plan);
  std::vector<MoveReport> moves() const { return moves_->AllReports(); }
  // What this process answers to one that asks about a generation of a queue.
  // kNotFound: the queue is not in its config.
  absl::StatusOr<Standing> StandingOf(const std::string& queue,
                                      uint64_t generation) const;
  // Of this bus alone, chosen at random.
  const std::string& run() const { return producer_; }
  absl::StatusOr<std::vector<JournalRecord>> ReadJournal(uint64_t from,
                                                         int64_t limit) const;

 private:
  // MoveHost.
  absl::StatusOr<std::shared_ptr<Endpoint>> EndpointAt(
      const QueueConfig& queue) override;
  std::shared_ptr<ReceiverLeg> MakeReceiverLeg(
      const std::shared_ptr<Endpoint>& endpoint, QueueConfig queue,
      ReceiverOptions options, uint8_t number) override;
  void Log(LogLevel level, std::string_view text) override {
    if (options_.log) options_.log(level, text);
  }
  MoveStore& store() override { return *move_store_; }
  Members& members() override { return *members_; }
  void OnReport() override { moves_->OnReport(); }
  void SetMoving(const std::string& queue, bool moves) override {
    inboxes_.SetMoving(queue, moves);
  }
  uint64_t SuppressedOf(const std::string& queue) const override {
    return inboxes_.SuppressedOf(queue);
  }

  // Of a queue that may move: null where the bus keeps no state and the queue
  // never moved.
  absl::StatusOr<std::shared_ptr<QueueMove>> MoveOf(const QueueConfig& queue);
  // The same for one that is about to: handles that are open are told.
  absl::StatusOr<std::shared_ptr<QueueMove>> MakeMovable(
      const QueueConfig& queue, const MoveConfig& options);

  absl::StatusOr<std::shared_ptr<Endpoint>> EndpointFor(
      const BrokerConfig& broker);
  absl::StatusOr<std::shared_ptr<Endpoint>> MakeEndpoint(
      const BrokerConfig& broker);
  // kFailedPrecondition: the bus was closed meanwhile.
  absl::StatusOr<std::shared_ptr<SenderCore>> MakeSender(
      const std::shared_ptr<Endpoint>& endpoint, QueueConfig queue,
      SenderOptions options, const std::shared_ptr<QueueMove>& move = nullptr,
      Spool spool = Spool::kNone);

  const BusOptions options_;
  Clock* const clock_;
  Runner runner_;
  const std::string producer_;
  std::atomic<uint64_t> next_sender_{0};
  std::shared_ptr<StoreRunner> store_runner_;  // null: the store runs itself
  std::unique_ptr<Store> store_;               // null: no state is kept
  Inboxes inboxes_;
  std::shared_ptr<SpoolLanes> spool_lanes_;  // null: no state is kept
  int64_t most_retained_ = 0;
  std::unique_ptr<MoveStore> move_store_;
  const std::shared_ptr<BusMoves> moves_;
  const std::unique_ptr<Members> members_;
  std::unique_ptr<BusControlServer> control_;  // null: there is no socket

  mutable Mutex mu_;
  Config config_ ABSL_GUARDED_BY(mu_);  // grows by URLs
  std::map<std::string, std::shared_ptr<Endpoint>> shared_ ABSL_GUARDED_BY(mu_);
  std::vector<std::weak_ptr<Endpoint>> endpoints_ ABSL_GUARDED_BY(mu_);
  std::vector<std::weak_ptr<SenderCore>> senders_ ABSL_GUARDED_BY(mu_);
  std::vector<std::weak_ptr<ReceiverCore>> receivers_ ABSL_GUARDED_BY(mu_);
  std::vector<std::weak_ptr<RouteCore>> routes_ ABSL_GUARDED_BY(mu_);
  bool closed_ ABSL_GUARDED_BY(mu_) = false;
};

}  // namespace tieline::inline v0

#endif  // TIELINE_LIB_ENGINE_BUS_CORE_H_
