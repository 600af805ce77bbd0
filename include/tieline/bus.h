// Bus: the process's brokers, queues and routes.
//
//   tieline::kafka::Register();
//   auto bus = tieline::Bus::Open(*tieline::Config::FromFile("bridge.yaml"));
//   auto sender = (*bus)->OpenSender("observations");
//
// Threads: every call from any thread. Blocking calls may not be made from a
// callback (kFailedPrecondition).
#ifndef TIELINE_BUS_H_
#define TIELINE_BUS_H_

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "tieline/bus_options.h"
#include "tieline/config.h"
#include "tieline/metrics.h"
#include "tieline/move.h"
#include "tieline/receiver.h"
#include "tieline/request.h"
#include "tieline/route.h"
#include "tieline/sender.h"

namespace tieline::inline v0 {

class BusCore;
class BusTarget;

class Bus {
 public:
  // Checks the config against the registered backends (kInvalidArgument,
  // kUnimplemented names the scheme without a backend); connects only when
  // something is opened.
  static absl::StatusOr<std::unique_ptr<Bus>> Open(Config config,
                                                   BusOptions options = {});
  // Passes on the config's error.
  static absl::StatusOr<std::unique_ptr<Bus>> Open(
      absl::StatusOr<Config> config, BusOptions options = {});
  Bus(const Bus&) = delete;
  Bus& operator=(const Bus&) = delete;
  // Close(5 s). Handles opened from it must be gone or closed.
  ~Bus();

  // `queue` is a name from the config, or a URL. They return at once; the
  // connection is made behind them and kept up. kNotFound: no such queue.
  // kInvalidArgument: the options, or sends that end before the queue's spool
  // begins. kResourceExhausted, kUnavailable: the state file's disk.
  absl::StatusOr<std::unique_ptr<Sender>> OpenSender(
      std::string_view queue, SenderOptions options = {});
  absl::StatusOr<std::unique_ptr<Receiver>> OpenReceiver(
      std::string_view queue, ReceiverOptions options = {});
  absl::StatusOr<std::unique_ptr<Route>> StartRoute(RouteConfig config,
                                                    Transform transform = {});

  // Asks the broker of `queue` (its name or URL) for something rare and waits.
  // kUnimplemented: this backend can't; kDeadlineExceeded.
  absl::StatusOr<int64_t> Depth(std::string_view queue, absl::Duration timeout);
  absl::StatusOr<std::vector<Message>> Peek(std::string_view queue,
                                            int64_t from, uint32_t max,
                                            absl::Duration timeout);
  absl::StatusOr<std::vector<driver::EntityInfo>> ListEntities(
      std::string_view broker, absl::Duration timeout);
  absl::Status CreateEntity(std::string_view queue, absl::Duration timeout);
  // Anything else of driver::Request; `queue` fills in its entity.
  absl::StatusOr<driver::Reply> Ask(std::string_view queue,
                                    driver::Request request,
                                    absl::Duration timeout);

  // What `config` would move. kInvalidArgument: the config, or what it asks of
  // a queue can't be done, with the reason (docs/move.md). Changes nothing.
  absl::StatusOr<ChangePlan> Plan(const Config& config) const;
  // Begins the moves of a plan: handles stay as they are and go to the new
  // broker by themselves. The same plan again is the same move. Returns at
  // once; errors as Plan's, and kFailedPrecondition when the bus is closed.
  absl::StatusOr<std::unique_ptr<Moving>> Apply(const ChangePlan& plan);
  // All that is or was moved since the bus was opened, the last move of each
  // queue.
  std::vector<MoveReport> moves() const;
  // Up to `limit` records of the journal, numbered `from` or more.
  // kUnimplemented: the bus keeps no state file.
  absl::StatusOr<std::vector<JournalRecord>> ReadJournal(uint64_t from,
                                                         int64_t limit) const;

  MetricsSnapshot metrics() const;
  // A copy: what it was opened with, and the queues that URLs added since.
  Config config() const;

  // For a host that runs the bus itself (BusOptions::host_runs): readable when
  // there is something to do.
  int fd() const;
  // Does what is ready, blocking only while it writes the state file, if there
  // is one; returns when it next needs to run (steady time of the bus's clock).
  absl::Time RunOnce();

  // Stops routes, closes handles and connections; with host_runs on a thread
  // of the bus's own. kDeadlineExceeded when something could not be finished in
  // time; kFailedPrecondition from a callback.
  absl::Status Close(absl::Duration timeout);

 private:
  friend class BusTarget;

  explicit Bus(std::shared_ptr<BusCore> core);
  std::shared_ptr<BusCore> core_;
};

}  // namespace tieline::inline v0

#endif  // TIELINE_BUS_H_
