// SimBroker: a broker of the simulation. What arrives on a session is done at
// its time, and answers take their time back; faults are switched on and off
// from outside (faults.h).
#ifndef TIELINE_TESTS_SIM_BROKER_H_
#define TIELINE_TESTS_SIM_BROKER_H_

#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/time/time.h"
#include "tests/sim/entity.h"
#include "tests/sim/ledger.h"
#include "tests/sim/rng.h"
#include "tests/sim/session.h"
#include "tests/sim/timeline.h"
#include "tieline/capabilities.h"
#include "tieline/driver/driver.h"

namespace tieline::sim {

// What a broker is like; drawn once a run.
struct BrokerTraits {
  std::string name;
  int place = 0;
  bool is_sink = false;  // what it accepts takes effect
  bool is_log = false;   // else a queue with locks
  bool ordered = true;
  bool pipelines = false;  // Capability::kOrderedPipelining
  bool drops_duplicates = false;
  bool tells_undrained = true;  // else no proof can be had but silence
  int partitions = 1;
  uint32_t link_credit = 1000;  // sends without an outcome on one link
  uint32_t most_attempts = 20;
  uint64_t max_message_bytes = 0;
  absl::Duration lock = absl::Seconds(30);
  absl::Duration latency_low = absl::Microseconds(100);
  absl::Duration latency_high = absl::Milliseconds(2);
  // How long a silent broker is believed alive; the client then gives up.
  absl::Duration idle = absl::Seconds(5);
};

// What is wrong with it at present.
struct BrokerFaults {
  bool alive = true;
  bool paused = false;       // takes connections and bytes, does nothing
  absl::Time busy;           // until then sends are not taken
  absl::Time mute;           // ... outcomes are lost, and later the connection
  absl::Time late;           // ... outcomes are late
  absl::Time hoards;         // ... sends are accepted and nothing is delivered
  absl::Time surfaces_late;  // ... what is accepted is seen seconds later
  absl::Time doubtful;       // ... some outcomes are "unknown"
  absl::Time refuses;        // ... some messages are rejected for good
  absl::Time closes_links;   // ... links are refused
  BrokerFaults() {
    for (absl::Time* t : {&busy, &mute, &late, &hoards, &surfaces_late,
                          &doubtful, &refuses, &closes_links}) {
      *t = absl::InfinitePast();
    }
  }
};

class SimBroker {
 public:
  SimBroker(BrokerTraits traits, Timeline* timeline, Ledger* ledger, Rng rng);

  const BrokerTraits& traits() const { return traits_; }
  Capabilities capabilities() const;
  Timeline& timeline() { return *timeline_; }
  Ledger& ledger() { return *ledger_; }
  Rng& rng() { return rng_; }
  BrokerFaults& faults() { return faults_; }
  absl::Duration Latency() {
    return rng_.Between(traits_.latency_low, traits_.latency_high);
  }

  Session* Connect(SimConnection* client);

  // ---- What arrives on a session.
  void Open(Session& session, uint32_t link, const std::string& entity,
            bool reads);
  void Submit(Session& session, uint32_t link, const SentMessages& messages);
  void Grant(Session& session, uint32_t link, uint64_t messages,
             uint64_t bytes);
  void Drain(Session& session, uint32_t link);
  void Settle(Session& session, uint32_t link,
              const std::vector<driver::Settlement>& settlements);
  void DropLane(Session& session, uint32_t link, driver::Lane lane,
                uint32_t epoch);
  void CloseLink(Session& session, uint32_t link);
  // What a link leaves goes to the other readers.
  void ForgetLink(Session& session, uint32_t link);
  void Ask(Session& session, uint64_t cookie, const driver::Request& request);
  // The session is over, here; what its readers held is free again.
  void Forget(Session& session);

  // ---- Faults.
  // The connection breaks: what is on its way arrives or not; both sides hear
  // of it later, if at all.
  void Cut(Session& session, absl::Duration client_hears,
           absl::Duration broker_hears);
  void Pause();
  void Resume();
  void Die(bool loses_data);
  void Revive();
  // Closes a link as a broker does that has a fault of its own.
  void DetachSomeLink();
  void Rebalance(absl::Duration grace);
  void AfterFault() { PushAll(); }
  std::vector<Session*> LiveSessions();

  // A message that was there before anything.
  void Prefill(const std::string& entity, Message message, int number);
  int64_t Undrained() const;
  // Senders and receivers of clients that are there.
  size_t links() const;
  Entity& EntityOf(const std::string& name);

 private:
  friend struct Session;
  struct Waiting {
    Session* session = nullptr;
    Timeline::Step step;
  };

  driver::Outcome Judge(BrokerLink& link, const SentMessage& sent);
  void Accept(const std::string& entity, const Message& message);
  void Push(const std::string& name);
  void PushAll();
  void Arm(const std::string& name, Entity& entity);
  Entity::Tell TellReaders(const std::string& entity);
  bool MayDeliver() const;

  const BrokerTraits traits_;
  Timeline* const timeline_;
  Ledger* const ledger_;
  Rng rng_;
  BrokerFaults faults_;
  std::vector<std::unique_ptr<Session>> sessions_;
  std::map<std::string, std::unique_ptr<Entity>> entities_;
  std::map<std::string, absl::Time> armed_;
  // Which session and link a reader is, by its number.
  std::map<uint64_t, std::pair<Session*, uint32_t>> readers_;
  std::map<std::string, absl::Time> seen_ids_;
  std::set<std::string, std::less<>> refused_;  // by id
  std::vector<Waiting> waiting_;                // arrived while it was paused
  uint64_t next_reader_ = 1;
};

}  // namespace tieline::sim

#endif  // TIELINE_TESTS_SIM_BROKER_H_
