// What the sinks record, and the rules that they check.
#include <utility>

#include "adapters/conformance/rig.h"

namespace tieline::conformance {

using driver::Outbound;
using driver::Settlement;

namespace {

// A sink was called: was it allowed to?
void CheckCall(Peer* peer, const char* call, bool over) {
  if (!peer->running) {
    peer->rig->Violation(std::string(call) + " came outside Run");
  }
  if (peer->lost.has_value()) {
    peer->rig->Violation(std::string(call) + " came after OnLost");
  }
  if (over) {
    peer->rig->Violation(std::string(call) + " came after OnClosed");
  }
}

}  // namespace

Peer::Peer(Rig* r, BrokerConfig b) : rig(r), broker(std::move(b)) {}

void Peer::OnUp(const Capabilities& caps) {
  CheckCall(this, "OnUp", false);
  if (++ups > 1) rig->Violation("OnUp came twice");
  capabilities = caps;
}

void Peer::OnReply(driver::Reply reply) {
  CheckCall(this, "OnReply", false);
  auto it = replies.find(reply.cookie);
  if (it == replies.end()) {
    rig->Violation("a reply came to a cookie that nobody asked with");
    return;
  }
  if (!it->second.empty()) rig->Violation("a request was answered twice");
  it->second.push_back(std::move(reply));
}

void Peer::OnLost(const absl::Status& why) {
  CheckCall(this, "OnLost", false);
  lost = why;
}

void Peer::Run(absl::Time now) {
  woken = false;
  running = true;
  progress = connection->Run(now);
  running = false;
}

uint64_t Peer::Ask(driver::Request request) {
  const uint64_t cookie = replies.size() + 1;
  replies[cookie];
  connection->Ask(cookie, std::move(request));
  return cookie;
}

void Sender::OnOpened(const Capabilities& caps) {
  CheckCall(peer, "sender OnOpened", closed.has_value());
  if (++opened > 1) rig->Violation("a sender's OnOpened came twice");
  capabilities = caps;
}

void Sender::OnSendable() {
  CheckCall(peer, "OnSendable", closed.has_value());
  blocked = false;
}

void Sender::OnOutcomes(std::span<const driver::Outcome> list) {
  CheckCall(peer, "OnOutcomes", closed.has_value());
  for (const driver::Outcome& o : list) {
    if (o.cookie == 0 || o.cookie > submitted) {
      rig->Violation("an outcome came for a cookie that was not submitted");
    }
    if (!outcomes.emplace(o.cookie, o).second) {
      rig->Violation("a cookie got two outcomes");
    }
    if (o.fate == driver::Fate::kAccepted && !o.why.ok()) {
      rig->Violation("an accepted send came with an error");
    }
    if (o.fate != driver::Fate::kAccepted && o.why.ok()) {
      rig->Violation("a send that was not accepted came without a reason");
    }
    order.push_back(o.cookie);
  }
}

void Sender::OnClosed(const absl::Status& why) {
  CheckCall(peer, "sender OnClosed", closed.has_value());
  if (outcomes.size() < submitted) {
    rig->Violation("a sender was closed with sends that got no outcome");
  }
  closed = why;
}

uint64_t Sender::Send(std::vector<Message> list) {
  const uint64_t first = sent.size() + 1;
  for (Message& m : list) {
    sent.emplace_hint(sent.end(), sent.size() + 1,
                      std::make_unique<Message>(std::move(m)));
  }
  return first;
}

uint64_t Sender::Send(Message message) {
  std::vector<Message> list;
  list.push_back(std::move(message));
  return Send(std::move(list));
}

void Sender::Pump() {
  if (handle == nullptr || blocked || closed.has_value()) return;
  if (peer->lost.has_value() || submitted == sent.size()) return;
  std::vector<Outbound> batch;
  for (auto it = sent.find(submitted + 1); it != sent.end(); ++it) {
    batch.push_back({it->first, it->second.get()});
  }
  // Outcomes may only come in Run, so counting first is not needed.
  const size_t taken = handle->Submit(batch, false);
  if (taken > batch.size()) {
    rig->Violation("Submit took more than it was given");
  }
  submitted += taken;
  blocked = taken < batch.size();
}

size_t Sender::Count(driver::Fate fate) const {
  size_t n = 0;
  for (const auto& [cookie, outcome] : outcomes) n += outcome.fate == fate;
  return n;
}

void Receiver::OnOpened(const Capabilities& caps) {
  CheckCall(peer, "receiver OnOpened", closed.has_value());
  if (++opened > 1) rig->Violation("a receiver's OnOpened came twice");
  capabilities = caps;
}

void Receiver::OnDeliveries(std::span<driver::Inbound> list) {
  CheckCall(peer, "OnDeliveries", closed.has_value());
  delivered += list.size();
  if (delivered > granted) {
    rig->Violation("more was delivered than was granted");
  }
  for (driver::Inbound& m : list) got.push_back(std::move(m));
}

void Receiver::OnSettled(std::span<const driver::Settled> list) {
  CheckCall(peer, "OnSettled", closed.has_value());
  settled.insert(settled.end(), list.begin(), list.end());
  if (settled.size() > settling) {
    rig->Violation("more settlements were answered than were made");
  }
}

void Receiver::OnLane(const driver::LaneEvent& event) {
  CheckCall(peer, "OnLane", closed.has_value());
  lanes.push_back(event);
}

void Receiver::OnDrained() {
  CheckCall(peer, "OnDrained", closed.has_value());
  ++drained;
}

void Receiver::OnClosed(const absl::Status& why) {
  CheckCall(peer, "receiver OnClosed", closed.has_value());
  if (settled.size() < settling) {
    rig->Violation("a receiver was closed with settlements not answered");
  }
  closed = why;
}

void Receiver::Grant(uint32_t messages, uint64_t bytes, driver::Lane lane) {
  granted += messages;
  handle->Grant(lane, messages, bytes);
}

void Receiver::Settle(driver::Token token, driver::Verb verb,
                      const Properties* amend, std::string_view reason,
                      std::string_view detail) {
  ++settling;
  const Settlement one{token, verb, amend, reason, detail};
  handle->Settle({&one, 1});
}

void Receiver::SettleAll(driver::Verb verb) {
  std::vector<Settlement> list;
  for (const driver::Inbound& m : got) {
    list.push_back({m.token, verb, nullptr, "", ""});
  }
  settling += list.size();
  handle->Settle(list);
}

}  // namespace tieline::conformance
