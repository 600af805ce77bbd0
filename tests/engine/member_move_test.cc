// Queues that several processes use, and that move in each of them: nobody
// reads the new broker before everybody has left the old one.
#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "lib/base/mutex.h"
#include "lib/base/status.h"
#include "lib/control/control_client.h"
#include "lib/control/control_server.h"
#include "tests/engine/rig.h"
#include "tests/store/temp_folder.h"
#include "tieline/move.h"

namespace tieline {
namespace {

// Memory brokers "a" and "b", and queue "q" at "a", ordered by key. Each bus is
// a process with a control socket, and they name each other.
struct Rig {
  Rig() {
    for (const char* broker : {"a", "b"}) {
      brokers[broker] = memory_brokers.Add(broker, &config);
    }
    QueueConfig& q = config.queues["q"];
    q.name = q.entity = "q";
    q.broker = "a";
    q.ordered = Order::kPerKey;
    q.create = true;
    REQUIRE(OpenBus(config)->CreateEntity("q", kLong).ok());
    config.move.retire_time = absl::Milliseconds(50);
    // All have the same: who is among them passes itself over.
    config.move.members = {Socket("one"), Socket("two")};
  }
  std::string Socket(const std::string& name) const {
    return folder.File(name + ".sock");
  }
  std::unique_ptr<Bus> Open(const std::string& name,
                            BusOptions options = {}) const {
    return Open(name, config, std::move(options));
  }
  std::unique_ptr<Bus> Open(const std::string& name, Config with,
                            BusOptions options = {}) const {
    options.control_socket = Socket(name);
    return OpenBus(std::move(with), std::move(options));
  }
  // The config in which "q" is at `broker` next.
  static Config Next(Config next, const std::string& broker) {
    QueueConfig& q = next.queues["q"];
    q.was.push_back({q.broker, q.generation, q.entity});
    q.broker = broker;
    ++q.generation;
    return next;
  }
  static std::unique_ptr<Moving> Apply(Bus& bus, const Config& next) {
    auto plan = bus.Plan(next);
    INFO(plan.status());
    REQUIRE(plan.ok());
    auto moving = bus.Apply(*plan);
    REQUIRE(moving.ok());
    return *std::move(moving);
  }
  static std::unique_ptr<Moving> Move(Bus& bus, const std::string& broker) {
    return Apply(bus, Next(bus.config(), broker));
  }

