// Second copies: known by their ids, completed and not delivered, by processors
// and routes, in one process and after a restart of it.
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "lib/base/mutex.h"
#include "lib/engine/deduper.h"
#include "lib/engine/id_stamp.h"
#include "tests/engine/rig.h"
#include "tests/store/temp_store.h"
#include "tieline/processor.h"
#include "tieline/route.h"

namespace tieline {
namespace {

Message Named(std::string_view id, std::string_view body = "x",
              std::string_view key = "k") {
  Message message{std::string(body)};
  message.set_id(std::string(id));
  message.set_key(std::string(key));
  return message;
}

// A scripted broker with queue "q", whose ids are unique and whose second
// copies are suppressed, and another with queue "to".
class Rig {
 public:
  Rig() {
    broker = Add("b");
    sink = Add("c");
    std::string folder =
        std::filesystem::temp_directory_path() / "dedupe-XXXXXX";
    folder_ = mkdtemp(folder.data());
    for (const char* name : {"q", "to"}) {
      QueueConfig& queue = config.queues[name];
      queue.name = queue.entity = name;
      queue.broker = name[0] == 'q' ? "b" : "c";
      queue.ordered = Order::kPerKey;
    }
    QueueConfig& q = config.queues["q"];
    q.dedupe = absl::Hours(1);
    q.ids = MessageIds::kUnique;
    config.state_file = folder_ + "/state.db";
  }
  ~Rig() {
    bus.reset();
    std::filesystem::remove_all(folder_);
  }
  void Open() {
    bus.reset();
    bus = OpenBus(config);
  }
  ReceiverMetrics Metrics() const {
    const MetricsSnapshot snapshot = bus->metrics();
    return snapshot.receivers.empty() ? ReceiverMetrics()
                                      : snapshot.receivers.front();
  }

  Config config;
  std::shared_ptr<scripted::Broker> broker;
  std::shared_ptr<scripted::Broker> sink;
  std::unique_ptr<Bus> bus;

 private:
  std::shared_ptr<scripted::Broker> Add(const std::string& broker_name) {
    const std::string host = NextName("dedupe");
    BrokerConfig& added = config.brokers[broker_name];
    added.name = broker_name;
    added.url.scheme = "scripted";
    added.allow_plaintext = true;
    added.url.hosts.push_back({host, 0});
    return scripted::Broker::Create(host);
  }

  std::string folder_;
};

// The bodies that a handler was given, in order.
class Handled {
 public:
  void Add(const Delivery& delivery) {
    MutexLock lock(&mu_);
    bodies_.emplace_back(delivery.message().body_view());
  }
  std::vector<std::string> bodies() const {
    MutexLock lock(&mu_);
    return bodies_;
  }
  size_t size() const { return bodies().size(); }

 private:
  mutable Mutex mu_;
  std::vector<std::string> bodies_ ABSL_GUARDED_BY(mu_);
};

using Bodies = std::vector<std::string>;

// A processor on queue "q", and its receiver.
struct Processing {
  Processing(Rig& rig, Handler handler, ReceiverOptions options = {})
      : receiver(*rig.bus->OpenReceiver("q", std::move(options))),
        processor(receiver->Process({}, std::move(handler))) {}

  std::unique_ptr<Receiver> receiver;
  std::unique_ptr<Processor> processor;
};

// A door that handlers wait at.
class Door {
 public:
  void Open() {
    MutexLock lock(&mu_);
    open_ = true;
    cv_.NotifyAll();
  }
  void Pass() {
    MutexLock lock(&mu_);
    while (!open_) cv_.Wait(&mu_);
  }

