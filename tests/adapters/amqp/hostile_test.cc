// What a peer may do wrong, and how the engine answers: with an error that says
// so, and nothing worse.
#include "adapters/amqp/wire/performatives.h"
#include "tests/adapters/amqp/pair.h"
#include "tests/support/catch.h"

namespace tieline::amqp_test {
namespace {

// A server with one link that a client sends on, whose further frames the test
// writes by hand, on the client's channel and handle (both 0).
struct Victim {
  Victim() {
    pair.server.credit = 10;
    link = pair.Attach(true);
  }
  void Give(std::string_view bytes) {
    GiveInput(&pair.server.engine, bytes);
    pair.Run();
  }
  void Give(const wire::Writer& frame) { Give(frame.view()); }
  void GiveTransfer(const wire::Transfer& transfer, std::string_view payload) {
    wire::Writer frame;
    size_t begin = wire::BeginTransferFrame(0, transfer, &frame);
    frame.Append(payload);
    wire::FinishFrame(begin, frame.size(), &frame);
    Give(frame);
  }
  static wire::Transfer First(uint32_t id) {
    wire::Transfer transfer;
    transfer.delivery_id = id;
    transfer.tag = "tag";
    return transfer;
  }
  // The error with which the connection ended; empty while it is fine.
  std::string End() const { return pair.server.close_condition.name; }