  testing::TempFolder folder;
  Config config;
  MemoryBrokers memory_brokers;
  std::map<std::string, std::shared_ptr<memory::Broker>> brokers;
};

std::string StatusOf(const Moving& moving) {
  return std::string(MessageOf(moving.reports().front().status));
}

bool Says(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

bool IsIn(const Moving& moving, const std::string& state) {
  return moving.reports().front().state == state;
}

void Send(Sender& sender, const std::string& body) {
  REQUIRE(sender.Send(Message(body).set_key("k")).ok());
}

// The next message, completed; "late " before it where it is marked so.
std::string Next(Receiver& receiver, absl::Duration within = kLong) {
  auto delivery = receiver.Receive(within);
  if (!delivery.ok()) return std::string(MessageOf(delivery.status()));
  const std::string body(delivery->message().body_view());
  CHECK(delivery->Complete().ok());
  return (delivery->late() ? "late " : "") + body;
}

TEST_CASE("the new broker is read when the last process has left the old one") {
  Rig rig;
  auto one = rig.Open("one");
  auto two = rig.Open("two");
  auto receiver = *one->OpenReceiver("q");
  auto own = *one->OpenSender("q");
  auto other = *two->OpenSender("q");
  Send(*own, "first");
  auto moving = Rig::Move(*one, "b");
  CHECK(Eventually([&] {
    return Says(StatusOf(*moving), "two.sock may still send to the old broker");
  }));
  Send(*own, "at b");
  CHECK(Next(*receiver) == "first");
  // What is at b waits all the time.
  for (int i = 0; i < 200; ++i) {
    const std::string body = std::to_string(i);
    Send(*other, body);
    REQUIRE(Next(*receiver) == body);
  }
  CHECK(IsIn(*moving, "draining"));
  auto follows = Rig::Move(*two, "b");
  CHECK(moving->Wait(kLong).ok());
  CHECK(follows->Wait(kLong).ok());
  CHECK(Next(*receiver) == "at b");
  Send(*other, "last");
  CHECK(Next(*receiver) == "last");
  const MoveReport report = moving->reports().front();
  CHECK(report.proof == "exact, 1 member");
  CHECK(report.status.ok());
  CHECK(Eventually([&] { return moving->reports().front().over; }));
  CHECK(Eventually([&] { return follows->reports().front().over; }));
}

// Sends messages of some keys of its own, numbered, until it is stopped.
class Load {
 public:
  Load(Bus& bus, std::string name)
      : name_(std::move(name)),
        sender_(*bus.OpenSender("q")),
        thread_([this] { Run(); }) {}
  ~Load() { Stop(); }
  int Stop() {
    stop_ = true;
    if (thread_.joinable()) thread_.join();
    return sent_;
  }
  int sent() const { return sent_; }

 private:
  static constexpr int kKeys = 5;
  void Run() {
    while (!stop_) {
      Message message(std::to_string(sent_ / kKeys));
      message.set_key(name_ + std::to_string(sent_ % kKeys));
      if (sender_->Send(std::move(message)).ok()) ++sent_;
    }
  }
  const std::string name_;
  std::unique_ptr<Sender> sender_;
  std::atomic<bool> stop_{false};
  std::atomic<int> sent_{0};
  std::thread thread_;
};

// What the readers of all processes got, by key.
class Effects {
 public:
  void Put(const Message& message) {
    MutexLock lock(&mu_);
    std::set<int>& got = got_[std::string(message.key())];
    const int number = std::stoi(std::string(message.body_view()));
    in_order_ = in_order_ && (got.empty() ? 0 : *got.rbegin() + 1) == number;
    all_once_ = all_once_ && got.insert(number).second;
    ++count_;
  }
  bool in_order() const {
    MutexLock lock(&mu_);
    return in_order_;
  }
  bool all_once() const {
    MutexLock lock(&mu_);
    return all_once_;
  }
  int count() const {
    MutexLock lock(&mu_);
    return count_;
  }

 private:
  mutable Mutex mu_;
  std::map<std::string, std::set<int>> got_ ABSL_GUARDED_BY(mu_);
  bool all_once_ ABSL_GUARDED_BY(mu_) = true;
  bool in_order_ ABSL_GUARDED_BY(mu_) = true;
  int count_ ABSL_GUARDED_BY(mu_) = 0;
};

TEST_CASE("two processes move under load: none lost, none twice, in order") {
  // The memory broker gives a key to any reader: with two there is no order.
  const bool both_read = GENERATE(false, true);
  Rig rig;
  auto one = rig.Open("one");
  auto two = rig.Open("two");
  Load first(*one, "x");
  Load second(*two, "y");
  Effects effects;
  std::atomic<bool> stop{false};
  std::vector<std::thread> readers;
  for (Bus* bus : {one.get(), two.get()}) {
    if (bus == two.get() && !both_read) continue;
    readers.emplace_back([&, receiver = *bus->OpenReceiver("q")] {
      while (!stop) {
        auto delivery = receiver->Receive(absl::Milliseconds(20));
        if (!delivery.ok()) continue;
        effects.Put(delivery->message());
        delivery->Complete().IgnoreError();
      }
    });
  }
  const auto more = [&] {
    const int x = first.sent(), y = second.sent();
    CHECK(Eventually(
        [&] { return first.sent() > x + 200 && second.sent() > y + 200; }));
  };
  for (const char* broker : {"b", "a", "b"}) {
    more();
    auto moving = Rig::Move(*one, broker);
    more();
    auto follows = Rig::Move(*two, broker);
    const absl::Status moved = moving->Wait(kLong);
    INFO(moved);
    CHECK(moved.ok());
    CHECK(follows->Wait(kLong).ok());
  }
  const int sent = first.Stop() + second.Stop();
  CHECK(Eventually([&] { return effects.count() >= sent; }));
  stop = true;
  for (std::thread& reader : readers) reader.join();
  CHECK(effects.count() == sent);
  CHECK(effects.all_once());
  CHECK((both_read || effects.in_order()));
}

TEST_CASE("a member that is away holds the move until a word") {
  Rig rig;
  std::atomic<int> said{0};
  BusOptions options;
  options.log = [&](LogLevel level, std::string_view text) {
    if (level == LogLevel::kWarning &&
        Says(std::string(text), "member does not answer")) {
      ++said;
    }
  };
  auto one = rig.Open("one", std::move(options));
  auto receiver = *one->OpenReceiver("q");
  auto sender = *one->OpenSender("q");
  auto moving = Rig::Move(*one, "b");
  CHECK(Eventually(
      [&] { return Says(StatusOf(*moving), "two.sock does not answer"); }));
  Send(*sender, "at b");
  if (GENERATE(true, false)) {  // the operator's, or the config's
    moving->Proceed();
  } else {
    Config next = one->config();
    next.move.when_dead = WhenDead::kProceed;
    next.move.dead_after = absl::Milliseconds(1);
    Rig::Apply(*one, next);
  }
  CHECK(Next(*receiver) == "at b");
  CHECK(moving->Wait(kLong).ok());
  CHECK(moving->reports().front().proof == "given up");
  CHECK(said == 1);
}

TEST_CASE("a member that is away is taken out of the config") {
  Rig rig;
  auto one = rig.Open("one");
  auto moving = Rig::Move(*one, "b");
  CHECK(Eventually(
      [&] { return Says(StatusOf(*moving), "two.sock does not answer"); }));
  Config next = one->config();
  next.move.members.clear();
  auto nothing = Rig::Apply(*one, next);
  CHECK(nothing->reports().empty());
  CHECK(moving->Wait(kLong).ok());
  CHECK(moving->reports().front().proof == "exact");
  CHECK(Eventually([&] { return moving->reports().front().over; }));
}

TEST_CASE("a member that is away is waited for, and may start where all go") {
  Rig rig;
  auto one = rig.Open("one");
  auto moving = Rig::Move(*one, "b");
  CHECK(Eventually(
      [&] { return Says(StatusOf(*moving), "two.sock does not answer"); }));
  // Without a record, by the changed file.
  auto two = rig.Open("two", Rig::Next(rig.config, "b"));
  CHECK(moving->Wait(kLong).ok());
  auto sender = *two->OpenSender("q");
  auto receiver = *two->OpenReceiver("q");
  Send(*sender, "x");
  CHECK(Next(*receiver) == "x");
}

TEST_CASE("who starts without a record reads the new broker where all do") {
  Rig rig;
  auto two = rig.Open("two");
  // The other process has left, and is away.
  {
    auto one = rig.Open("one");
    auto moving = Rig::Move(*one, "b");
    auto follows = Rig::Move(*two, "b");
    const absl::Status moved = moving->Wait(kLong);
    INFO(moved);
    REQUIRE(moved.ok());
    REQUIRE(follows->Wait(kLong).ok());
  }
  {
    Config stray = rig.config;
    stray.move.members.clear();
    auto bus = OpenBus(stray);
    Send(**bus->OpenSender("q"), "old");
  }
  Send(**two->OpenSender("q"), "new");
  Config config = Rig::Next(rig.config, "b");
  config.move.retire_time = absl::Hours(1);
  auto one = rig.Open("one", config);
  auto receiver = *one->OpenReceiver("q");
  const std::set<std::string> got = {Next(*receiver), Next(*receiver)};
  CHECK(got == std::set<std::string>{"new", "late old"});
}

TEST_CASE("who starts without a record reads the old broker with the others") {
  Rig rig;
  Config changed = Rig::Next(rig.config, "b");
  auto two = rig.Open("two");
  auto other = *two->OpenSender("q");
  auto one = rig.Open("one", changed);
  auto receiver = *one->OpenReceiver("q");
  Send(**one->OpenSender("q"), "at b");
  for (int i = 0; i < 50; ++i) {
    const std::string body = std::to_string(i);
    Send(*other, body);
    REQUIRE(Next(*receiver) == body);
  }
  auto moving = Rig::Move(*two, "b");
  CHECK(Next(*receiver) == "at b");
  CHECK(moving->Wait(kLong).ok());
}

// ---- Beside a process that the test plays.

class Played {
 public:
  explicit Played(const std::string& path) {
    auto server = ControlServer::Open(
        path, [this](std::string_view) { return Answer(); });
    REQUIRE(server.ok());
    server_ = *std::move(server);
  }
  void Be(const std::string& standing) {
    MutexLock lock(&mu_);
    standing_ = standing;
    asked_ = 0;
  }
  // From when that is so.
  void BeOnce(std::function<bool()> so, const std::string& standing) {
    MutexLock lock(&mu_);
    so_ = std::move(so);
    then_ = standing;
  }
  // Before it answers it asks there, as one does that started anew.
  void AskFirst(const std::string& socket) {
    MutexLock lock(&mu_);
    asks_ = socket;
  }
  void StartAnewEachTime(bool does) {
    MutexLock lock(&mu_);
    starts_anew_ = does;
  }
  // What AskFirst was answered last.
  std::string said() const {
    MutexLock lock(&mu_);
    return said_;
  }
  bool WasAsked(int times) const {
    return Eventually([&] {
      MutexLock lock(&mu_);
      return asked_ >= times;
    });
  }

 private:
  std::string Answer() {
    MutexLock lock(&mu_);
    if (!asks_.empty()) {
      auto client = ControlClient::Connect(asks_, kLong);
      if (client.ok()) {
        said_ =
            (*client)
                ->Ask(R"({"op":"standing","queue":"q","generation":1})", kLong)
                .value_or("");
      }
    }
    if (so_ && so_()) {
      so_ = nullptr;
      standing_ = then_;
      asked_ = 0;
    }
    ++asked_;
    if (starts_anew_) ++run_;
    return R"({"ok":true,"standing":")" + standing_ + R"(","run":")" +
           std::to_string(run_) + R"("})";
  }