 private:
  Mutex mu_;
  Condition cv_;
  bool open_ ABSL_GUARDED_BY(mu_) = false;
};

TEST_CASE("a stamped id is known by its look") {
  const std::string process = MakeProcessName();
  const IdStamp stamp(process + ".7", 1234);
  CHECK(IsStamped(stamp.text()));
  CHECK(IsStamped(std::string(16, '0') + ".0-0"));
  CHECK_FALSE(IsStamped(""));
  CHECK_FALSE(IsStamped("order-1"));
  CHECK_FALSE(IsStamped(process));
  CHECK_FALSE(IsStamped(process + ".7-"));
  CHECK_FALSE(IsStamped(process + ".-1"));
  CHECK_FALSE(IsStamped(process + ".7-1!"));
  CHECK_FALSE(IsStamped(process + "0.7-1"));
  CHECK_FALSE(IsStamped("6ba7b810-9dad-11d1-80b4-00c04fd430c8"));
}

TEST_CASE("a processor is not given a second copy") {
  Rig rig;
  rig.Open();
  Handled handled;
  rig.broker->Put("q", Named("1", "a"));
  rig.broker->Put("q", Named("1", "a"));
  rig.broker->Put("q", Named("2", "b"));
  rig.broker->Put("q", Named("1", "a"));
  Processing at(rig, [&](Delivery& delivery) {
    handled.Add(delivery);
    return absl::OkStatus();
  });
  CHECK(Eventually([&] { return rig.broker->Depth("q") == 0; }));
  CHECK(handled.bodies() == Bodies{"a", "b"});
  CHECK(rig.Metrics().suppressed == 2);
  CHECK(at.processor->Stop(kLong).ok());
}

TEST_CASE("without the word a processor is given every copy") {
  Rig rig;
  rig.config.queues["q"].dedupe = absl::ZeroDuration();
  rig.Open();
  Handled handled;
  rig.broker->Put("q", Named("1", "a"));
  rig.broker->Put("q", Named("1", "a"));
  Processing at(rig, [&](Delivery& delivery) {
    handled.Add(delivery);
    return absl::OkStatus();
  });
  CHECK(Eventually([&] { return rig.broker->Depth("q") == 0; }));
  CHECK(handled.bodies() == Bodies{"a", "a"});
}

TEST_CASE("ids that others made tell nothing, unless the config says so") {
  Rig rig;
  rig.config.queues["q"].ids = MessageIds::kStamped;
  rig.Open();
  const IdStamp stamp(MakeProcessName() + ".1", 1);
  Handled handled;
  rig.broker->Put("q", Named("order", "a"));
  rig.broker->Put("q", Named("order", "a"));
  rig.broker->Put("q", Named(stamp.text(), "b"));
  rig.broker->Put("q", Named(stamp.text(), "b"));
  Processing at(rig, [&](Delivery& delivery) {
    handled.Add(delivery);
    return absl::OkStatus();
  });
  CHECK(Eventually([&] { return rig.broker->Depth("q") == 0; }));
  CHECK(handled.bodies() == Bodies{"a", "a", "b"});
}

TEST_CASE("another body by the same id is delivered") {
  Rig rig;
  rig.Open();
  Handled handled;
  rig.broker->Put("q", Named("1", "a"));
  rig.broker->Put("q", Named("1", "b"));
  Processing at(rig, [&](Delivery& delivery) {
    handled.Add(delivery);
    return absl::OkStatus();
  });
  CHECK(Eventually([&] { return rig.broker->Depth("q") == 0; }));
  CHECK(handled.bodies() == Bodies{"a", "b"});
  CHECK(rig.Metrics().suppressed == 0);
}

TEST_CASE("what was handled before a restart is known after it") {
  Rig rig;
  Handled handled;
  const auto handle = [&](Delivery& delivery) {
    handled.Add(delivery);
    return absl::OkStatus();
  };
  rig.Open();
  rig.broker->Put("q", Named("1", "a"));
  {
    const Processing at(rig, handle);
    CHECK(Eventually([&] { return rig.broker->Depth("q") == 0; }));
    CHECK(at.processor->Stop(kLong).ok());
  }
  rig.Open();
  rig.broker->Put("q", Named("1", "a"));
  rig.broker->Put("q", Named("2", "b"));
  const Processing at(rig, handle);
  CHECK(Eventually([&] { return rig.broker->Depth("q") == 0; }));
  CHECK(handled.bodies() == Bodies{"a", "b"});
}

TEST_CASE("a copy waits for the one in hand, and what has its key behind it") {
  for (const bool fails : {false, true}) {
    INFO(fails);
    Rig rig;
    rig.Open();
    Handled handled;
    Door door;
    int calls = 0;
    // The first copy comes, and is lost with its connection while it is in the
    // handler's hands: the broker delivers it, and what is behind it, again.
    rig.broker->Put("q", Named("1", "a"));
    rig.broker->Put("q", Named("2", "b"));
    Processing at(rig, [&](Delivery& delivery) {
      handled.Add(delivery);
      if (++calls == 1) {
        door.Pass();
        if (fails) return absl::InternalError("no");
      }
      return absl::OkStatus();
    });
    CHECK(Eventually([&] { return handled.size() == 1; }));
    const uint64_t received = rig.Metrics().received;
    rig.broker->DropConnections();
    CHECK(Eventually([&] { return rig.Metrics().received >= received + 2; }));
    CHECK(handled.size() == 1);
    door.Open();
    CHECK(Eventually([&] { return rig.broker->Depth("q") == 0; }));
    CHECK(handled.bodies() ==
          (fails ? Bodies{"a", "a", "b"} : Bodies{"a", "b"}));
    CHECK(rig.Metrics().suppressed == (fails ? 0 : 1));
    CHECK(at.processor->Stop(kLong).ok());
  }
}

TEST_CASE("a message that is tried again in place is no second copy") {
  Rig rig;
  rig.Open();
  Handled handled;
  int calls = 0;
  rig.broker->Put("q", Named("1", "a"));
  rig.broker->Put("q", Named("2", "b"));
  ReceiverOptions options;
  options.retry_min = absl::Milliseconds(1);
  options.retry_max = absl::Milliseconds(1);
  Processing at(
      rig,
      [&](Delivery& delivery) {
        handled.Add(delivery);
        return ++calls < 3 ? absl::InternalError("no") : absl::OkStatus();
      },
      options);
  CHECK(Eventually([&] { return rig.broker->Depth("q") == 0; }));
  CHECK(handled.bodies() == Bodies{"a", "a", "a", "b"});
  CHECK(at.processor->Stop(kLong).ok());
}

TEST_CASE("a route sends no second copy") {
  Rig rig;
  rig.Open();
  for (int i = 0; i < 100; ++i) {
    rig.broker->Put("q", Named(std::to_string(i), std::to_string(i)));
    rig.broker->Put("q", Named(std::to_string(i / 2), std::to_string(i / 2)));
  }
  RouteConfig route;
  route.from = "q";
  route.to = "to";
  auto running = *rig.bus->StartRoute(route);
  CHECK(Eventually([&] { return rig.broker->Depth("q") == 0; }));
  const std::vector<Message> sent = rig.sink->Accepted("to");
  REQUIRE(sent.size() == 100);
  for (int i = 0; i < 100; ++i) {
    CHECK(sent[static_cast<size_t>(i)].body_view() == std::to_string(i));
  }
  CHECK(rig.Metrics().suppressed == 100);
  CHECK(running->Stop(kLong).ok());
}

TEST_CASE("a route that loses its source sends nothing twice") {
  Rig rig;
  rig.Open();
  // The destination answers only when the source has delivered all again.
  std::atomic<bool> answers{false};
  rig.sink->SetScript([&](const Message&) -> std::optional<driver::Outcome> {
    if (!answers) return std::nullopt;
    return Fated(driver::Fate::kAccepted);
  });
  for (int i = 0; i < 50; ++i) {
    rig.broker->Put("q", Named(std::to_string(i), std::to_string(i),
                               std::to_string(i % 5)));
  }
  RouteConfig route;
  route.from = "q";
  route.to = "to";
  auto running = *rig.bus->StartRoute(route);
  CHECK(Eventually([&] { return running->metrics().received == 50; }));
  rig.broker->DropConnections();
  CHECK(Eventually([&] { return rig.Metrics().received == 100; }));
  answers = true;
  rig.sink->AskAgain();
  CHECK(Eventually([&] { return rig.broker->Depth("q") == 0; }));
  CHECK(running->Stop(kLong).ok());
  std::map<std::string, int> times;
  for (const Message& message : rig.sink->Accepted("to")) {
    ++times[std::string(message.body_view())];
  }
  CHECK(times.size() == 50);
  for (const auto& [body, n] : times) CHECK(n == 1);
  CHECK(rig.Metrics().suppressed == 50);
}

// A leg that only notes.
class NotingLeg final : public DeduperLeg {
 public:
  void CompleteDurable(std::span<const driver::Token> tokens,
                       uint32_t) override {
    for (const driver::Token& token : tokens) durable.push_back(token.id);
  }
  void OnDeduperChange() override { ++changes; }
  void OnOtherBody(std::string_view) override {}

