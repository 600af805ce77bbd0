// A backend for tests of the core: a broker without redelivery and without
// dead-lettering, whose answers a script gives and whose lanes a test opens and
// closes. It runs on the runner's thread, all handles on one connection.
#ifndef TIELINE_TESTS_ENGINE_SCRIPTED_H_
#define TIELINE_TESTS_ENGINE_SCRIPTED_H_

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "lib/base/mutex.h"
#include "tieline/capabilities.h"
#include "tieline/driver/driver.h"

namespace tieline::inline v0 {
namespace scripted {

class ScriptedConnection;

// What becomes of a send; nothing: its answer is held back.
using Script = std::function<std::optional<driver::Outcome>(const Message&)>;

// Every call from any thread. What is set before the first handle opens needs
// no lock.
class Broker {
 public:
  // Reached as scripted://NAME.
  static std::shared_ptr<Broker> Create(const std::string& name);

  Capabilities capabilities;
  // Lane 0 is announced by events, as a partition is.
  bool announce_lanes = false;
  // Sends that a sender has room for, without an answer; 0: any number.
  size_t room = 0;
  // Its driver lets work gather for so long.
  absl::Duration rests;
  // What opening a handle of this entity is answered with.
  std::map<std::string, absl::Status> refuse;

  void SetScript(Script script);
  // Held answers are asked of the script again.
  void AskAgain();
  void Put(const std::string& entity, Message message);
  void DropConnections();
  // Announces that lane 0 of every receiver is taken away in `grace`.
  void CloseLane(absl::Duration grace);
  // Lane 0 is given again, in a new epoch.
  void OpenLane();

  // What senders brought and was accepted, in order.
  std::vector<Message> Accepted(const std::string& entity) const;
  // Messages that are in the queue, unsettled ones included.
  size_t Depth(const std::string& entity) const;
  // How often anything was submitted.
  uint64_t submits() const;
  uint64_t lanes_dropped() const;
  int handles() const;

 private:
  friend class ScriptedConnection;
  friend class ScriptedSender;
  friend class ScriptedReceiver;
  void WakeAll() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  mutable Mutex mu_;
  std::set<ScriptedConnection*> connections_ ABSL_GUARDED_BY(mu_);
  Script script_ ABSL_GUARDED_BY(mu_);
  std::map<std::string, std::deque<Message>> queues_ ABSL_GUARDED_BY(mu_);
  std::map<std::string, std::vector<Message>> accepted_ ABSL_GUARDED_BY(mu_);
  std::map<std::string, size_t> unsettled_ ABSL_GUARDED_BY(mu_);
  uint64_t script_version_ ABSL_GUARDED_BY(mu_) = 0;
  uint64_t drops_ ABSL_GUARDED_BY(mu_) = 0;
  uint32_t epoch_ ABSL_GUARDED_BY(mu_) = 1;
  uint32_t closing_epoch_ ABSL_GUARDED_BY(mu_) = 0;
  absl::Duration grace_ ABSL_GUARDED_BY(mu_);
  uint64_t submits_ ABSL_GUARDED_BY(mu_) = 0;
  uint64_t lanes_dropped_ ABSL_GUARDED_BY(mu_) = 0;
  int handles_ ABSL_GUARDED_BY(mu_) = 0;
};

}  // namespace scripted
}  // namespace tieline::inline v0

#endif  // TIELINE_TESTS_ENGINE_SCRIPTED_H_
