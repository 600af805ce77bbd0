#include "adapters/conformance/rig.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <chrono>
#include <utility>

#include "tests/support/catch.h"

namespace tieline::conformance {

using driver::Fate;
using driver::Inbound;
using driver::Reply;
using driver::Request;
using SteadyClock = std::chrono::steady_clock;

absl::StatusOr<BrokerConfig> Harness::Unreachable() {
  BrokerConfig config = broker();
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof(address);
  auto* raw = reinterpret_cast<sockaddr*>(&address);
  if (refusing_socket_ < 0) {
    // Bound and never listening: connecting to it is refused, and nobody else
    // gets the port.
    refusing_socket_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (bind(refusing_socket_, raw, size) != 0) {
      return absl::InternalError("cannot bind a port");
    }
  }
  if (getsockname(refusing_socket_, raw, &size) != 0) {
    return absl::InternalError("cannot name the port");
  }
  config.url.hosts = {{"127.0.0.1", ntohs(address.sin_port)}};
  return config;
}

Rig::Rig(Harness* harness, Capabilities* known)
    : harness_(harness), known_(known), limits_(harness->limits()) {}

Rig::~Rig() {
  for (auto& s : senders_) s->handle.reset();
  for (auto& r : receivers_) r->handle.reset();
  for (auto& p : peers_) p->connection.reset();
}

void Rig::Skip(std::string reason) { throw NotApplicable{std::move(reason)}; }

void Rig::Demand(const absl::Status& status) {
  if (status.code() == absl::StatusCode::kUnimplemented) {
    Skip(std::string(status.message().data(), status.message().size()));
  }
  INFO(status.ToString());
  REQUIRE(status.ok());
}

const Capabilities& Rig::capabilities() {
  if (known_->bits != 0) return *known_;
  Capabilities all = Main().capabilities;
  const QueueConfig queue = NewQueue();
  for (const Capabilities& link :
       {OpenSender(queue).capabilities, OpenReceiver(queue).capabilities}) {
    all.bits |= link.bits;
    if (link.max_message_bytes != 0) {
      all.max_message_bytes = link.max_message_bytes;
    }
  }
  *known_ = all;
  Drop(*senders_.back());
  Drop(*receivers_.back());
  return *known_;
}

bool Rig::Has(Capability capability) { return capabilities().has(capability); }

void Rig::Need(Capability capability) {
  if (Has(capability)) return;
  Skip("the backend has no " + std::string(CapabilityName(capability)));
}

Peer& Rig::Begin() { return Begin(harness_->broker()); }

Peer& Rig::Begin(BrokerConfig broker) {
  peers_.push_back(std::make_unique<Peer>(this, std::move(broker)));
  Peer& peer = *peers_.back();
  auto made = harness_->driver().Connect(peer.broker, &peer, &peer,
                                         harness_->clock(), Now());
  INFO(made.status().ToString());
  REQUIRE(made.ok());
  peer.connection = *std::move(made);
  return peer;
}

Peer& Rig::Main() {
  if (main_ == nullptr) main_ = &Connect();
  return *main_;
}

Peer& Rig::Connect() {
  Peer& peer = Begin();
  const bool up = Until([&] { return peer.ups > 0 || peer.lost.has_value(); });
  INFO("connecting: " << (up && peer.lost ? peer.lost->ToString()
                                          : "no answer"));
  REQUIRE(peer.ups == 1);
  return peer;
}

Sender& Rig::BeginSender(const QueueConfig& queue, Peer* peer, bool ordered) {
  if (peer == nullptr) peer = &Main();
  senders_.push_back(std::make_unique<Sender>(this, peer));
  Sender& sender = *senders_.back();
  auto made = peer->connection->OpenSender({queue, ordered}, &sender);
  INFO(made.status().ToString());
  REQUIRE(made.ok());
  sender.handle = *std::move(made);
  return sender;
}

Sender& Rig::OpenSender(const QueueConfig& queue, Peer* peer, bool ordered) {
  Sender& sender = BeginSender(queue, peer, ordered);
  const Peer& on = peer == nullptr ? Main() : *peer;
  Until([&] {
    return sender.opened > 0 || sender.closed.has_value() ||
           on.lost.has_value();
  });
  INFO("opening a sender: " << (sender.closed ? sender.closed->ToString()
                                : on.lost     ? on.lost->ToString()
                                              : "no answer"));
  REQUIRE(sender.opened == 1);
  return sender;
}

Receiver& Rig::BeginReceiver(const driver::ReceiverSpec& spec, Peer* peer) {
  if (peer == nullptr) peer = &Main();
  receivers_.push_back(std::make_unique<Receiver>(this, peer));
  Receiver& receiver = *receivers_.back();
  auto made = peer->connection->OpenReceiver(spec, &receiver);
  Demand(made.status());
  receiver.handle = *std::move(made);
  return receiver;
}

Receiver& Rig::BeginReceiver(const QueueConfig& queue, Peer* peer) {
  driver::ReceiverSpec spec;
  spec.queue = queue;
  return BeginReceiver(spec, peer);
}

Receiver& Rig::OpenReceiver(const QueueConfig& queue, Peer* peer) {
  Receiver& receiver = BeginReceiver(queue, peer);
  const Peer& on = peer == nullptr ? Main() : *peer;
  Until([&] {
    return receiver.opened > 0 || receiver.closed.has_value() ||
           on.lost.has_value();
  });
  INFO("opening a receiver: " << (receiver.closed ? receiver.closed->ToString()
                                  : on.lost       ? on.lost->ToString()
                                                  : "no answer"));
  REQUIRE(receiver.opened == 1);
  return receiver;
}

void Rig::Drop(Sender& sender) {
  std::erase_if(senders_, [&](const auto& s) { return s.get() == &sender; });
}

void Rig::Drop(Receiver& receiver) {
  std::erase_if(receivers_,
                [&](const auto& r) { return r.get() == &receiver; });
}

void Rig::Drop(Peer& peer) {
  std::erase_if(senders_, [&](const auto& s) { return s->peer == &peer; });
  std::erase_if(receivers_, [&](const auto& r) { return r->peer == &peer; });
  if (main_ == &peer) main_ = nullptr;
  std::erase_if(peers_, [&](const auto& p) { return p.get() == &peer; });
}

void Rig::Turn() {
  for (auto& s : senders_) s->Pump();
  bool worked = false;
  for (auto& p : peers_) {
    if (p->connection == nullptr || p->lost.has_value()) continue;
    p->Run(Now());
    worked = worked || p->progress.worked || p->woken;
  }
  if (worked) return;
  std::vector<pollfd> fds;
  bool by_wake = false;
  absl::Duration wait = absl::Milliseconds(5);
  for (auto& p : peers_) {
    if (p->connection == nullptr || p->lost.has_value()) continue;
    wait = std::min(wait, p->progress.next - Now());
    const driver::PollSet set = p->connection->pollable();
    if (set.fd < 0) {
      by_wake = true;
      continue;
    }
    const int events = (set.read ? POLLIN : 0) | (set.write ? POLLOUT : 0);
    fds.push_back({set.fd, static_cast<short>(events), 0});
  }
  // Connections without a descriptor are looked at again soon.
  if (by_wake) wait = std::min(wait, absl::Microseconds(200));
  const auto spec = absl::ToTimespec(std::max(wait, absl::ZeroDuration()));
  ppoll(fds.data(), fds.size(), &spec, nullptr);
}

bool Rig::Until(const std::function<bool()>& done) {
  return Until(done, limits_.patience);
}

bool Rig::Until(const std::function<bool()>& done, absl::Duration patience) {
  const auto end = SteadyClock::now() + absl::ToChronoNanoseconds(patience);
  while (!done()) {
    if (SteadyClock::now() >= end) return false;
    Turn();
  }
  return true;
}

void Rig::Quiet() {
  Until([] { return false; }, limits_.quiet);
}

void Rig::Pass(absl::Duration by) {
  const absl::Status advanced = harness_->Advance(by);
  if (advanced.ok()) {
    Quiet();
    return;
  }
  if (advanced.code() != absl::StatusCode::kUnimplemented) Demand(advanced);
  if (by > absl::Seconds(5)) Demand(advanced);
  Until([] { return false; }, by);
}

void Rig::MustSend(Sender& sender, std::vector<Message> list) {
  const uint64_t first = sender.Send(std::move(list));
  const uint64_t end = sender.sent.size() + 1;
  const bool answered = Until([&] { return sender.AllAnswered(); });
  INFO("answered " << sender.outcomes.size() << " of " << sender.sent.size());
  REQUIRE(answered);
  for (uint64_t c = first; c < end; ++c) {
    INFO("send " << c << ": " << sender.outcomes.at(c).why.ToString());
    REQUIRE(sender.outcomes.at(c).fate == Fate::kAccepted);
  }
}

void Rig::MustSend(Sender& sender, Message message) {
  std::vector<Message> list;
  list.push_back(std::move(message));
  MustSend(sender, std::move(list));
}

std::vector<Inbound> Rig::MustTake(Receiver& receiver, size_t n) {
  const size_t before = receiver.got.size();
  receiver.Grant(static_cast<uint32_t>(n));
  Until([&] { return receiver.got.size() >= before + n; });
  INFO("received " << receiver.got.size() - before << " of " << n);
  REQUIRE(receiver.got.size() == before + n);
  return {receiver.got.begin() + static_cast<std::ptrdiff_t>(before),
          receiver.got.end()};
}

absl::Status Rig::SettleOne(Receiver& receiver, driver::Token token,
                            driver::Verb verb, const Properties* amend,
                            std::string_view reason, std::string_view detail) {
  const size_t before = receiver.settled.size();
  receiver.Settle(token, verb, amend, reason, detail);
  const bool answered = Until([&] { return receiver.settled.size() > before; });
  REQUIRE(answered);
  CHECK(receiver.settled.back().token == token);
  CHECK(receiver.settled.back().verb == verb);
  return receiver.settled.back().status;
}

void Rig::MustSettle(Receiver& receiver, driver::Token token,
                     driver::Verb verb) {
  const absl::Status status = SettleOne(receiver, token, verb);
  INFO(status.ToString());
  REQUIRE(status.ok());
}

Reply Rig::Await(Peer& peer, Request request) {
  const uint64_t cookie = peer.Ask(std::move(request));
  const bool answered = Until([&] { return !peer.replies[cookie].empty(); });
  REQUIRE(answered);
  return std::move(peer.replies[cookie].front());
}

Message Rig::RoundTrip(Message message) {
  const QueueConfig queue = NewQueue();
  MustSend(OpenSender(queue), std::move(message));
  return MustTake(OpenReceiver(queue), 1).front().message;
}

void Rig::MustCut() {
  Demand(harness_->Cut());
  const bool all_know = Until([&] {
    return std::all_of(peers_.begin(), peers_.end(),
                       [](const auto& p) { return p->lost.has_value(); });
  });
  REQUIRE(all_know);
  main_ = nullptr;
}

std::vector<Message> Numbered(size_t n, std::string_view prefix) {
  std::vector<Message> list;
  for (size_t i = 0; i < n; ++i) {
    list.emplace_back(std::string(prefix) + std::to_string(i));
  }
  return list;
}

std::vector<std::string> Bodies(const std::vector<Inbound>& list) {
  std::vector<std::string> bodies;
  for (const Inbound& m : list) bodies.emplace_back(m.message.body_view());
  return bodies;
}

Request MakeRequest(Request::Op op, const QueueConfig& queue) {
  Request request;
  request.op = op;
  request.queue = queue;
  return request;
}

}  // namespace tieline::conformance
