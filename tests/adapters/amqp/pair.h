// Two engines joined in memory, for tests: a client and a server, with
// everything they were told written down.
#ifndef TIELINE_TESTS_ADAPTERS_AMQP_PAIR_H_
#define TIELINE_TESTS_ADAPTERS_AMQP_PAIR_H_

#include <algorithm>
#include <cstring>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "adapters/amqp/engine/engine.h"

namespace tieline::amqp_test {

namespace wire = tieline::amqp::wire;

// A user of one engine that records, and acts where a test says so.
class Party final : public wire::EngineHandler, public wire::LinkHandler {
 public:
  explicit Party(wire::EngineOptions options)
      : engine(std::move(options), this) {}

  void OnOpened() override { opened = true; }
  void OnAttach(wire::Link* link) override {
    link->set_handler(this);
    if (refuse.is_set()) {
      link->Refuse(refuse);
      return;
    }
    link->Accept();
    links.push_back(link);
    if (!link->is_sender() && credit > 0) link->AddCredit(credit);
  }
  void OnClosed(const wire::Condition& why) override {
    ++closed;
    close_condition = why;
  }
  void OnAttached(wire::Link* link) override { attached.push_back(link); }
  void OnDetached(wire::Link* link, const wire::Condition& why) override {
    detached.push_back(why);
    link->Release();
  }
  void OnSendable(wire::Link* link) override {
    if (on_sendable) on_sendable(link);
  }
  void OnOutcome(wire::Link*, uint64_t cookie,
                 const wire::DeliveryState& state) override {
    outcomes.emplace_back(cookie, state);
  }
  void OnDelivery(wire::Link* link, wire::Delivery delivery) override {
    bodies.emplace_back(delivery.payload.view());
    ids.push_back(delivery.id);
    formats.push_back(delivery.message_format);
    settled_on_arrival.push_back(delivery.settled);
    if (on_delivery) on_delivery(link, delivery);
  }
  void OnSettled(wire::Link*, uint32_t id, uint64_t,
                 const wire::DeliveryState&) override {
    settled.push_back(id);
  }
  void OnDrained(wire::Link*) override { ++drained; }

  bool Send(wire::Link* link, uint64_t cookie, std::string_view body,
            bool pre_settled = false, uint32_t format = 0) {
    if (!link->CanSend()) return false;
    wire::Writer* out = link->Begin(cookie, pre_settled, format);
    out->Append(body.substr(0, 16));
    link->End(Bytes::Copy(body.substr(std::min<size_t>(16, body.size()))));
    return true;
  }

  wire::Condition refuse;
  uint32_t credit = 0;  // given to links that send to us
  std::function<void(wire::Link*)> on_sendable;
  std::function<void(wire::Link*, const wire::Delivery&)> on_delivery;

  bool opened = false;
  int closed = 0;
  int drained = 0;
  wire::Condition close_condition;
  std::vector<wire::Link*> links;
  std::vector<wire::Link*> attached;
  std::vector<wire::Condition> detached;
  std::vector<std::pair<uint64_t, wire::DeliveryState>> outcomes;
  std::vector<std::string> bodies;
  std::vector<uint32_t> ids;
  std::vector<uint32_t> formats;
  std::vector<bool> settled_on_arrival;
  std::vector<uint32_t> settled;

  wire::Engine engine;  // last: it calls back while it is made
};

// Everything that an engine has to say.
inline std::string TakeOutput(wire::Engine* engine) {
  engine->Flush();
  std::string bytes;
  iovec pieces[8];
  while (size_t n = engine->output()->Gather(pieces, 8)) {
    size_t total = 0;
    for (size_t i = 0; i < n; ++i) {
      bytes.append(static_cast<const char*>(pieces[i].iov_base),
                   pieces[i].iov_len);
      total += pieces[i].iov_len;
    }
    engine->output()->Written(total);
  }
  return bytes;
}

inline void GiveInput(wire::Engine* engine, std::string_view bytes,
                      size_t piece = SIZE_MAX) {
  while (!bytes.empty()) {
    std::span<char> room = engine->InputRoom();
    size_t n = std::min({room.size(), bytes.size(), piece});
    std::memcpy(room.data(), bytes.data(), n);
    engine->Consume(n);
    bytes.remove_prefix(n);
  }
}

inline wire::EngineOptions ClientOptions() {
  wire::EngineOptions options;
  options.container_id = "client";
  options.hostname = "localhost";
  return options;
}

inline wire::EngineOptions ServerOptions() {
  wire::EngineOptions options;
  options.server = true;
  options.container_id = "server";
  return options;
}

struct Pair {
  explicit Pair(wire::EngineOptions c = ClientOptions(),
                wire::EngineOptions s = ServerOptions())
      : client(std::move(c)), server(std::move(s)) {
    Run();
  }
  // Carries bytes both ways until neither says anything more.
  void Run(size_t piece = SIZE_MAX) {
    for (;;) {
      std::string out = TakeOutput(&client.engine);
      GiveInput(&server.engine, out, piece);
      std::string back = TakeOutput(&server.engine);
      GiveInput(&client.engine, back, piece);
      if (out.empty() && back.empty()) return;
    }
  }
  wire::Link* Attach(bool sender, std::string name = "link") {
    wire::LinkSpec spec;
    spec.sender = sender;
    spec.name = std::move(name);
    spec.address = "queue";
    return Attach(spec);
  }
  wire::Link* Attach(const wire::LinkSpec& spec) {
    wire::Link* link = client.engine.Attach(spec, &client);
    Run();
    return link;
  }

  Party client;
  Party server;
};

}  // namespace tieline::amqp_test

#endif  // TIELINE_TESTS_ADAPTERS_AMQP_PAIR_H_
