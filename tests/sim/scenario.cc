#include "tests/sim/scenario.h"

#include <algorithm>
#include <array>

#include "absl/strings/str_cat.h"
#include "tests/sim/process.h"
#include "tests/sim/rng.h"

namespace tieline::sim {
namespace {

constexpr int kSink = 3;
constexpr int kMessages = 200;
constexpr int kMostMessages = 260;
constexpr int kFaults = 5;
constexpr int kMostFaults = 12;
constexpr absl::Duration kTraffic = absl::Seconds(12);
constexpr absl::Duration kFaultsEnd = absl::Seconds(20);

BrokerTraits DrawBroker(Rng& rng, std::string name, int place) {
  BrokerTraits b;
  b.name = std::move(name);
  b.place = place;
  b.is_log = rng.Chance(40);
  b.pipelines = b.is_log && rng.Chance(60);
  b.drops_duplicates = !b.is_log && rng.Chance(20);
  b.tells_undrained = rng.Chance(80);
  b.partitions = rng.Between(1, 4);
  b.link_credit =
      static_cast<uint32_t>(rng.Chance(30) ? rng.Between(1, 20) : 1000);
  b.lock =
      rng.Chance(30) ? absl::Seconds(rng.Between(1, 3)) : absl::Seconds(30);
  b.latency_low = absl::Microseconds(rng.Between(20, 500));
  b.latency_high = b.latency_low + absl::Microseconds(rng.Between(50, 5000));
  b.idle = absl::Seconds(rng.Between(1, 8));
  return b;
}

void AddQueue(Rng& rng, Scenario& s, const std::string& name, bool ordered) {
  QueueConfig& q = s.config.queues[name];
  q.name = q.entity = name;
  q.broker = "a";
  q.ordered = ordered ? Order::kPerKey : Order::kNone;
  q.tuning = rng.Chance(50) ? Tuning::kLatency : Tuning::kThroughput;
}

void DrawWorld(Rng& rng, Scenario& s) {
  s.brokers = {DrawBroker(rng, "a", 0), DrawBroker(rng, "b", 1),
               DrawBroker(rng, "c", 2), DrawBroker(rng, "sink", kSink)};
  s.brokers[kSink].is_sink = true;
  s.processes = rng.Chance(60) ? 1 : rng.Between(2, 3);
  for (int i = 0; i < s.processes; ++i) {
    const bool joins = i > 0 && rng.Chance(20);
    s.begins.push_back(joins ? rng.Between(absl::ZeroDuration(), kTraffic)
                             : absl::ZeroDuration());
    if (s.processes == 1) continue;
    s.config.move.members.push_back(Process::AddressOf(i));
  }
  s.is_late = s.processes > 1 && rng.Chance(50);
  for (const BrokerTraits& traits : s.brokers) {
    BrokerConfig& b = s.config.brokers[traits.name];
    b.name = traits.name;
    b.url.scheme = "sim";
    b.allow_plaintext = true;
    b.url.hosts.push_back({traits.name, 0});
    b.connect_timeout = absl::Seconds(rng.Between(1, 10));
  }
  AddQueue(rng, s, "q", rng.Chance(75));
  AddQueue(rng, s, "out", true);
  s.config.queues["out"].broker = "sink";
  s.config.queues["out"].ordered = s.config.queues["q"].ordered;
  s.bus.reconnect.min_delay = absl::Milliseconds(rng.Between(1, 100));
  s.bus.reconnect.max_delay = absl::Milliseconds(rng.Between(200, 3000));
  if (rng.Chance(20)) {
    s.bus.retry_budget.reserve = static_cast<uint32_t>(rng.Between(1, 5));
    s.bus.retry_budget.per_second = rng.Between(1, 3);
  }
}

void DrawTraffic(Rng& rng, Scenario& s) {
  s.messages = rng.Between(kMessages, kMostMessages);
  const int producers = rng.Between(1, 3);
  for (int i = 0; i < producers; ++i) {
    PlannedProducer p;
    p.process = rng.Between(0, s.processes - 1);
    p.queue = "q";
    p.ordered = s.config.queues["q"].ordered == Order::kPerKey;
    p.keys = rng.Chance(10) ? 0 : rng.Between(1, 8);
    if (rng.Chance(10)) p.ttl = absl::Seconds(rng.Between(2, 10));
    p.options.window =
        static_cast<uint32_t>(rng.Chance(50) ? rng.Between(1, 16) : 5000);
    p.options.max_pending =
        static_cast<uint32_t>(rng.Chance(20) ? rng.Between(5, 50) : 20000);
    const bool is_hasty = rng.Chance(25);
    // The first one has what can't be shared out.
    int left = s.messages / producers + (i == 0 ? s.messages % producers : 0);
    while (left > 0) {
      PlannedSend send;
      // In bursts now and then.
      send.at = !p.sends.empty() && rng.Chance(40)
                    ? p.sends.back().at
                    : rng.Between(absl::ZeroDuration(), kTraffic);
      send.count = std::min(left, rng.Chance(70) ? 1 : rng.Between(2, 12));
      send.timeout = is_hasty && rng.Chance(50)
                         ? absl::Milliseconds(rng.Between(5, 3000))
                         : absl::Minutes(10);
      left -= send.count;
      p.sends.push_back(send);
    }
    std::stable_sort(p.sends.begin(), p.sends.end(),
                     [](const auto& a, const auto& b) { return a.at < b.at; });
    s.producers.push_back(std::move(p));
  }
  const int routes =
      std::max(rng.Chance(25) ? 2 : 1, rng.Chance(50) ? s.processes : 1);
  for (int i = 0; i < routes; ++i) {
    PlannedRoute r;
    r.process = s.processes - 1 - i % s.processes;
    r.config.name = absl::StrCat("r", i);
    r.config.from = "q";
    r.config.to = "out";
    r.config.credit =
        static_cast<uint32_t>(rng.Chance(50) ? rng.Between(1, 30) : 1000);
    r.config.retry_min = absl::Milliseconds(rng.Between(1, 50));
    r.config.retry_max = absl::Seconds(1);
    r.config.dead_letter_after =
        static_cast<uint32_t>(rng.Chance(50) ? rng.Between(1, 5) : 0);
    s.routes.push_back(std::move(r));
  }
}

void DrawMoves(Rng& rng, Scenario& s) {
  MoveConfig& move = s.config.move;
  // Known, and not mended (docs/move.md): one process goes on without what is
  // left, and others don't.
  const bool may_proceed = s.processes == 1;
  if (!may_proceed) s.config.queues["q"].retain = absl::ZeroDuration();
  move.when_dead =
      rng.Chance(80) || !may_proceed ? WhenDead::kHold : WhenDead::kProceed;
  move.dead_after = absl::Seconds(rng.Between(2, 10));
  move.fence_timeout = absl::Milliseconds(rng.Between(200, 5000));
  // Longer than a broker holds back what it has accepted, or a lock of nobody's
  // lasts: what comes later from a place that proves nothing is left there.
  move.retire_time = absl::Seconds(rng.Between(45, 60));
  move.quiet_period = absl::Milliseconds(rng.Between(200, 3000));
  const std::vector<std::vector<std::string>> ways = {
      {"b"}, {"b"}, {"b"}, {"b", "c"}, {"b", "a"}};
  auto way =
      static_cast<size_t>(rng.Between(0, static_cast<int>(ways.size()) - 1));
  // Known, and not mended (docs/move.md): who comes back to a place that
  // nothing was proved of, or starts there without a record.
  const bool forgets = s.MayForget();
  // Nor does it know what was left without a proof.
  if (forgets) {
    for (BrokerTraits& broker : s.brokers) broker.tells_undrained = true;
  }
  if (forgets || !s.brokers[0].tells_undrained) way %= ways.size() - 1;
  absl::Duration at =
      rng.Between(absl::Seconds(1), kTraffic - absl::Seconds(3));
  for (const std::string& to : ways[way]) {
    s.moves.push_back({at, to});
    at += rng.Between(absl::Milliseconds(1), absl::Seconds(6));
  }
  const bool comes_back = s.moves.back().to == "a";
  if (comes_back) {
    // Known: a place that was given up is not told from a fresh one.
    move.when_dead = WhenDead::kHold;
    s.config.queues["q"].retain = absl::ZeroDuration();
  }
  // What it has and does not say, or will have after it was listened to, would
  // stay there.
  const bool tells =
      s.brokers[0].tells_undrained &&
      std::none_of(s.faults.begin(), s.faults.end(), [](const Fault& f) {
        return f.kind == FaultKind::kSurfaceLate && f.target == 0;
      });
  if (move.when_dead == WhenDead::kProceed && rng.Chance(10) && tells &&
      !comes_back) {
    // The first broker is away for longer than it is listened to: what it has
    // is there when it comes back.
    Fault away;
    away.kind = FaultKind::kDie;
    away.at = s.moves.front().at +
              rng.Between(absl::ZeroDuration(), absl::Seconds(1));
    away.length = move.retire_time + move.dead_after + absl::Seconds(15);
    s.faults_end = std::max(s.faults_end, away.at + away.length);
    s.faults.push_back(away);
  }
}

// How likely each is drawn, in the order of FaultKind.
// Those of a state file are DrawState's.
constexpr std::array<int, kFaultKinds> kWeights = {
    30, 8, 8, 8, 6, 8, 6, 4, 8, 8, 8, 2, 8, 8, 4, 4, 0, 0, 0, 0};

void DrawFaults(Rng& rng, Scenario& s) {
  s.faults_end = kFaultsEnd;
  int total = 0;
  for (const int weight : kWeights) total += weight;
  const int count = rng.Between(kFaults, kMostFaults);
  for (int i = 0; i < count; ++i) {
    Fault f;
    int at = rng.Between(0, total - 1);
    int kind = 0;
    while (at >= kWeights.at(static_cast<size_t>(kind))) {
      at -= kWeights.at(static_cast<size_t>(kind++));
    }
    f.kind = static_cast<FaultKind>(kind);
    f.at = rng.Between(absl::ZeroDuration(), kTraffic + absl::Seconds(2));
    const absl::Duration most =
        rng.Chance(50) ? absl::Milliseconds(300) : absl::Seconds(6);
    f.length = rng.Between(absl::Microseconds(100), most);
    const bool is_process = f.kind == FaultKind::kStall ||
                            f.kind == FaultKind::kKill ||
                            f.kind == FaultKind::kClockJump;
    f.target = is_process              ? rng.Between(0, s.processes - 1)
               : rng.Between(0, 9) < 6 ? 0
                                       : 2;
    f.is_hard = rng.Chance(30);
    s.faults.push_back(f);
  }
}

void AddStateFault(Rng& rng, Scenario& s, FaultKind kind) {
  Fault f;
  f.kind = kind;
  f.at = rng.Between(absl::ZeroDuration(), kTraffic + absl::Seconds(2));
  f.length = rng.Between(absl::Milliseconds(1), absl::Seconds(4));
  f.restart = Restart::kWithState;
  f.writes = rng.Between(1, 30);
  s.faults.push_back(f);
}

void DrawState(Rng& rng, Scenario& s) {
  s.has_state = rng.Chance(50);
  if (!s.has_state) return;
  const bool keeps = rng.Chance(70);
  for (Fault& f : s.faults) {
    if (f.kind != FaultKind::kKill) continue;
    f.restart = keeps || rng.Chance(40) ? Restart::kWithState
                : rng.Chance(50)        ? Restart::kOldCopy
                                        : Restart::kNothing;
  }
  const int kills = rng.Chance(40) ? rng.Between(1, 3) : 0;
  for (int i = 0; i < kills; ++i) {
    AddStateFault(rng, s, FaultKind::kKillInWrite);
  }
  if (rng.Chance(20)) AddStateFault(rng, s, FaultKind::kFillDisk);
  if (rng.Chance(20)) AddStateFault(rng, s, FaultKind::kFailDisk);
  if (!keeps) AddStateFault(rng, s, FaultKind::kRemember);
  QueueConfig& q = s.config.queues["q"];
  if (rng.Chance(25)) q.retain = absl::Minutes(rng.Between(1, 30));
  if (rng.Chance(60)) q.dedupe = absl::Hours(1);
  if (rng.Chance(50)) {
    q.spool = rng.Between(absl::Milliseconds(50),
                          absl::Milliseconds(rng.Chance(50) ? 300 : 3000));
  }
}

void DrawPrefilled(Rng& rng, Scenario& s) {
  for (const BrokerTraits& broker : s.brokers) {
    const bool is_used =
        broker.name == s.config.queues["q"].broker ||
        std::any_of(s.moves.begin(), s.moves.end(),
                    [&](const PlannedMove& m) { return m.to == broker.name; });
    s.prefilled.push_back(is_used && rng.Chance(10) ? rng.Between(1, 10) : 0);
  }
}

}  // namespace

bool Scenario::MayForget() const {
  return std::any_of(faults.begin(), faults.end(), [](const Fault& f) {
    return f.kind == FaultKind::kKill && f.restart != Restart::kWithState;
  });
}

std::string_view FaultName(FaultKind kind) {
  constexpr std::array<std::string_view, kFaultKinds> kNames = {
      "cut",        "busy",          "mute",      "late",        "hoard",
      "surface",    "doubtful",      "refuse",    "close-links", "pause",
      "die",        "die-with-data", "rebalance", "stall",       "kill",
      "clock-jump", "kill-in-write", "fill-disk", "fail-disk",   "remember"};
  return kNames.at(static_cast<size_t>(kind));
}

Scenario DrawScenario(uint64_t seed) {
  Rng rng(seed);
  Scenario s;
  s.seed = seed;
  Rng world = rng.Fork();
  Rng traffic = rng.Fork();
  Rng faults = rng.Fork();
  Rng moves = rng.Fork();
  DrawWorld(world, s);
  DrawTraffic(traffic, s);
  DrawFaults(faults, s);
  Rng state = rng.Fork();
  DrawState(state, s);
  DrawMoves(moves, s);
  DrawPrefilled(moves, s);
  return s;
}

}  // namespace tieline::sim
