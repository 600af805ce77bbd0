// Receivers that browse: they see what is there and leave it as it was.
#include "adapters/conformance/suite.h"

namespace tieline::conformance {
namespace {

using driver::Inbound;
using driver::Verb;

// Open, or not applicable.
Receiver& OpenBrowser(Rig& rig, const QueueConfig& queue) {
  driver::ReceiverSpec spec;
  spec.queue = queue;
  spec.browse = true;
  Receiver& browser = rig.BeginReceiver(spec, nullptr);
  rig.Until([&] { return browser.opened > 0 || browser.closed.has_value(); });
  if (browser.closed.has_value()) rig.Demand(*browser.closed);
  REQUIRE(browser.opened == 1);
  return browser;
}

// All that `browser` is given of a queue with `n` messages.
std::vector<Inbound> Browse(Rig& rig, Receiver& browser, size_t n) {
  browser.Grant(static_cast<uint32_t>(2 * n));
  REQUIRE(rig.Until([&] { return browser.got.size() >= n; }));
  rig.Quiet();
  return browser.got;
}

BEHAVIOUR("what was browsed is still there for a receiver, in order",
          "[browse]") {
  const QueueConfig queue = rig.NewQueue();
  rig.MustSend(rig.OpenSender(queue), Numbered(5));
  Receiver& browser = OpenBrowser(rig, queue);
  const std::vector<std::string> sent = {"m0", "m1", "m2", "m3", "m4"};
  CHECK(Bodies(Browse(rig, browser, 5)) == sent);
  browser.handle->Close();
  REQUIRE(rig.Until([&] { return browser.closed.has_value(); }));
  const auto got = rig.MustTake(rig.OpenReceiver(queue), 5);
  CHECK(Bodies(got) == sent);
  for (const Inbound& one : got) CHECK(one.attempts == 0);
}

BEHAVIOUR("a browsed message is whole", "[browse]") {
  const QueueConfig queue = rig.NewQueue();
  Message sent("body");
  sent.set_key("k");
  sent.set_property("tenant", "acme");
  rig.MustSend(rig.OpenSender(queue), std::move(sent));
  Receiver& browser = OpenBrowser(rig, queue);
  const Message seen = Browse(rig, browser, 1).front().message;
  CHECK(seen.body_view() == "body");
  CHECK(seen.key() == "k");
  const Value* tenant = seen.properties().Find("tenant");
  REQUIRE(tenant != nullptr);
  CHECK(tenant->text() == "acme");
}

BEHAVIOUR("a browser dropped with messages in hand takes none away",
          "[browse][close]") {
  const QueueConfig queue = rig.NewQueue();
  rig.MustSend(rig.OpenSender(queue), Numbered(3));
  Receiver& browser = OpenBrowser(rig, queue);
  Browse(rig, browser, 3);
  rig.Drop(browser);
  Receiver& rx = rig.OpenReceiver(queue);
  const auto got = rig.MustTake(rx, 3);
  CHECK(Bodies(got) == std::vector<std::string>{"m0", "m1", "m2"});
  for (const Inbound& one : got) {
    rig.MustSettle(rx, one.token, Verb::kComplete);
  }
}

BEHAVIOUR("two browsers see the same", "[browse]") {
  const QueueConfig queue = rig.NewQueue();
  rig.MustSend(rig.OpenSender(queue), Numbered(4));
  Receiver& one = OpenBrowser(rig, queue);
  Receiver& other = OpenBrowser(rig, queue);
  CHECK(Bodies(Browse(rig, one, 4)) == Bodies(Browse(rig, other, 4)));
}

}  // namespace
}  // namespace tieline::conformance