  mutable Mutex mu_;
  std::string standing_ ABSL_GUARDED_BY(mu_) = "sending";
  std::function<bool()> so_ ABSL_GUARDED_BY(mu_);
  std::string then_ ABSL_GUARDED_BY(mu_);
  std::string asks_ ABSL_GUARDED_BY(mu_);
  std::string said_ ABSL_GUARDED_BY(mu_);
  bool starts_anew_ ABSL_GUARDED_BY(mu_) = false;
  int run_ ABSL_GUARDED_BY(mu_) = 1;
  int asked_ ABSL_GUARDED_BY(mu_) = 0;
  std::unique_ptr<ControlServer> server_;  // uses what stands above
};

TEST_CASE("an answer counts only while the member has not started anew") {
  Rig rig;
  Played other(rig.Socket("two"));
  auto one = rig.Open("one");
  auto moving = Rig::Move(*one, "b");
  other.StartAnewEachTime(true);
  other.Be("late");
  CHECK(other.WasAsked(10));
  CHECK(moving->reports().front().proof.empty());
  CHECK(IsIn(*moving, "draining"));
  other.StartAnewEachTime(false);
  CHECK(moving->Wait(kLong).ok());
  CHECK(moving->reports().front().proof == "exact, 1 member");
}

TEST_CASE("who tells others that it reads does not take their earlier word") {
  Rig rig;
  Played other(rig.Socket("two"));
  other.Be("drained");
  other.AskFirst(rig.Socket("one"));
  // Without a record.
  auto one = rig.Open("one", Rig::Next(rig.config, "b"));
  CHECK(other.WasAsked(5));
  CHECK(Says(other.said(), "draining"));
  other.Be("drained");
  CHECK(other.WasAsked(2));
  CHECK(Says(other.said(), "draining"));
  other.AskFirst("");
  const auto ask = [&] {
    auto client = ControlClient::Connect(rig.Socket("one"), kLong);
    REQUIRE(client.ok());
    return (*client)
        ->Ask(R"({"op":"standing","queue":"q","generation":1})", kLong)
        .value_or("");
  };
  CHECK(Eventually([&] { return Says(ask(), "drained"); }));
}

