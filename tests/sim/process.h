// Process: a process of the simulation: a bus that the simulation runs, with
// its senders and routes and a clock of its own.
#ifndef TIELINE_TESTS_SIM_PROCESS_H_
#define TIELINE_TESTS_SIM_PROCESS_H_

#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "tests/sim/broker.h"
#include "tests/sim/disk.h"
#include "tests/sim/ledger.h"
#include "tests/sim/rng.h"
#include "tests/sim/scenario.h"
#include "tests/sim/steps.h"
#include "tests/sim/timeline.h"
#include "tieline/bus.h"

namespace tieline::sim {

class Process {
 public:
  using Brokers = std::map<std::string, SimBroker*>;

  // `has_state`: it keeps a state file, on a disk of its own.
  Process(int number, Timeline* timeline, Ledger* ledger, MoveSteps* steps,
          const Brokers* brokers, bool has_state, Rng rng);
  ~Process();

  int number() const { return number_; }
  // Where the others ask it.
  static std::string AddressOf(int number);
  std::string address() const { return AddressOf(number_); }
  // False: its disk is full, and it has to be started again.
  bool Start(const Config& config, BusOptions options);
  // What it had in hand is gone; nothing more comes of it. When it starts again
  // it finds what `restart` says.
  void Kill(Restart restart);
  bool is_alive() const { return bus_ != nullptr; }
  // Null: its disk is full; or it could not be opened, which is a violation.
  Sender* OpenSender(const std::string& queue, const SenderOptions& options);
  // False: its disk is full.
  bool StartRoute(const RouteConfig& config);

  // Something came for it.
  void Touch() { touched_ = true; }
  void Stall(absl::Duration length);
  absl::Time stalled_until() const { return stalled_until_; }
  SimClock& clock() { return clock_; }
  // Null: it has no state file.
  Disk* disk() { return disk_.get(); }
  // As this process has it.
  Config ConfigOf(Config config) const;
  Bus& bus() { return *bus_; }
  // When it next has something to do.
  absl::Time next_run() const;
  void Run();
  uint64_t runs() const { return runs_; }
  // Messages that its senders and routes have in hand, or in the spool.
  uint64_t in_hand() const;

  // ---- For the driver.
  bool is_dying() const {
    return dying_ || (disk_ != nullptr && disk_->is_cut());
  }
  SimBroker* FindBroker(const std::string& host) const;
  // A connection, by a number.
  uint64_t Joined(driver::Waker* waker) {
    wakers_[next_connection_] = waker;
    return next_connection_++;
  }
  void Left(uint64_t connection) { wakers_.erase(connection); }

 private:
  bool IsDisk(const absl::Status& why) const;

  const int number_;
  Timeline* const timeline_;
  Ledger* const ledger_;
  MoveSteps* const steps_;
  const Brokers* const brokers_;
  Rng rng_;
  SimClock clock_;
  std::unique_ptr<Disk> disk_;
  std::map<uint64_t, driver::Waker*> wakers_;
  uint64_t next_connection_ = 0;
  std::unique_ptr<Bus> bus_;
  std::vector<std::unique_ptr<Sender>> senders_;
  std::vector<std::unique_ptr<Route>> routes_;
  bool touched_ = false;
  bool dying_ = false;
  absl::Time bus_next_ = absl::InfinitePast();
  absl::Time ready_at_ = absl::InfinitePast();
  absl::Time stalled_until_ = absl::InfinitePast();
  uint64_t runs_ = 0;
};

// Makes sim://NAME known to buses; once for the program.
void RegisterSimDriver();

}  // namespace tieline::sim

#endif  // TIELINE_TESTS_SIM_PROCESS_H_