  std::vector<uint64_t> durable;
  int changes = 0;
};

driver::Inbound Delivered(uint64_t number, std::string_view id,
                          std::string_view key = "k") {
  driver::Inbound inbound;
  inbound.token.id = number;
  inbound.message = Named(id, id, key);
  return inbound;
}

// A deduper alone, on a store that runs when the test says so.
class Desk {
 public:
  explicit Desk(size_t claims, bool keeps_positions = false) {
    StoreOptions options = testing::SmallStore(folder_.File("s.db"));
    options.clock = &clock_;
    store = testing::OpenStore(options);
    InboxOptions with;
    with.claims = claims;
    inbox = *Inbox::Make(store.get(), testing::QueueOf(store.get(), "q"), with,
                         &clock_);
    QueueConfig queue;
    queue.name = queue.entity = "q";
    queue.ids = MessageIds::kUnique;
    deduper = std::make_shared<Deduper>(inbox, queue, keeps_positions);
    deduper->Join(leg);
  }
  ~Desk() { deduper->Close(); }
  // The numbers of what the consumer would have.
  std::vector<uint64_t> Admit(std::vector<driver::Inbound> deliveries) {
    return Numbers(deduper->Admit(deliveries, 1, &copies));
  }
  std::vector<uint64_t> TakeReady() {
    std::vector<driver::Inbound> ready = deduper->TakeReady(1, &copies);
    return Numbers(ready);
  }
  void Complete(uint64_t number) {
    driver::Token token;
    token.id = number;
    std::vector<driver::Token> tokens = {token};
    deduper->Complete(&tokens, 1);
    CHECK(tokens.empty());
  }
  void RunStore() const {
    while (store->RunOnce() > 0) {
    }
  }