TEST_CASE("what is proved is left when all others have proved it") {
  Rig rig;
  Played other(rig.Socket("two"));
  other.Be("draining");
  auto one = rig.Open("one");
  auto moving = Rig::Move(*one, "b");
  CHECK(Eventually([&] { return !moving->reports().front().proof.empty(); }));
  other.Be("draining");
  CHECK(other.WasAsked(3));
  CHECK_FALSE(moving->reports().front().drained_all);
  other.Be("late");
  CHECK(moving->Wait(kLong).ok());
}

TEST_CASE("the old broker is listened to while a member may send there") {
  Rig rig;
  Played other(rig.Socket("two"));
  other.Be("drained");
  auto one = rig.Open("one");
  // One that started anew, with an old file.
  other.BeOnce(
      [&] {
        const auto moves = one->moves();
        return !moves.empty() && moves.front().drained_all;
      },
      "sending");
  auto moving = Rig::Move(*one, "b");
  CHECK(moving->Wait(kLong).ok());
  CHECK(Eventually([&] { return Says(StatusOf(*moving), "may still send"); }));
  CHECK(other.WasAsked(3));
  CHECK(IsIn(*moving, "retiring"));
  other.Be("drained");
  CHECK(Eventually([&] { return moving->reports().front().over; }));
  CHECK(moving->reports().front().status.ok());
}

