#include "lib/engine/bus_core.h"

#include <algorithm>
#include <set>
#include <utility>

#include "absl/strings/str_join.h"
#include "lib/base/deadline.h"
#include "lib/base/status.h"
#include "lib/dead_letters.h"
#include "lib/engine/bus_control_server.h"
#include "lib/engine/check_config.h"
#include "lib/engine/id_stamp.h"

namespace tieline::inline v0 {
namespace {

// After the disk failed, until it takes writes again.
constexpr absl::Duration kReopenEvery = absl::Seconds(1);

template <typename T>
void Remember(std::vector<std::weak_ptr<T>>& list, std::shared_ptr<T> item) {
  // Now and then those that are gone are swept out.
  if (list.size() >= 64 && (list.size() & (list.size() - 1)) == 0) {
    std::erase_if(list, [](const auto& weak) { return weak.expired(); });
  }
  list.push_back(std::move(item));
}

template <typename T>
std::vector<std::shared_ptr<T>> Alive(
    const std::vector<std::weak_ptr<T>>& list) {
  std::vector<std::shared_ptr<T>> alive;
  for (const auto& weak : list) {
    if (auto item = weak.lock()) alive.push_back(std::move(item));
  }
  return alive;
}

absl::Status ClosedError() {
  return absl::FailedPreconditionError("the bus is closed");
}

bool IsUrl(std::string_view text) {
  return text.find("://") != std::string_view::npos;
}

}  // namespace

BusCore::BusCore(Config config, BusOptions options)
    : options_(std::move(options)),
      clock_(options_.clock == nullptr ? Clock::System() : options_.clock),
      runner_(clock_),
      producer_(MakeProcessName()),
      move_store_(MakeForgetfulStore()),
      moves_(std::make_shared<BusMoves>(this)),
      members_(
          MakeMembers(clock_, producer_,
                      [this](const std::string& queue, uint64_t generation) {
                        return StandingOf(queue, generation);
                      })),
      config_(std::move(config)) {}

BusCore::~BusCore() { Close(absl::Seconds(5)).IgnoreError(); }

absl::Status BusCore::Start() {
  const Config config = this->config();
  if (!config.state_file.empty() && options_.keeps_state) {
    StoreOptions store_options;
    store_options.path = config.state_file;
    store_options.clock = clock_;
    store_options.inbox_ids = Inboxes::IdsOf(config);
    store_options.spool_bytes = static_cast<int64_t>(config.spool_bytes);
    most_retained_ = store_options.spool_bytes / 2;
    store_options.reopen_every = kReopenEvery;
    const int64_t journal_bytes = store_options.journal_bytes;
    if (options_.host_runs) {
      store_runner_ = std::make_shared<StoreRunner>(&runner_);
      store_options.drive = StoreDrive::kCaller;
      store_options.on_work = [writer = store_runner_.get()] {
        writer->Wake();
      };
    }
    TIELINE_ASSIGN_OR_RETURN(store_, Store::Open(std::move(store_options)));
    if (store_runner_ != nullptr) store_runner_->Begin(store_.get());
    move_store_ = MakeMoveStore(store_.get(), journal_bytes);
    TIELINE_RETURN_IF_ERROR(inboxes_.Open(store_.get(), config, clock_));
    spool_lanes_ = std::make_shared<SpoolLanes>(store_.get());
  }
  // A queue that is to be drained is, whether or not somebody uses it yet.
  for (const auto& [name, queue] : config.queues) {
    TIELINE_RETURN_IF_ERROR(MoveOf(queue).status());
  }
  if (!options_.host_runs) runner_.StartThread();
  if (!options_.control_socket.empty()) {
    TIELINE_ASSIGN_OR_RETURN(
        control_, BusControlServer::Open(this, options_.control_socket));
  }
  return absl::OkStatus();
}

absl::StatusOr<QueueConfig> BusCore::FindQueue(std::string_view queue) {
  MutexLock lock(&mu_);
  std::string name(queue);
  // A queue that AddUrl made may be called like a URL.
  if (IsUrl(queue) && config_.queues.count(name) == 0) {
    TIELINE_ASSIGN_OR_RETURN(name, config_.AddUrl(queue));
  }
  auto it = config_.queues.find(name);
  if (it != config_.queues.end()) return it->second;
  std::vector<std::string> known;
  for (const auto& [n, q] : config_.queues) known.push_back(n);
  return MakeStatus(absl::StatusCode::kNotFound,
                    "no queue \"{}\" in the configuration (there {}: {})", name,
                    known.size() == 1 ? "is" : "are",
                    known.empty() ? "none" : absl::StrJoin(known, ", "));
}

absl::StatusOr<BrokerConfig> BusCore::FindBroker(std::string_view name) const {
  MutexLock lock(&mu_);
  auto it = config_.brokers.find(std::string(name));
  if (it != config_.brokers.end()) return it->second;
  return MakeStatus(absl::StatusCode::kNotFound,
                    "no broker \"{}\" in the configuration", name);
}

absl::StatusOr<std::shared_ptr<Endpoint>> BusCore::MakeEndpoint(
    const BrokerConfig& broker) {
  std::shared_ptr<driver::Driver> driver = driver::Find(broker.url.scheme);
  if (driver == nullptr) {
    return MakeStatus(
        absl::StatusCode::kUnimplemented,
        "broker {}: no backend for {}:// is registered (there are: {})",
        broker.name, broker.url.scheme, absl::StrJoin(driver::Schemes(), ", "));
  }
  EndpointContext context;
  context.runner = &runner_;
  context.clock = clock_;
  context.options = &options_;
  return std::make_shared<Endpoint>(broker, std::move(driver), context);
}

absl::StatusOr<std::shared_ptr<Endpoint>> BusCore::EndpointFor(
    const BrokerConfig& broker) {
  MutexLock lock(&mu_);
  if (closed_) return ClosedError();
  auto it = shared_.find(broker.name);
  if (it != shared_.end()) return it->second;
  TIELINE_ASSIGN_OR_RETURN(std::shared_ptr<Endpoint> endpoint,
                           MakeEndpoint(broker));
  Remember(endpoints_, endpoint);
  if (!endpoint->runs_inline()) shared_.emplace(broker.name, endpoint);
  return endpoint;
}

absl::StatusOr<std::shared_ptr<SenderCore>> BusCore::MakeSender(
    const std::shared_ptr<Endpoint>& endpoint, QueueConfig queue,
    SenderOptions options, const std::shared_ptr<QueueMove>& move,
    Spool spool) {
  std::unique_ptr<SpoolLanes::Claim> lanes;
  const bool spools =
      spool == Spool::kMay && queue.spool > absl::ZeroDuration();
  if (spool != Spool::kNone && spool_lanes_ != nullptr) {
    if (spools && options.timeout <= queue.spool) {
      return MakeStatus(absl::StatusCode::kInvalidArgument,
                        "queue {}: sends that end after {} never come to the "
                        "spool, which begins after {}: raise the timeout, or "
                        "lower spool",
                        queue.name, absl::FormatDuration(options.timeout),
                        absl::FormatDuration(queue.spool));
    }
    SpoolLanes::Uses uses;
    uses.spools = spools;
    uses.sends_left = spool == Spool::kMay;
    uses.retains = queue.retain > absl::ZeroDuration();
    TIELINE_ASSIGN_OR_RETURN(lanes, spool_lanes_->Take(queue.name, uses));
  }
  // Each sender counts for itself, so each has a prefix of its own.
  auto sender = std::make_shared<SenderCore>(
      endpoint, std::move(queue), std::move(options),
      fmt::format("{}.{}", producer_, next_sender_.fetch_add(1)));
  if (lanes != nullptr) {
    TIELINE_RETURN_IF_ERROR(
        sender->UseSpool(std::move(lanes), spools, most_retained_,
                         [weak = weak_from_this()](const std::string& json) {
                           if (const auto self = weak.lock()) {
                             self->move_store_->Journal("spool", json);
                           }
                         }));
  }
  {
    // After the bus was closed nobody would close it, or run it.
    MutexLock lock(&mu_);
    if (closed_) return ClosedError();
    Remember(senders_, sender);
  }
  if (move != nullptr) move->AddSender(sender);
  sender->Attach();
  return sender;
}

absl::StatusOr<std::shared_ptr<SenderCore>> BusCore::OpenSender(
    std::string_view queue, SenderOptions options, Spool spool) {
  TIELINE_RETURN_IF_ERROR(options.Validate());
  TIELINE_ASSIGN_OR_RETURN(QueueConfig config, FindQueue(queue));
  TIELINE_ASSIGN_OR_RETURN(const std::shared_ptr<QueueMove> move,
                           MoveOf(config));
  if (move != nullptr) config = move->Present();
  TIELINE_ASSIGN_OR_RETURN(std::shared_ptr<Endpoint> endpoint,
                           EndpointAt(config));
  return MakeSender(endpoint, std::move(config), std::move(options), move,
                    spool);
}

std::shared_ptr<ReceiverLeg> BusCore::MakeReceiverLeg(
    const std::shared_ptr<Endpoint>& endpoint, QueueConfig queue,
    ReceiverOptions options, uint8_t number) {
  QueueConfig dead_letter = queue;
  dead_letter.entity = DeadLetterCopiesOf(queue);
  dead_letter.ordered = Order::kNone;
  dead_letter.create = true;
  auto make_dead_letter_sender = [weak = weak_from_this(),
                                  broker = endpoint->broker(), dead_letter]() {
    std::shared_ptr<BusCore> self = weak.lock();
    std::shared_ptr<SenderCore> sender;
    if (self == nullptr) return sender;
    auto endpoint_or = self->EndpointFor(broker);
    if (!endpoint_or.ok()) return sender;
    SenderOptions sender_options;
    sender_options.stamp_ids = false;
    return self->MakeSender(*endpoint_or, dead_letter, sender_options)
        .value_or(nullptr);
  };
  std::shared_ptr<Inbox> inbox = inboxes_.Find(queue.name);
  const bool dedupes = inbox != nullptr && !options.browse;
  auto leg = std::make_shared<ReceiverLeg>(
      endpoint, std::move(queue), std::move(options),
      std::move(make_dead_letter_sender), number);
  if (dedupes) leg->Dedupe(std::move(inbox));
  return leg;
}

absl::StatusOr<std::shared_ptr<ReceiverCore>> BusCore::OpenReceiver(
    std::string_view queue, ReceiverOptions options) {
  TIELINE_RETURN_IF_ERROR(options.Validate());
  TIELINE_ASSIGN_OR_RETURN(QueueConfig config, FindQueue(queue));
  std::shared_ptr<QueueMove> move;
  // Who browses reads one entity, and settles nothing.
  if (!options.browse) {
    TIELINE_ASSIGN_OR_RETURN(move, MoveOf(config));
  }
  if (move != nullptr) config = move->Present();
  TIELINE_ASSIGN_OR_RETURN(std::shared_ptr<Endpoint> endpoint,
                           EndpointAt(config));
  auto receiver = std::make_shared<ReceiverCore>(
      MakeReceiverLeg(endpoint, std::move(config), std::move(options), 0));
  {
    MutexLock lock(&mu_);
    if (closed_) return ClosedError();
    Remember(receivers_, receiver);
  }
  if (move != nullptr) move->AddReceiver(receiver, true);
  receiver->Attach();
  return receiver;
}

absl::StatusOr<std::shared_ptr<RouteCore>> BusCore::StartRoute(
    RouteConfig config, Transform transform) {
  if (config.name.empty()) {
    config.name = fmt::format("{}->{}", config.from, config.to);
  }
  ReceiverOptions receiver_options;
  receiver_options.credit = config.credit;
  receiver_options.credit_bytes = config.credit_bytes;
  receiver_options.max_attempts = 0;  // the route counts its own
  receiver_options.retry_min = config.retry_min;
  receiver_options.retry_max = config.retry_max;
  SenderOptions sender_options;
  sender_options.stamp_ids = false;
  sender_options.window = config.credit;
  sender_options.timeout = absl::InfiniteDuration();
  TIELINE_ASSIGN_OR_RETURN(
      std::shared_ptr<SenderCore> destination,
      OpenSender(config.to, sender_options,
                 config.accept_spooled ? Spool::kMay : Spool::kRetain));
  auto source = OpenReceiver(config.from, receiver_options);
  if (!source.ok()) {
    destination->Close(absl::ZeroDuration()).IgnoreError();
    return source.status();
  }
  auto route =
      std::make_shared<RouteCore>(std::move(config), *std::move(source),
                                  std::move(destination), std::move(transform));
  TIELINE_RETURN_IF_ERROR(route->Start());
  MutexLock lock(&mu_);
  Remember(routes_, route);
  return route;
}

// ---- Moves.

absl::StatusOr<std::shared_ptr<Endpoint>> BusCore::EndpointAt(
    const QueueConfig& queue) {
  TIELINE_ASSIGN_OR_RETURN(const BrokerConfig broker, FindBroker(queue.broker));
  return EndpointFor(broker);
}

absl::StatusOr<std::shared_ptr<QueueMove>> BusCore::MoveOf(
    const QueueConfig& queue) {
  std::shared_ptr<QueueMove> known = moves_->Find(queue.name);
  const bool may_move =
      store_ != nullptr || queue.generation > 1 || !queue.was.empty();
  if (known != nullptr || !may_move || IsUrl(queue.name)) return known;
  return MakeMovable(queue, config().move);
}

absl::StatusOr<std::shared_ptr<QueueMove>> BusCore::MakeMovable(
    const QueueConfig& queue, const MoveConfig& options) {
  bool made = false;
  TIELINE_ASSIGN_OR_RETURN(std::shared_ptr<QueueMove> move,
                           moves_->FindOrMake(queue, options, &made));
  if (!made) return move;
  std::vector<std::shared_ptr<SenderCore>> senders;
  std::vector<std::shared_ptr<ReceiverCore>> receivers;
  {
    MutexLock lock(&mu_);
    senders = Alive(senders_);
    receivers = Alive(receivers_);
  }
  // Not those of its dead-letter entity.
  const auto is_its = [&](const QueueConfig& open) {
    return open.name == queue.name && open.entity == queue.entity;
  };
  for (const auto& sender : senders) {
    if (is_its(sender->queue())) move->AddSender(sender);
  }
  for (const auto& receiver : receivers) {
    if (is_its(receiver->queue()) && !receiver->options().browse) {
      move->AddReceiver(receiver, false);
    }
  }
  return move;
}

Config BusCore::config() const {
  Config config;
  {
    MutexLock lock(&mu_);
    config = config_;
  }
  moves_->Correct(&config);
  return config;
}

absl::StatusOr<Standing> BusCore::StandingOf(const std::string& queue,
                                             uint64_t generation) const {
  if (const auto move = moves_->Find(queue)) {
    return move->StandingOf(generation);
  }
  MutexLock lock(&mu_);
  const auto it = config_.queues.find(queue);
  if (it == config_.queues.end()) {
    return MakeStatus(absl::StatusCode::kNotFound, "there is no queue \"{}\"",
                      queue);
  }
  // It has neither sent nor read there before, and asks when it is to.
  return it->second.generation <= generation ? Standing::kSending
                                             : Standing::kLate;
}

absl::StatusOr<ChangePlan> BusCore::Plan(const Config& next) const {
  TIELINE_RETURN_IF_ERROR(CheckConfig(next));
  return moves_->Plan(config(), next);
}

absl::StatusOr<std::unique_ptr<Moving>> BusCore::Apply(const ChangePlan& plan) {
  // Looked at once more: something may have been applied since.
  TIELINE_ASSIGN_OR_RETURN(const ChangePlan now, Plan(plan.config));
  const Config before = config();
  BusMoves::Targets targets;
  for (const PlannedMove& planned : plan.moves) {
    targets[planned.queue] = planned.to_generation;
  }
  std::vector<std::shared_ptr<QueueMove>> moves;
  for (const PlannedMove& planned : now.moves) {
    TIELINE_ASSIGN_OR_RETURN(
        std::shared_ptr<QueueMove> move,
        MakeMovable(before.queues.at(planned.queue), plan.config.move));
    moves.push_back(std::move(move));
  }
  {
    MutexLock lock(&mu_);
    if (closed_) return ClosedError();
    for (const auto& [name, broker] : plan.config.brokers) {
      config_.brokers.emplace(name, broker);
    }
    for (const auto& [name, queue] : plan.config.queues) {
      config_.queues[name] = queue;
    }
    config_.move = plan.config.move;
  }
  moves_->SetOptions(plan.config.move);
  // As at the start: what is to be drained is.
  for (const auto& [name, queue] : plan.config.queues) {
    if (before.queues.contains(name)) continue;
    TIELINE_RETURN_IF_ERROR(MoveOf(queue).status());
  }
  std::set<std::string> leaving;
  for (const PlannedMove& planned : now.moves) {
    if (planned.to_generation > planned.from_generation) {
      leaving.insert(planned.queue);
    }
  }
  const auto group =
      leaving.size() > 1 ? std::make_shared<MoveGroup>(leaving) : nullptr;
  for (size_t i = 0; i < moves.size(); ++i) {
    const std::string& queue = now.moves[i].queue;
    moves[i]->Apply(plan.config.queues.at(queue), plan.config.move,
                    plan.accepts_existing,
                    leaving.contains(queue) ? group : nullptr);
  }
  return std::make_unique<Moving>(moves_, std::move(targets));
}

absl::StatusOr<std::vector<JournalRecord>> BusCore::ReadJournal(
    uint64_t from, int64_t limit) const {
  if (store_ == nullptr) {
    return absl::UnimplementedError(
        "there is no journal: the configuration has no state file");
  }
  TIELINE_ASSIGN_OR_RETURN(const std::vector<JournalEntry> entries,
                           store_->ReadJournal(from, limit));
  std::vector<JournalRecord> records;
  records.reserve(entries.size());
  for (const JournalEntry& entry : entries) {
    records.push_back({entry.number, entry.time, entry.kind, entry.json});
  }
  return records;
}

absl::StatusOr<driver::Reply> BusCore::Ask(const BrokerConfig& broker,
                                           driver::Request request,
                                           absl::Duration timeout) {
  if (runner_.OnThread()) {
    return absl::FailedPreconditionError(
        "a blocking call was made from a callback");
  }
  TIELINE_ASSIGN_OR_RETURN(std::shared_ptr<Endpoint> endpoint,
                           EndpointFor(broker));
  struct Answer {
    Mutex mu;
    Condition cv;
    bool done = false;
    driver::Reply reply;
  };
  auto answer = std::make_shared<Answer>();
  request.deadline = clock_->Steady() + timeout;
  endpoint->Ask(std::move(request), [answer](driver::Reply reply) {
    MutexLock lock(&answer->mu);
    answer->reply = std::move(reply);
    answer->done = true;
    answer->cv.NotifyAll();
  });
  driver::Reply reply;
  {
    const Deadline deadline(timeout + kAnswerGrace);
    MutexLock lock(&answer->mu);
    while (!answer->done && !deadline.Passed()) {
      answer->cv.WaitFor(&answer->mu, deadline.Left());
    }
    reply = std::move(answer->reply);
    if (!answer->done) {
      reply.status = MakeStatus(absl::StatusCode::kDeadlineExceeded,
                                "broker {}: no answer within {}", broker.name,
                                absl::FormatDuration(timeout));
    }
  }
  if (endpoint->runs_inline()) {
    endpoint->Close(absl::Seconds(1)).IgnoreError();
  }
  TIELINE_RETURN_IF_ERROR(reply.status);
  return reply;
}

absl::Status BusCore::Close(absl::Duration timeout) {
  if (runner_.OnThread()) {
    return absl::FailedPreconditionError(
        "the bus can't be closed from one of its callbacks");
  }
  const Deadline deadline(timeout);
  std::vector<std::shared_ptr<Endpoint>> endpoints;
  std::vector<std::shared_ptr<RouteCore>> routes;
  std::vector<std::shared_ptr<SenderCore>> senders;
  std::vector<std::shared_ptr<ReceiverCore>> receivers;
  {
    MutexLock lock(&mu_);
    if (std::exchange(closed_, true)) return absl::OkStatus();
    endpoints = Alive(endpoints_);
    routes = Alive(routes_);
    senders = Alive(senders_);
    receivers = Alive(receivers_);
    shared_.clear();
  }
  // Nobody asks this bus any more, nor it others.
  control_.reset();
  members_->Stop();
  // From here on the bus runs itself: the host may be the one who waits here.
  if (options_.host_runs) runner_.StartThread();
  absl::Status first;
  const auto note = [&](absl::Status status) {
    if (first.ok()) first = std::move(status);
  };
  for (auto& route : routes) note(route->Stop(deadline.Left()));
  for (auto& receiver : receivers) note(receiver->Close(deadline.Left()));
  for (auto& sender : senders) note(sender->Close(deadline.Left()));
  for (auto& endpoint : endpoints) {
    note(endpoint->Close(std::max(deadline.Left(), absl::Milliseconds(100))));
  }
  // Also calls the callbacks that were still to be called.
  runner_.End();
  moves_->Stop();
  inboxes_.Close();
  if (store_ != nullptr) {
    note(store_->Close(std::max(deadline.Left(), absl::Milliseconds(100))));
  }
  return first;
}

MetricsSnapshot BusCore::metrics() const {
  std::vector<std::shared_ptr<Endpoint>> endpoints;
  std::vector<std::shared_ptr<RouteCore>> routes;
  std::vector<std::shared_ptr<SenderCore>> senders;
  std::vector<std::shared_ptr<ReceiverCore>> receivers;
  {
    MutexLock lock(&mu_);
    endpoints = Alive(endpoints_);
    routes = Alive(routes_);
    senders = Alive(senders_);
    receivers = Alive(receivers_);
  }
  MetricsSnapshot snapshot;
  for (auto& e : endpoints) snapshot.brokers.push_back(e->metrics());
  for (auto& s : senders) snapshot.senders.push_back(s->metrics());
  for (auto& r : receivers) snapshot.receivers.push_back(r->metrics());
  for (auto& r : routes) snapshot.routes.push_back(r->metrics());
  return snapshot;
}

}  // namespace tieline::inline v0
