// Closing, in the middle of everything.
#include <dirent.h>
#include <unistd.h>

#include <fstream>

#include "adapters/conformance/suite.h"

namespace tieline::conformance {
namespace {

using driver::Verb;

// Closes the connection, and fails the behaviour unless that is answered.
void MustClose(Rig& rig, Peer& peer,
               absl::Duration allowed = absl::Seconds(5)) {
  peer.connection->Close(rig.Now() + allowed);
  REQUIRE(rig.Until([&] { return peer.lost.has_value(); }));
  INFO(peer.lost->ToString());
  CHECK(peer.lost->ok());
}

BEHAVIOUR("closing an idle connection is answered with OK", "[close]") {
  MustClose(rig, rig.Main());
}

BEHAVIOUR("closing while connecting is answered", "[close]") {
  Peer& peer = rig.Begin();
  peer.connection->Close(rig.Now() + absl::Seconds(5));
  REQUIRE(rig.Until([&] { return peer.lost.has_value(); }));
  CHECK(peer.ups <= 1);
}

BEHAVIOUR("closing while opening is answered", "[close]") {
  const QueueConfig queue = rig.NewQueue();
  Peer& peer = rig.Connect();
  rig.BeginSender(queue, &peer);
  rig.BeginReceiver(queue, &peer);
  MustClose(rig, peer);
}

BEHAVIOUR("closing while sending answers every send", "[close]") {
  const QueueConfig queue = rig.NewQueue();
  Peer& peer = rig.Connect();
  Sender& tx = rig.OpenSender(queue, &peer);
  tx.Send(Numbered(500));
  tx.Pump();
  MustClose(rig, peer);
  CHECK(tx.outcomes.size() == tx.submitted);
}

BEHAVIOUR("closing while receiving loses nothing", "[close]") {
  const QueueConfig queue = rig.NewQueue();
  rig.MustSend(rig.OpenSender(queue), Numbered(50));
  Peer& peer = rig.Connect();
  Receiver& rx = rig.OpenReceiver(queue, &peer);
  rx.Grant(50);
  rig.Turn();
  MustClose(rig, peer);
  rig.Drop(peer);
  Receiver& next = rig.OpenReceiver(queue);
  next.Grant(100);
  REQUIRE(rig.Until([&] { return next.got.size() >= 50; }));
  rig.Quiet();
  CHECK(next.got.size() == 50);
}

BEHAVIOUR("closing while settling answers every settlement", "[close]") {
  const QueueConfig queue = rig.NewQueue();
  rig.MustSend(rig.OpenSender(queue), Numbered(50));
  Peer& peer = rig.Connect();
  Receiver& rx = rig.OpenReceiver(queue, &peer);
  rig.MustTake(rx, 50);
  rx.SettleAll(Verb::kComplete);
  MustClose(rig, peer);
  CHECK(rx.settled.size() == 50);
}

BEHAVIOUR("what was settled before a close stays settled", "[close]") {
  const QueueConfig queue = rig.NewQueue();
  rig.MustSend(rig.OpenSender(queue), Numbered(50));
  Peer& peer = rig.Connect();
  Receiver& rx = rig.OpenReceiver(queue, &peer);
  rig.MustTake(rx, 50);
  rx.SettleAll(Verb::kComplete);
  rx.handle->Close();
  REQUIRE(rig.Until([&] { return rx.closed.has_value(); }));
  CHECK(rx.settled.size() == 50);
  Receiver& next = rig.OpenReceiver(queue);
  next.Grant(100);
  rig.Quiet();
  CHECK(next.got.empty());
}

BEHAVIOUR("closing while draining is answered", "[close][drain]") {
  Peer& peer = rig.Connect();
  Receiver& rx = rig.OpenReceiver(rig.NewQueue(), &peer);
  rx.Grant(10);
  rx.handle->Drain();
  MustClose(rig, peer);
}

BEHAVIOUR("closing when the broker does not answer ends at the deadline",
          "[close]") {
  const QueueConfig queue = rig.NewQueue();
  Peer& peer = rig.Main();
  Sender& tx = rig.OpenSender(queue);
  rig.Demand(rig.harness().Stall());
  tx.Send(Numbered(3));
  tx.Pump();
  peer.connection->Close(rig.Now() + absl::Milliseconds(500));
  rig.Pass(absl::Seconds(1));
  REQUIRE(rig.Until([&] { return peer.lost.has_value(); }));
  CHECK(tx.outcomes.size() == tx.submitted);
}

BEHAVIOUR("a sender that is closed leaves the others", "[close]") {
  const QueueConfig queue = rig.NewQueue();
  Sender& a = rig.OpenSender(queue);
  Sender& b = rig.OpenSender(queue);
  a.handle->Close();
  REQUIRE(rig.Until([&] { return a.closed.has_value(); }));
  CHECK(a.closed->ok());
  rig.MustSend(b, Message("m"));
}

BEHAVIOUR("a receiver that is closed says so once", "[close]") {
  Receiver& rx = rig.OpenReceiver(rig.NewQueue());
  rx.Grant(10);
  rx.handle->Close();
  REQUIRE(rig.Until([&] { return rx.closed.has_value(); }));
  CHECK(rx.closed->ok());
  rig.Quiet();
}

BEHAVIOUR("closing a handle that is still opening is answered", "[close]") {
  const QueueConfig queue = rig.NewQueue();
  rig.Main();
  Sender& tx = rig.BeginSender(queue);
  Receiver& rx = rig.BeginReceiver(queue);
  tx.handle->Close();
  rx.handle->Close();
  REQUIRE(rig.Until(
      [&] { return tx.closed.has_value() && rx.closed.has_value(); }));
  CHECK(tx.outcomes.empty());
}

BEHAVIOUR("destroying a connection at work calls nobody", "[close]") {
  const QueueConfig queue = rig.NewQueue();
  Peer& peer = rig.Connect();
  Sender& tx = rig.OpenSender(queue, &peer);
  Receiver& rx = rig.OpenReceiver(queue, &peer);
  tx.Send(Numbered(100));
  tx.Pump();
  rx.Grant(100);
  rig.Turn();
  rig.Drop(peer);  // a call from here on would break a rule of the rig
  CHECK(rig.violations().empty());
}

BEHAVIOUR("a handle destroyed without closing gives back what it held",
          "[close][redelivery]") {
  rig.Need(Capability::kBrokerRedelivery);
  const QueueConfig queue = rig.NewQueue();
  rig.MustSend(rig.OpenSender(queue), Numbered(5));
  Peer& peer = rig.Connect();
  rig.MustTake(rig.OpenReceiver(queue, &peer), 5);
  rig.Drop(peer);
  CHECK(rig.MustTake(rig.OpenReceiver(queue), 5).size() == 5);
}

size_t OpenDescriptors() {
  size_t n = 0;
  DIR* folder = opendir("/proc/self/fd");
  REQUIRE(folder != nullptr);
  while (readdir(folder) != nullptr) ++n;
  closedir(folder);
  return n;
}

size_t ResidentBytes() {
  std::ifstream statm("/proc/self/statm");
  size_t total = 0;
  size_t resident = 0;
  statm >> total >> resident;
  return resident * static_cast<size_t>(sysconf(_SC_PAGESIZE));
}

void Cycle(Rig& rig, const QueueConfig& queue, bool sender) {
  if (sender) {
    Sender& tx = rig.OpenSender(queue);
    tx.handle->Close();
    REQUIRE(rig.Until([&] { return tx.closed.has_value(); }));
    rig.Drop(tx);
  } else {
    Receiver& rx = rig.OpenReceiver(queue);
    rx.handle->Close();
    REQUIRE(rig.Until([&] { return rx.closed.has_value(); }));
    rig.Drop(rx);
  }
}

// Memory and descriptors must not grow with the number of cycles.
void ManyCycles(Rig& rig, int cycles, bool sender) {
  const QueueConfig queue = rig.NewQueue();
  rig.Main();
  for (int i = 0; i < cycles / 10 + 1; ++i) Cycle(rig, queue, sender);
  const size_t descriptors = OpenDescriptors();
  const size_t resident = ResidentBytes();
  for (int i = 0; i < cycles; ++i) Cycle(rig, queue, sender);
  // A client library may close its own a little later.
  CHECK(rig.Until([&] { return OpenDescriptors() <= descriptors + 4; }));
  const size_t now = ResidentBytes();
  const size_t grown = now > resident ? now - resident : 0;
  INFO("grown by " << grown << " bytes over " << cycles << " cycles");
#if !defined(__SANITIZE_ADDRESS__)
  // Less than 512 bytes a cycle, beside what allocators keep. AddressSanitizer
  // keeps freed memory by design, and finds leaks by itself at the end.
  CHECK(grown < (8u << 20) + 512u * static_cast<size_t>(cycles));
#endif
}

BEHAVIOUR("opening and closing senders again and again leaks nothing",
          "[close][leak]") {
  ManyCycles(rig, rig.limits().cycles, true);
}

BEHAVIOUR("opening and closing receivers again and again leaks nothing",
          "[close][leak]") {
  const int cycles = rig.limits().receiver_cycles;
  ManyCycles(rig, cycles > 0 ? cycles : rig.limits().cycles, false);
}

BEHAVIOUR("opening and closing connections again and again leaks nothing",
          "[close][leak]") {
  const int cycles = rig.limits().connection_cycles;
  const auto cycle = [&] {
    Peer& peer = rig.Connect();
    MustClose(rig, peer);
    rig.Drop(peer);
  };
  for (int i = 0; i < 5; ++i) cycle();
  const size_t descriptors = OpenDescriptors();
  for (int i = 0; i < cycles; ++i) cycle();
  CHECK(rig.Until([&] { return OpenDescriptors() <= descriptors + 4; }));
}

}  // namespace
}  // namespace tieline::conformance