// ---- The control socket of a bus.

TEST_CASE("a bus answers at its control socket, and is moved there") {
  Rig rig;
  rig.config.move.members.clear();
  auto bus = rig.Open("one");
  auto client = *ControlClient::Connect(rig.Socket("one"), kLong);
  const auto ask = [&](const std::string& line) {
    const auto answer = client->Ask(line, kLong);
    INFO(answer.status());
    REQUIRE(answer.ok());
    return *answer;
  };
  const std::string standing =
      R"({"op":"standing","queue":"q","generation":1})";
  const std::string before = ask(standing);
  CHECK(Says(before, R"("standing":"sending","run":")"));
  CHECK(Says(ask(R"({"op":"standing","queue":"x","generation":1})"),
             "NOT_FOUND"));
  CHECK(Says(ask(R"({"op":"apply","queue":"q","to":"b"})"), R"("ok":true)"));
  CHECK(Eventually([&] { return Says(ask(standing), "drained"); }));
  CHECK(bus->config().queues["q"].broker == "b");
  const size_t run = before.find("run");
  CHECK(Says(ask(standing), before.substr(run)));

  CHECK(bus->Close(kLong).ok());
  CHECK_FALSE(ControlClient::Connect(rig.Socket("one"), kLong).ok());
}

TEST_CASE("a control socket that can't be had is an error of Open") {
  Rig rig;
  auto bus = rig.Open("one");
  BusOptions options;
  options.control_socket = rig.Socket("one");
  CHECK(absl::IsFailedPrecondition(Bus::Open(rig.config, options).status()));
  options.control_socket = "/" + std::string(200, 'x');
  CHECK(absl::IsInvalidArgument(Bus::Open(rig.config, options).status()));
}

}  // namespace
}  // namespace tieline
