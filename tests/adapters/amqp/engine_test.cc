#include "tests/adapters/amqp/pair.h"
#include "tests/support/catch.h"

namespace tieline::amqp_test {
namespace {

using Kind = wire::DeliveryState::Kind;

void Settle(wire::Link* link, uint32_t id, Kind kind, bool settled = true) {
  wire::DeliveryState state;
  state.kind = kind;
  CHECK(link->Settle(id, state, settled));
}

TEST_CASE("two engines open a connection and close it") {
  Pair pair;
  CHECK(pair.client.opened);
  CHECK(pair.server.opened);
  CHECK(pair.client.engine.remote_container() == "server");
  pair.client.engine.Close();
  pair.Run();
  CHECK(pair.client.closed == 1);
  CHECK(pair.server.closed == 1);
  CHECK(!pair.client.close_condition.is_set());
  CHECK(pair.client.engine.finished());
}

TEST_CASE("messages go from client to server and are accepted in ranges") {
  Pair pair;
  pair.server.credit = 100;
  pair.server.on_delivery = [](wire::Link* link, const wire::Delivery& d) {
    Settle(link, d.id, Kind::kAccepted);
  };
  wire::Link* link = pair.Attach(true);
  REQUIRE(pair.client.attached.size() == 1);
  REQUIRE(link->credit() == 100);
  for (uint64_t i = 0; i < 100; ++i) {
    REQUIRE(pair.client.Send(link, i, "message " + std::to_string(i)));
  }
  CHECK(!link->CanSend());
  GiveInput(&pair.server.engine, TakeOutput(&pair.client.engine));
  std::string answer = TakeOutput(&pair.server.engine);
  CHECK(answer.size() < 100);  // one range, not one frame a message
  GiveInput(&pair.client.engine, answer);
  REQUIRE(pair.client.outcomes.size() == 100);
  for (uint64_t i = 0; i < 100; ++i) {
    CHECK(pair.client.outcomes[i].first == i);
    CHECK(pair.client.outcomes[i].second.kind == Kind::kAccepted);
    CHECK(pair.server.bodies[i] == "message " + std::to_string(i));
  }
}

TEST_CASE("bytes may come in pieces of any size") {
  size_t piece = GENERATE(1, 2, 7, 100, 20000);
  Pair pair;
  pair.server.credit = 10;
  wire::Link* link = pair.Attach(true);
  std::string large(300000, 'x');
  REQUIRE(pair.client.Send(link, 1, large));
  REQUIRE(pair.client.Send(link, 2, "small"));
  pair.Run(piece);
  REQUIRE(pair.server.bodies.size() == 2);
  CHECK(pair.server.bodies[0] == large);
  CHECK(pair.server.bodies[1] == "small");
}

TEST_CASE("a session window that is smaller than a message holds it up") {
  wire::EngineOptions server = ServerOptions();
  server.max_frame = 1024;
  server.incoming_window = 4;
  Pair pair(ClientOptions(), server);
  pair.server.credit = 10;
  wire::Link* link = pair.Attach(true);
  std::string body(100000, 'a');
  REQUIRE(pair.client.Send(link, 1, body));
  std::string first = TakeOutput(&pair.client.engine);
  CHECK(first.size() <= 4 * 1024);
  GiveInput(&pair.server.engine, first);
  pair.Run();
  REQUIRE(pair.server.bodies.size() == 1);
  CHECK(pair.server.bodies[0] == body);
}

TEST_CASE("a receiver gets what it gave credit for, and no more") {
  Pair pair;
  uint64_t sent = 0;
  pair.server.on_sendable = [&](wire::Link* link) {
    while (pair.server.Send(link, sent, std::to_string(sent))) ++sent;
  };
  wire::Link* link = pair.Attach(false);
  CHECK(sent == 0);
  link->AddCredit(7);
  pair.Run();
  CHECK(pair.client.bodies.size() == 7);
  link->AddCredit(3);
  pair.Run();
  CHECK(pair.client.bodies.size() == 10);
}

TEST_CASE("drain takes the credit back") {
  Pair pair;
  pair.server.on_sendable = [&](wire::Link* link) {
    pair.server.Send(link, 1, "the only one");
    pair.server.on_sendable = nullptr;
  };
  wire::Link* link = pair.Attach(false);
  link->AddCredit(100);
  pair.Run();
  CHECK(pair.client.bodies.size() == 1);
  CHECK(pair.client.drained == 0);
  link->Drain();
  pair.Run();
  CHECK(pair.client.drained == 1);
  CHECK(link->granted() == 0);
  CHECK(pair.server.links[0]->credit() == 0);
}

TEST_CASE("outcomes other than accepted carry their reasons") {
  Pair pair;
  pair.server.credit = 10;
  wire::Link* link = pair.Attach(true);
  for (uint64_t i = 0; i < 3; ++i) REQUIRE(pair.client.Send(link, i, "m"));
  pair.Run();
  wire::Link* in = pair.server.links[0];
  wire::DeliveryState rejected;
  rejected.kind = Kind::kRejected;
  rejected.condition = {"app:bad", std::string(500, 'd'), ""};
  CHECK(in->Settle(pair.server.ids[0], rejected, true));
  wire::DeliveryState modified;
  modified.kind = Kind::kModified;
  modified.delivery_failed = true;
  modified.undeliverable_here = true;
  CHECK(in->Settle(pair.server.ids[1], modified, true));
  Settle(in, pair.server.ids[2], Kind::kReleased);
  CHECK(!in->Settle(pair.server.ids[2], rejected, true));
  pair.Run();
  REQUIRE(pair.client.outcomes.size() == 3);
  CHECK(pair.client.outcomes[0].second.kind == Kind::kRejected);
  CHECK(pair.client.outcomes[0].second.condition.name == "app:bad");
  CHECK(pair.client.outcomes[0].second.condition.description.size() == 500);
  CHECK(pair.client.outcomes[1].second.undeliverable_here);
  CHECK(pair.client.outcomes[1].second.delivery_failed);
  CHECK(pair.client.outcomes[2].second.kind == Kind::kReleased);
}

TEST_CASE("a provisional settlement is confirmed by the sender") {
  Pair pair;
  pair.server.on_sendable = [&](wire::Link* link) {
    for (uint64_t i = 0; i < 5; ++i) pair.server.Send(link, i, "m");
    pair.server.on_sendable = nullptr;
  };
  wire::LinkSpec spec;
  spec.name = "in";
  spec.address = "queue";
  spec.confirm = true;
  wire::Link* link = pair.Attach(spec);
  link->AddCredit(10);
  pair.Run();
  REQUIRE(pair.client.ids.size() == 5);
  for (uint32_t id : pair.client.ids) Settle(link, id, Kind::kAccepted, false);
  pair.Run();
  CHECK(pair.client.settled == pair.client.ids);
  CHECK(pair.server.outcomes.size() == 5);
}

TEST_CASE("a refused link is attached and detached with the reason") {
  Pair pair;
  pair.server.refuse = {"amqp:not-found", "no such queue", ""};
  pair.Attach(true);
  REQUIRE(pair.client.detached.size() == 1);
  CHECK(pair.client.detached[0].name == "amqp:not-found");
  CHECK(pair.client.detached[0].description == "no such queue");
  CHECK(pair.client.closed == 0);
}

TEST_CASE("links come and go without a trace") {
  Pair pair;
  pair.server.credit = 5;
  for (int i = 0; i < 200; ++i) {
    wire::Link* link = pair.Attach(true, "link-" + std::to_string(i));
    REQUIRE(pair.client.Send(link, 1, "m"));
    link->Release();
    pair.Run();
  }
  CHECK(pair.server.bodies.size() == 200);
  CHECK(pair.server.detached.size() == 200);
  CHECK(pair.client.closed == 0);
}

// Ends the session of a first link; the server's End is returned, not given.
std::string EndOnItsWay(Pair* pair) {
  wire::Engine& client = pair->client.engine;
  wire::Engine& server = pair->server.engine;
  pair->Attach(true, "first")->Release();
  GiveInput(&server, TakeOutput(&client));  // detach
  GiveInput(&client, TakeOutput(&server));
  GiveInput(&server, TakeOutput(&client));  // end
  std::string late = TakeOutput(&server);
  REQUIRE(!late.empty());
  return late;
}

TEST_CASE("a channel is begun again only once the peer has ended it") {
  Pair pair;
  pair.server.credit = 5;
  const std::string late = EndOnItsWay(&pair);
  wire::LinkSpec spec;
  spec.sender = true;
  spec.name = spec.address = "second";
  wire::Link* second = pair.client.engine.Attach(spec, &pair.client);
  spec.name = "third";
  pair.client.engine.Attach(spec, &pair.client)->Release();
  CHECK(TakeOutput(&pair.client.engine).empty());
  GiveInput(&pair.client.engine, late);
  pair.Run();
  REQUIRE(pair.client.attached.size() >= 2);
  REQUIRE(pair.client.Send(second, 1, "m"));
  pair.Run();
  CHECK(pair.server.bodies == std::vector<std::string>{"m"});
  CHECK(pair.server.detached.size() == 2);
  CHECK(pair.client.closed == 0);
}

TEST_CASE("an End that never comes is not waited for, nor minded when late") {
  Pair pair;
  pair.server.credit = 5;
  const std::string late = EndOnItsWay(&pair);
  wire::LinkSpec spec;
  spec.sender = true;
  spec.name = spec.address = "second";
  wire::Link* second = pair.client.engine.Attach(spec, &pair.client);
  const absl::Time now = absl::FromUnixSeconds(1000);
  const absl::Time due = pair.client.engine.Tick(now);
  REQUIRE(due < now + absl::Seconds(1));
  CHECK(TakeOutput(&pair.client.engine).empty());
  pair.client.engine.Tick(due);
  const std::string begin = TakeOutput(&pair.client.engine);
  CHECK(!begin.empty());
  GiveInput(&pair.client.engine, late);
  GiveInput(&pair.server.engine, begin);
  pair.Run();
  REQUIRE(pair.client.Send(second, 1, "m"));
  pair.Run();
  CHECK(pair.server.bodies == std::vector<std::string>{"m"});
  CHECK(pair.client.closed == 0);
}

TEST_CASE("what was never written is told apart from what may have left") {
  Pair pair;
  pair.server.credit = 10;
  wire::Link* link = pair.Attach(true);
  REQUIRE(pair.client.Send(link, 1, "first"));
  TakeOutput(&pair.client.engine);
  REQUIRE(pair.client.Send(link, 2, "second"));
  pair.client.engine.CloseInput();
  std::vector<wire::Link::Unsettled> left = link->TakeUnsettled();
  REQUIRE(left.size() == 2);
  CHECK(left[0].cookie == 1);
  CHECK(left[0].may_have_left);
  CHECK(left[1].cookie == 2);
  CHECK(!left[1].may_have_left);
}

TEST_CASE("a message beyond the link's limit detaches the link alone") {
  Pair pair;
  pair.server.credit = 10;
  wire::Link* link = pair.Attach(true);
  pair.server.links[0]->set_max_message_bytes(1000);
  REQUIRE(pair.client.Send(link, 1, std::string(200000, 'x')));
  pair.Run();
  REQUIRE(pair.client.detached.size() == 1);
  CHECK(pair.client.detached[0].name == "amqp:link:message-size-exceeded");
  CHECK(pair.client.closed == 0);
  wire::Link* other = pair.Attach(true, "other");
  REQUIRE(pair.client.Send(other, 2, "fine"));
  pair.Run();
  REQUIRE(pair.server.bodies.size() == 1);
  CHECK(pair.server.bodies[0] == "fine");
}

TEST_CASE("the message format is carried, and messages may be sent settled") {
  Pair pair;
  pair.server.credit = 10;
  wire::Link* link = pair.Attach(true);
  REQUIRE(pair.client.Send(link, 1, "batch", true, 0x80013700));
  pair.Run();
  REQUIRE(pair.server.formats.size() == 1);
  CHECK(pair.server.formats[0] == 0x80013700);
  CHECK(pair.server.settled_on_arrival[0]);
  CHECK(link->TakeUnsettled().empty());
}

TEST_CASE("a silent peer is given up, and ours hears heartbeats") {
  wire::EngineOptions options = ClientOptions();
  options.idle_timeout = absl::Seconds(10);
  Pair pair(options, ServerOptions());
  absl::Time now = absl::UnixEpoch();
  pair.client.engine.Tick(now);
  pair.server.engine.Tick(now);
  absl::Time due = pair.server.engine.Tick(now);
  CHECK(due == now + absl::Milliseconds(2500));
  pair.server.engine.Tick(due);
  CHECK(TakeOutput(&pair.server.engine) ==
        std::string_view("\0\0\0\x08\x02\0\0\0", 8));
  CHECK(pair.client.closed == 0);
  pair.client.engine.Tick(now + absl::Seconds(10));
  CHECK(pair.client.closed == 1);
  CHECK(pair.client.close_condition.name == "amqp:resource-limit-exceeded");
}

}  // namespace
}  // namespace tieline::amqp_test
