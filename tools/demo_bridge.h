// The bridge of `tieline demo`: a queue `observations` that chargers send to, a
// route from it to `history`, and a handler there, with brokers in memory. It
// is configured by text, as any bridge is.
//
// Threads: one, but for the handler.
#ifndef TIELINE_TOOLS_DEMO_BRIDGE_H_
#define TIELINE_TOOLS_DEMO_BRIDGE_H_

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "tieline/bus.h"
#include "tieline/memory.h"
#include "tools/ledger.h"

namespace tieline::tools {

// The brokers. Observations begin at the first and move to the second.
inline constexpr char kPrimary[] = "primary";
inline constexpr char kFresh[] = "fresh";
inline constexpr char kCentral[] = "central";
inline constexpr char kObservations[] = "observations";

// A folder that is gone with everything in it when this is.
class TempFolder {
 public:
  static absl::StatusOr<TempFolder> Make();
  TempFolder(TempFolder&& other) noexcept
      : path_(std::exchange(other.path_, {})) {}
  ~TempFolder();
  std::string path() const { return path_.string(); }

 private:
  explicit TempFolder(std::filesystem::path path) : path_(std::move(path)) {}
  std::filesystem::path path_;
};

class DemoBridge {
 public:
  // The handler tells the ledger of each message; the ledger outlives this.
  // `retire_time`: for how long a drained broker is listened to.
  static absl::StatusOr<std::unique_ptr<DemoBridge>> Open(
      absl::Duration retire_time, Ledger* ledger);

  Sender* sender() { return sender_.get(); }
  // What `tieline move observations --to fresh` does: edits the config, and
  // has the bus plan and apply it.
  absl::StatusOr<std::vector<PlannedMove>> MoveToFresh();
  // How far the move is; nothing before there is one.
  std::optional<MoveReport> move() const;
  // Sends that the sender made again, since their answers were lost.
  uint64_t Resent() const;
  // What the config says of the queue now.
  std::string QueueInConfig() const;
  // Messages that a broker has, whatever their queue; dead letters too.
  static size_t HeldBy(const char* broker);
  absl::Status Close();

 private:
  DemoBridge(TempFolder folder, std::string yaml)
      : folder_(std::move(folder)), yaml_(std::move(yaml)) {}
  absl::Status Start(Ledger* ledger);
  absl::StatusOr<Config> Read() const;

  const TempFolder folder_;
  std::string yaml_;
  std::unique_ptr<Bus> bus_;
  std::unique_ptr<Sender> sender_;
  std::unique_ptr<Receiver> receiver_;
  std::unique_ptr<Route> route_;
  std::unique_ptr<Processor> processor_;
  std::unique_ptr<Moving> moving_;
  uint64_t generation_ = 0;  // after the move
};

// A broker that gets sick: first its answers are late, and ever later, then it
// loses all connections, and again, and refuses new ones for a while.
class SickBroker {
 public:
  struct Course {
    absl::Duration slow_at = absl::InfiniteDuration();
    absl::Duration dropping_at = absl::InfiniteDuration();
    // How late its answers come in the end.
    absl::Duration latest = absl::ZeroDuration();
    absl::Duration every = absl::Seconds(1);  // between two losses
  };
  SickBroker(std::shared_ptr<memory::Broker> broker, const Course& course)
      : broker_(std::move(broker)), course_(course), next_(course.slow_at) {}

  // As sick as it is at that time.
  void Tick(absl::Duration at);
  // Nobody can reach it any more.
  void TakeAway();
  // Well again, for good.
  void Heal();
  // "well", "50.0ms late", "dropping", "away".
  std::string state() const;

 private:
  enum class State : uint8_t {
    kWell,
    kSlow,
    kDropping,
    kRefusing,
    kAway,
    kHealed
  };

  const std::shared_ptr<memory::Broker> broker_;
  const Course course_;
  State state_ = State::kWell;
  absl::Duration delay_ = absl::ZeroDuration();
  absl::Duration next_;  // when it gets worse
};

}  // namespace tieline::tools

#endif  // TIELINE_TOOLS_DEMO_BRIDGE_H_