  Pair pair;
  wire::Link* link = nullptr;
};

TEST_CASE("frames whose size is out of bounds end the connection") {
  std::string frame = GENERATE(std::string("\0\0\0\x07\2\0\0\0", 8),
                               std::string("\xff\xff\xff\xff\2\0\0\0", 8),
                               std::string("\0\0\0\x08\1\0\0\0", 8),
                               std::string("\0\0\0\x0c\4\0\0\0....", 12));
  Victim victim;
  victim.Give(frame);
  CHECK(victim.End() == "amqp:connection:framing-error");
  CHECK(victim.pair.client.closed == 1);
  CHECK(victim.pair.client.close_condition.name ==
        "amqp:connection:framing-error");
}

TEST_CASE("a transfer on a handle that is not attached ends the connection") {
  Victim victim;
  wire::Transfer transfer = Victim::First(0);
  transfer.handle = 7;
  victim.GiveTransfer(transfer, "x");
  CHECK(victim.End() == "amqp:session:unattached-handle");
}

TEST_CASE("frames on a channel without a session end the connection") {
  Victim victim;
  wire::Writer frame;
  wire::AppendFrame(9, wire::Flow{}, &frame);
  victim.Give(frame);
  CHECK(victim.End() == "amqp:not-allowed");
}

TEST_CASE("a malformed performative ends the connection") {
  std::string body = GENERATE(std::string("\0\x53\x14\xc0\xff\x01", 6),
                              std::string("\0\x53\x13\xc0\x02\x01\x40", 7),
                              std::string("\0\x53\x15\xc0\x03\x02\x41\x52", 8),
                              std::string("\0\x53\x14\x45", 4));
  std::string frame("\0\0\0\0\2\0\0\0", 8);
  frame[3] = static_cast<char>(8 + body.size());
  Victim victim;
  victim.Give(frame + body);
  CHECK(victim.End() == "amqp:decode-error");
}

TEST_CASE("delivery ids must follow each other") {
  Victim victim;
  victim.GiveTransfer(Victim::First(0), "one");
  CHECK(victim.End().empty());
  victim.GiveTransfer(Victim::First(5), "two");
  CHECK(victim.End() == "amqp:invalid-field");
  CHECK(victim.pair.server.bodies.size() == 1);
}

TEST_CASE("a delivery must have an id, and a tag of up to 32 bytes") {
  Victim victim;
  SECTION("no id") {
    victim.GiveTransfer(wire::Transfer{}, "x");
    CHECK(victim.End() == "amqp:invalid-field");
  }
  SECTION("a new id before the last delivery ended") {
    wire::Transfer transfer = Victim::First(0);
    transfer.more = true;
    victim.GiveTransfer(transfer, "x");
    victim.GiveTransfer(Victim::First(1), "y");
    CHECK(victim.End() == "amqp:invalid-field");
  }
}

TEST_CASE("deliveries beyond the credit detach the link alone") {
  Victim victim;
  for (uint32_t id = 0; id < 11; ++id) {
    victim.GiveTransfer(Victim::First(id), "x");
  }
  CHECK(victim.pair.server.bodies.size() == 10);
  REQUIRE(victim.pair.client.detached.size() == 1);
  CHECK(victim.pair.client.detached[0].name ==
        "amqp:link:transfer-limit-exceeded");
  CHECK(victim.End().empty());
}

TEST_CASE("a peer that counts late has as much again, and no more") {
  Victim victim;
  victim.pair.server.links.at(0)->set_overdraft(true);
  victim.pair.server.links.at(0)->AddCredit(10);
  victim.pair.Run();
  for (uint32_t id = 0; id < 40; ++id) {
    victim.GiveTransfer(Victim::First(id), "x");
  }
  CHECK(victim.pair.server.bodies.size() == 40);
  CHECK(victim.pair.client.detached.empty());
  victim.GiveTransfer(Victim::First(40), "x");
  CHECK(victim.pair.server.bodies.size() == 40);
  REQUIRE(victim.pair.client.detached.size() == 1);
  CHECK(victim.pair.client.detached[0].name ==
        "amqp:link:transfer-limit-exceeded");
  CHECK(victim.End().empty());
}

TEST_CASE("transfers beyond the session's window end the connection") {
  wire::EngineOptions options = ServerOptions();
  options.incoming_window = 4;
  Pair pair(ClientOptions(), options);
  pair.server.credit = 100;
  pair.Attach(true);
  std::string burst;
  for (uint32_t id = 0; id < 6; ++id) {
    wire::Writer frame;
    size_t begin = wire::BeginTransferFrame(0, Victim::First(id), &frame);
    frame.Append("x");
    wire::FinishFrame(begin, frame.size(), &frame);
    burst.append(frame.view());
  }
  GiveInput(&pair.server.engine, burst);
  CHECK(pair.server.close_condition.name == "amqp:session:window-violation");
}

TEST_CASE("an aborted delivery is forgotten, and its credit given again") {
  Victim victim;
  wire::Transfer transfer = Victim::First(0);
  transfer.more = true;
  victim.GiveTransfer(transfer, "half");
  wire::Transfer abort;
  abort.aborted = true;
  victim.GiveTransfer(abort, "");
  victim.GiveTransfer(Victim::First(1), "whole");
  REQUIRE(victim.pair.server.bodies.size() == 1);
  CHECK(victim.pair.server.bodies[0] == "whole");
  CHECK(victim.pair.server.links[0]->granted() == 9);
}

TEST_CASE("dispositions of what was never sent change nothing") {
  Victim victim;
  REQUIRE(victim.pair.client.Send(victim.link, 1, "m"));
  victim.pair.Run();
  wire::Disposition disposition;
  disposition.receiver = true;
  disposition.settled = true;
  disposition.state.kind = wire::DeliveryState::Kind::kAccepted;
  disposition.first = GENERATE(0u, 5u, 0x80000000u, 0xfffffff0u);
  disposition.last = disposition.first + 0x7fffffff;
  wire::Writer frame;
  wire::AppendFrame(0, disposition, &frame);
  GiveInput(&victim.pair.client.engine, frame.view());
  victim.pair.Run();
  bool hits = disposition.first == 0 || disposition.first == 0xfffffff0u ||
              disposition.first == 0x80000000u + 1;
  CHECK(victim.pair.client.outcomes.size() == (hits ? 1 : 0));
  CHECK(victim.pair.client.closed == 0);
}

TEST_CASE("a disposition that ends before it begins ends the connection") {
  Victim victim;
  wire::Disposition disposition;
  disposition.first = 5;
  disposition.last = 4;
  wire::Writer frame;
  wire::AppendFrame(0, disposition, &frame);
  victim.Give(frame);
  CHECK(victim.End() == "amqp:invalid-field");
}

TEST_CASE("a peer that hangs up in the middle of a frame is lost") {
  Victim victim;
  GiveInput(&victim.pair.server.engine, std::string_view("\0\0\1", 3));
  victim.pair.server.engine.CloseInput();
  CHECK(victim.pair.server.closed == 1);
  CHECK(victim.pair.server.close_condition.is_set());
}

TEST_CASE("frames that do not fit the connection's state end it") {
  // Begin, attach, detach, end: on the client's channel 0, where a session has
  // one link, on handle 0.
  std::string body =
      GENERATE(std::string("\0\x53\x11\xc0\x05\x04\x40\x43\x52\x0a\x43", 11),
               std::string("\0\x53\x12\xc0\x06\x03\xa1\x01x\x43\x42", 11),
               std::string("\0\x53\x16\xc0\x03\x01\x52\x05", 8),
               std::string("\0\x53\x10\xc0\x04\x01\xa1\x01x", 9));
  std::string frame("\0\0\0\0\2\0\0\0", 8);
  frame[3] = static_cast<char>(8 + body.size());
  Victim victim;
  victim.Give(frame + body);
  CHECK(!victim.End().empty());
}

TEST_CASE("what does not speak AMQP is told so") {
  Party server(ServerOptions());
  GiveInput(&server.engine, "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
  CHECK(server.closed == 1);
  CHECK(!server.opened);
}

}  // namespace
}  // namespace tieline::amqp_test
