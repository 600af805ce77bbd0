// Bytes from a peer, to an engine in either role: the first byte chooses the
// role and how the bytes are cut into reads. Whatever comes, the engine must
// stay within its bounds and end in good order.
#include <algorithm>
#include <cstdint>
#include <cstring>
#include <string_view>
#include <vector>

#include "adapters/amqp/engine/engine.h"

namespace {

namespace wire = tieline::amqp::wire;

// Accepts every link, sends on those that want messages, settles what comes.
class User final : public wire::EngineHandler, public wire::LinkHandler {
 public:
  explicit User(wire::EngineOptions options)
      : engine(std::move(options), this) {}

  void OnOpened() override {
    if (engine.options().server) return;
    for (bool sender : {true, false}) {
      wire::LinkSpec spec;
      spec.sender = sender;
      spec.name = sender ? "out" : "in";
      spec.address = "queue";
      spec.confirm = true;
      wire::Link* link = engine.Attach(spec, this);
      if (!sender) link->AddCredit(10);
    }
    engine.Ping();
  }
  void OnAttach(wire::Link* link) override {
    link->set_handler(this);
    link->Accept();
    link->set_max_message_bytes(4096);
    if (!link->is_sender()) link->AddCredit(10);
  }
  void OnClosed(const wire::Condition&) override {}
  void OnAttached(wire::Link*) override {}
  void OnDetached(wire::Link* link, const wire::Condition&) override {
    link->TakeUnsettled();
    link->Release();
  }
  void OnSendable(wire::Link* link) override {
    for (int i = 0; i < 20 && link->CanSend(); ++i) {
      wire::Writer* out = link->Begin(1, i % 4 == 3, 0);
      out->Append("head");
      link->End(tieline::Bytes::Unowned(kBody));
    }
  }
  void OnOutcome(wire::Link*, uint64_t, const wire::DeliveryState&) override {}
  void OnDelivery(wire::Link* link, wire::Delivery delivery) override {
    wire::DeliveryState state;
    state.kind = delivery.id % 3 == 0 ? wire::DeliveryState::Kind::kRejected
                                      : wire::DeliveryState::Kind::kAccepted;
    if (!delivery.settled) link->Settle(delivery.id, state, delivery.id % 2);
    kept.push_back(std::move(delivery.payload));
    if (kept.size() > 8) kept.clear();
    link->AddCredit(1);
  }
  void OnSettled(wire::Link*, uint32_t, uint64_t,
                 const wire::DeliveryState&) override {}
  void OnDrained(wire::Link*) override {}

  static constexpr char kBody[3000] = {};
  std::vector<tieline::Bytes> kept;
  wire::Engine engine;
};

void Discard(wire::Engine* engine) {
  engine->Flush();
  engine->output()->Written(engine->output()->size());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  wire::EngineOptions options;
  options.server = (data[0] & 1) != 0;
  options.container_id = "fuzz";
  options.max_frame = 1024;
  options.incoming_window = 16;
  const size_t piece = size_t{1} << (data[0] >> 4);
  User user(options);
  Discard(&user.engine);
  const char* bytes = reinterpret_cast<const char*>(data) + 1;
  for (size_t left = size - 1; left > 0;) {
    std::span<char> room = user.engine.InputRoom();
    size_t n = std::min({left, piece, room.size()});
    std::memcpy(room.data(), bytes, n);
    user.engine.Consume(n);
    Discard(&user.engine);
    bytes += n;
    left -= n;
  }
  user.engine.CloseInput();
  Discard(&user.engine);
  return 0;
}