 private:
  static std::vector<uint64_t> Numbers(std::span<driver::Inbound> of) {
    std::vector<uint64_t> numbers;
    for (const driver::Inbound& one : of) numbers.push_back(one.token.id);
    return numbers;
  }

  testing::TempFolder folder_;
  ManualClock clock_;

 public:
  std::unique_ptr<Store> store;
  std::shared_ptr<Inbox> inbox;
  std::shared_ptr<NotingLeg> leg = std::make_shared<NotingLeg>();
  std::shared_ptr<Deduper> deduper;
  std::vector<driver::Token> copies;
};

using Numbers = std::vector<uint64_t>;

TEST_CASE("without room in the inbox all wait, in their order") {
  Desk desk(2);
  CHECK(desk.Admit({Delivered(1, "a", "x"), Delivered(2, "b", "y"),
                    Delivered(3, "c", "z"), Delivered(4, "d", "z")}) ==
        Numbers{1, 2});
  CHECK(desk.Admit({Delivered(5, "e", "w")}).empty());
  CHECK_FALSE(desk.deduper->has_ready());
  desk.Complete(1);
  CHECK(desk.deduper->pending() == 1);
  desk.RunStore();
  CHECK(desk.deduper->pending() == 0);
  CHECK(desk.leg->durable == Numbers{1});
  REQUIRE(desk.deduper->has_ready());
  CHECK(desk.TakeReady() == Numbers{3});
  desk.Complete(2);
  desk.Complete(3);
  desk.RunStore();
  CHECK(desk.TakeReady() == Numbers{4, 5});
  CHECK(desk.copies.empty());
}

TEST_CASE("the broker is told when the id is on disk, not before") {
  Desk desk(100);
  CHECK(desk.Admit({Delivered(1, "a")}) == Numbers{1});
  desk.Complete(1);
  CHECK(desk.leg->durable.empty());
  desk.RunStore();
  CHECK(desk.leg->durable == Numbers{1});
}

TEST_CASE("what waits and is dropped is nobody's any more") {
  Desk desk(100);
  CHECK(desk.Admit({Delivered(1, "a"), Delivered(2, "a"), Delivered(3, "b")}) ==
        Numbers{1});
  Numbers dropped;
  desk.deduper->Drop(1, std::nullopt, [&](const driver::Inbound& inbound) {
    dropped.push_back(inbound.token.id);
  });
  CHECK(dropped == Numbers{2, 3});
  // The first fails: the second one's turn comes, and nobody takes it.
  driver::Token first;
  first.id = 1;
  desk.deduper->GiveUp(first, 1);
  CHECK(desk.inbox->state().claims == 0);
  CHECK(desk.TakeReady().empty());
  // It comes again.
  CHECK(desk.Admit({Delivered(4, "a"), Delivered(5, "b")}) == Numbers{4, 5});
}

TEST_CASE("a verdict that nobody took before a drop is given back") {
  Desk desk(100);
  CHECK(desk.Admit({Delivered(1, "a"), Delivered(2, "a")}) == Numbers{1});
  driver::Token first;
  first.id = 1;
  desk.deduper->GiveUp(first, 1);
  REQUIRE(desk.deduper->has_ready());
  desk.deduper->Drop(1, std::nullopt, [](const driver::Inbound&) {});
  CHECK(desk.inbox->state().claims == 0);
}

TEST_CASE("a message without an id is known by where its broker keeps it") {
  for (const bool keeps_positions : {false, true}) {
    INFO(keeps_positions);
    Desk desk(100, keeps_positions);
    driver::Inbound first;
    first.token.id = 1;
    first.position = 17;
    first.message = Message("x");
    driver::Inbound again = first;
    again.token.id = 2;
    CHECK(desk.Admit({first}) == Numbers{1});
    // A position that may be given anew after a restart says nothing.
    CHECK(desk.Admit({again}) == (keeps_positions ? Numbers{} : Numbers{2}));
  }
}

TEST_CASE("a deduper that is closed ends its claims") {
  Desk desk(100);
  CHECK(desk.Admit({Delivered(1, "a"), Delivered(2, "b", "y")}) ==
        Numbers{1, 2});
  desk.Complete(2);
  desk.deduper->Close();
  CHECK(desk.deduper->pending() == 0);
  desk.RunStore();
  CHECK(desk.leg->durable.empty());
  CHECK(desk.inbox->state().claims == 0);
}

TEST_CASE("a flush waits for the ids to be on disk") {
  Rig rig;
  rig.Open();
  for (int i = 0; i < 200; ++i) {
    rig.broker->Put("q", Named(std::to_string(i), "x", std::to_string(i)));
  }
  RouteConfig route;
  route.from = "q";
  route.to = "to";
  auto running = *rig.bus->StartRoute(route);
  CHECK(Eventually([&] { return running->metrics().relayed == 200; }));
  CHECK(running->Stop(kLong).ok());
  // All were completed: none is left for the next reader.
  CHECK(rig.broker->Depth("q") == 0);
}

}  // namespace
}  // namespace tieline
