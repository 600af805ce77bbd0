// Harness: what an adapter supplies to be checked by the conformance suite.
//
// How to write one (about 80 lines):
//   1. Derive from Harness. Implement name-free basics: driver(), broker() and
//      NewQueue(). Everything else has a default that says "this backend
//      can't", and the behaviours that need it are then reported as not
//      applicable.
//   2. In one .cc of a test program:
//        TIELINE_CONFORMANCE("mybroker", MyHarness);
//      MyHarness is made with no arguments when the first behaviour runs, and
//      destroyed after the last. Several backends may share one program.
//   3. In CMake:
//        tieline_test(mybroker_conformance_test SOURCES ...
//                     LIBS tieline_conformance tieline::mybroker)
//   4. Run it: each behaviour is one Catch2 test case, "mybroker: a lost
//      connection leaves unanswered sends in doubt", with tags by area:
//        mybroker_conformance_test "[credit]"
//      What can't be checked prints "[n/a] mybroker: BEHAVIOUR: REASON" and is
//      never counted as passed. TIELINE_CONFORMANCE_REPORT names a file to
//      which one line a behaviour is appended: backend, behaviour, verdict
//      (pass, fail, n/a) and reason, separated by tabs.
// What the backend lacks is taken from the capabilities that its connection and
// links report, and from the errors that the functions below return:
// kUnimplemented means not applicable, any other error is a failure.
//
// Threads: everything is called from the test's thread.
#ifndef TIELINE_ADAPTERS_CONFORMANCE_HARNESS_H_
#define TIELINE_ADAPTERS_CONFORMANCE_HARNESS_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "tieline/clock.h"
#include "tieline/config.h"
#include "tieline/driver/driver.h"

namespace tieline::conformance {

// What a behaviour needs of the entity it is given. A default value asks for
// nothing special.
struct Shape {
  absl::Duration lock = absl::ZeroDuration();  // peek-lock time
  uint32_t max_deliveries = 0;                 // then dead-lettered
  bool sessions = false;
  absl::Duration ttl = absl::InfiniteDuration();
  bool dead_letter_expired = false;
  absl::Duration duplicate_window = absl::ZeroDuration();
  int32_t partitions = 1;
  size_t max_depth = 0;  // messages; then full
};

struct Limits {
  // A body this large passes. Behaviours send up to 1 MiB.
  size_t large_body = 1 << 20;
  // A body this large is refused for good; 0: there is no such size.
  size_t too_large_body = 0;
  // Open/close cycles of a sender on one connection, of a receiver (0: as many;
  // joining a group takes its time), and of connections.
  int cycles = 10000;
  int receiver_cycles = 0;
  int connection_cycles = 50;
  // Names of the properties in which a dead-lettered message carries its reason
  // and description; empty: they are not kept.
  std::string reason_property = "DeadLetterReason";
  std::string detail_property = "DeadLetterErrorDescription";
  // Settlement::amend is carried out with these verbs.
  bool amends_on_abandon = false;
  bool amends_on_dead_letter = false;
  // Scheduled messages that came due while nobody received are delivered in the
  // order of their times.
  bool orders_scheduled = true;
  // A settlement counts as confirmed only once the broker has carried it out.
  // Without it, what was settled just before a cut may come once more.
  bool confirms_settlements = true;
  // Sends accepted on one connection before a cut are kept by the broker.
  bool keeps_over_cut = true;
  // How long to wait for what must come, and for what must not.
  absl::Duration patience = absl::Seconds(15);
  absl::Duration quiet = absl::Milliseconds(300);
};

class Harness {
 public:
  virtual ~Harness() = default;

  // Once, before the first behaviour; an error fails every behaviour.
  virtual absl::Status Start() { return absl::OkStatus(); }
  // After each behaviour, when all its connections are gone: heal what was
  // broken, delete entities if they are costly.
  virtual void AfterBehaviour() {}

  virtual driver::Driver& driver() = 0;
  // How to reach the broker.
  virtual BrokerConfig broker() = 0;
  // A new entity: there, empty and used by nobody else. kUnimplemented when the
  // backend has nothing of that shape.
  virtual absl::StatusOr<QueueConfig> NewQueue(const Shape& shape) = 0;
  virtual Limits limits() { return {}; }
  // The clock that connections are given and run by.
  virtual Clock* clock() { return Clock::System(); }

  // An entity that is not there and that using does not create.
  virtual absl::StatusOr<QueueConfig> UnknownQueue() { return Cannot(); }
  // The entity to receive what `queue` dead-lettered.
  virtual absl::StatusOr<QueueConfig> DeadLetters(const QueueConfig& queue) {
    static_cast<void>(queue);
    return Cannot();
  }
  virtual absl::StatusOr<BrokerConfig> WrongCredentials() { return Cannot(); }
  // A broker that nobody is at. By default broker() with a port of this machine
  // that refuses.
  virtual absl::StatusOr<BrokerConfig> Unreachable();

  // Breaks every connection to the broker. What reached it stays; an answer on
  // its way is lost.
  virtual absl::Status Cut() { return Cannot(); }
  // The broker (or the way to it) stops answering, and goes on again.
  virtual absl::Status Stall() { return Cannot(); }
  virtual absl::Status Resume() { return Cannot(); }
  // Lets time pass at once. Without it behaviours let short times pass for
  // real, and those that need long ones are not applicable.
  virtual absl::Status Advance(absl::Duration by) {
    static_cast<void>(by);
    return Cannot();
  }

 protected:
  static absl::Status Cannot() {
    return absl::UnimplementedError("the harness has no way to do this");
  }

 private:
  int refusing_socket_ = -1;
};

// Registers a harness under a backend's name, at static initialisation.
using HarnessFactory = std::function<std::unique_ptr<Harness>()>;
bool AddBackend(std::string_view name, HarnessFactory factory);

#define TIELINE_CONFORMANCE(name, HarnessType)                           \
  [[maybe_unused]] static const bool tieline_conformance_##HarnessType = \
      ::tieline::conformance::AddBackend(                                \
          name, [] { return std::make_unique<HarnessType>(); })

}  // namespace tieline::conformance

#endif  // TIELINE_ADAPTERS_CONFORMANCE_HARNESS_H_
