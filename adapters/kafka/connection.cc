#include "adapters/kafka/connection.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <numeric>
#include <utility>

#include "adapters/kafka/capabilities.h"
#include "adapters/kafka/errors.h"
#include "adapters/kafka/receiver.h"
#include "adapters/kafka/sender.h"
#include "lib/base/status.h"

namespace tieline::inline v0 {
namespace kafka {
namespace {

// How long a first failure may be followed by success: the next address of a
// host, the next host.
constexpr absl::Duration kSecondChance = absl::Milliseconds(1500);
// For a round trip after all brokers were said to be down.
constexpr absl::Duration kVerify = absl::Seconds(3);
// For the reports of what was purged.
constexpr absl::Duration kPurge = absl::Milliseconds(500);
constexpr size_t kReportsPerRun = 8192;

Settings ControlSettings(const BrokerConfig& broker) {
  Settings settings = CommonSettings(broker);
  settings.push_back({"allow.auto.create.topics", Secret("false")});
  settings.push_back({"enable.auto.commit", Secret("false")});
  return settings;
}

}  // namespace

absl::StatusOr<std::unique_ptr<KafkaConnection>> KafkaConnection::Make(
    const BrokerConfig& broker, driver::ConnectionSink* sink,
    driver::Waker* waker, absl::Time now) {
  TIELINE_ASSIGN_OR_RETURN(
      ClientRef control,
      Client::Make(RD_KAFKA_CONSUMER, ControlSettings(broker),
                   RD_KAFKA_EVENT_ERROR));
  const int fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  if (fd < 0) return absl::ResourceExhaustedError("no descriptor is left");
  std::unique_ptr<KafkaConnection> made(
      new KafkaConnection(broker, sink, waker, fd, std::move(control), now));
  made->BeginContact();
  return made;
}

KafkaConnection::KafkaConnection(const BrokerConfig& broker,
                                 driver::ConnectionSink* sink,
                                 driver::Waker* waker, int fd,
                                 ClientRef control, absl::Time now)
    : broker_(broker),
      sink_(sink),
      waker_(waker),
      fd_(fd),
      control_(std::move(control)),
      control_queue_(rd_kafka_queue_get_main(control_->rk())),
      background_(waker),
      brief_(waker),
      now_(now),
      next_(now),
      contact_deadline_(now + broker.connect_timeout) {
  Watch(control_queue_.get());
}

KafkaConnection::~KafkaConnection() {
  for (Sender* sender : senders_) sender->Orphan();
  for (Receiver* receiver : receivers_) receiver->Orphan();
  producers_.clear();
  rd_kafka_queue_io_event_enable(control_queue_.get(), -1, nullptr, 0);
  control_queue_.reset();
  control_ = ClientRef();
  close(fd_);
}

driver::PollSet KafkaConnection::pollable() const { return {.fd = fd_}; }

void KafkaConnection::Watch(rd_kafka_queue_t* queue) const {
  static const uint64_t kOne = 1;
  rd_kafka_queue_io_event_enable(queue, fd_, &kOne, sizeof(kOne));
}

void KafkaConnection::WakeOnce() {
  if (std::exchange(woken_, true)) return;
  waker_->Wake();
}

std::string KafkaConnection::Where() const {
  return "broker " + broker_.name + " (" + broker_.url.HostList(kDefaultPort) +
         ")";
}

bool KafkaConnection::Post(Background::Job job) {
  return background_.Post(std::move(job));
}

void KafkaConnection::BeginContact() {
  Post([this, client = std::make_shared<ClientRef>(control_.Share()),
        timeout = broker_.connect_timeout](const std::atomic<bool>& stop) {
    const absl::Status status =
        Ping(*client->get(), {absl::Now() + timeout, &stop});
    return [this, status] { OnContact(status); };
  });
}

void KafkaConnection::OnContact(const absl::Status& status) {
  if (state_ != State::kConnecting) return;
  if (status.ok()) {
    state_ = State::kUp;
    contact_error_.reset();
    sink_->OnUp(KafkaCapabilities());
    return;
  }
  Lose(ConnectStatus(contact_error_.value_or(RD_KAFKA_RESP_ERR__TIMED_OUT),
                     Where(), control_->Reasons(), UsesScram(broker_),
                     rd_kafka_version()));
}

driver::Progress KafkaConnection::Run(absl::Time now) {
  driver::Progress progress;
  if (state_ == State::kDead) return progress;
  now_ = now;
  next_ = absl::InfiniteFuture();
  woken_ = false;
  uint64_t count = 0;
  // Cleared before the queues are read: what comes later wakes again.
  if (read(fd_, &count, sizeof(count)) > 0) progress.worked = true;
  if (background_.RunResults() > 0) progress.worked = true;
  brief_.RunResults();
  PollControl();
  if (state_ == State::kConnecting && contact_error_ &&
      now >= contact_deadline_) {
    OnContact(absl::UnavailableError("no contact"));
  }
  if (RunHandles()) progress.worked = true;
  for (driver::Reply& reply : std::exchange(replies_, {})) {
    sink_->OnReply(std::move(reply));
    progress.worked = true;
  }
  if (state_ == State::kLosing && ContinueLosing()) progress.worked = true;
  if (state_ == State::kClosing && ContinueClosing()) progress.worked = true;
  if (state_ == State::kConnecting && contact_error_) {
    next_ = std::min(next_, contact_deadline_);
  }
  if (state_ == State::kLosing || state_ == State::kClosing) {
    next_ = std::min({next_, end_by_, now + absl::Milliseconds(20)});
  }
  progress.next = state_ == State::kDead ? absl::InfiniteFuture() : next_;
  return progress;
}

void KafkaConnection::PollControl() {
  constexpr int kMax = 64;
  for (int i = 0; i < kMax; ++i) {
    const Owned<rd_kafka_event_t> event(
        rd_kafka_queue_poll(control_queue_.get(), 0));
    if (event == nullptr) return;
    if (rd_kafka_event_type(event.get()) == RD_KAFKA_EVENT_ERROR) {
      Judge(rd_kafka_event_error(event.get()), *control_.get());
    }
  }
}

// An error event of one of the clients.
void KafkaConnection::Judge(rd_kafka_resp_err_t error, const Client& client) {
  if (state_ == State::kLosing || state_ == State::kDead) return;
  if (CodeOf(error) == absl::StatusCode::kUnauthenticated) {
    Lose(ConnectStatus(error, Where(), client.Reasons(), UsesScram(broker_),
                       rd_kafka_version()));
    return;
  }
  if (state_ == State::kConnecting) {
    if (!contact_error_) {
      contact_deadline_ = std::min(contact_deadline_, now_ + kSecondChance);
    }
    contact_error_ = error;
    return;
  }
  if (error == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN) Verify(client);
}

void KafkaConnection::Verify(const Client& client) {
  if (std::exchange(verifying_, true)) return;
  const bool posted = brief_.Post(
      [this, control = std::make_shared<ClientRef>(control_.Share()),
       reasons = client.Reasons()](
          const std::atomic<bool>& stop) -> Background::Result {
        const absl::Status status =
            Ping(*control->get(), {absl::Now() + kVerify, &stop});
        return [this, status, reasons] {
          verifying_ = false;
          if (status.ok() || state_ == State::kDead) return;
          Lose(MakeStatus(
              absl::StatusCode::kUnavailable, "{}: connection lost: {}",
              Where(),
              reasons.empty() ? MessageOf(status) : std::string_view(reasons)));
        };
      });
  if (!posted) verifying_ = false;
}

bool KafkaConnection::RunHandles() {
  bool worked = false;
  for (const auto& producer : producers_) {
    if (producer->Poll(kReportsPerRun, now_)) worked = true;
    if (const auto error = producer->TakeError()) {
      Judge(*error, producer->client());
    }
    if (!producer->fatal().ok() && state_ != State::kLosing) {
      Lose(producer->fatal());
    }
    const absl::Duration idle = producer->Idle(now_);
    if (idle > broker_.idle_timeout && state_ == State::kUp) {
      Lose(MakeStatus(absl::StatusCode::kUnavailable,
                      "{}: no answer to what was sent for {}", Where(),
                      absl::FormatDuration(idle)));
    }
    if (producer->in_flight() > 0) {
      next_ = std::min(next_, now_ + absl::Seconds(1));
    }
  }
  // By index: a sink may open handles.
  for (size_t i = 0; i < senders_.size(); ++i) {
    if (senders_[i]->Run()) worked = true;
  }
  if (state_ == State::kLosing) return worked;
  for (size_t i = 0; i < receivers_.size(); ++i) {
    Receiver* receiver = receivers_[i];
    if (receiver->closed()) continue;
    if (receiver->Run(now_)) worked = true;
    next_ = std::min(next_, receiver->next());
    if (const auto error = receiver->TakeError()) {
      Judge(*error, receiver->client());
    }
  }
  return worked;
}

absl::StatusOr<Producer*> KafkaConnection::ProducerFor(
    const QueueConfig& queue) {
  Settings settings = ProducerSettings(broker_, queue);
  for (const auto& producer : producers_) {
    if (producer->settings() == settings) return producer.get();
  }
  Producer::Limits limits;
  limits.messages =
      NumberIn(broker_, queue, "queue.buffering.max.messages", limits.messages);
  limits.bytes = NumberIn(broker_, queue, "queue.buffering.max.kbytes",
                          limits.bytes / 1024) *
                 1024;
  TIELINE_ASSIGN_OR_RETURN(std::unique_ptr<Producer> made,
                           Producer::Make(std::move(settings), limits));
  Watch(made->queue());
  producers_.push_back(std::move(made));
  return producers_.back().get();
}

absl::StatusOr<std::unique_ptr<driver::SenderDriver>>
KafkaConnection::OpenSender(const driver::SenderSpec& spec,
                            driver::SenderSink* sink) {
  TIELINE_RETURN_IF_ERROR(CheckQueue(spec.queue));
  if (state_ == State::kClosing || state_ == State::kDead) {
    return absl::FailedPreconditionError(Where() + ": closed");
  }
  TIELINE_ASSIGN_OR_RETURN(Producer * producer, ProducerFor(spec.queue));
  auto sender =
      std::make_unique<Sender>(++numbers_, spec, sink, this, producer);
  senders_.push_back(sender.get());
  CheckTopic(sender.get());
  return sender;
}

absl::StatusOr<std::unique_ptr<driver::ReceiverDriver>>
KafkaConnection::OpenReceiver(const driver::ReceiverSpec& spec,
                              driver::ReceiverSink* sink) {
  TIELINE_RETURN_IF_ERROR(CheckQueue(spec.queue));
  if (state_ == State::kClosing || state_ == State::kDead) {
    return absl::FailedPreconditionError(Where() + ": closed");
  }
  TIELINE_ASSIGN_OR_RETURN(
      ClientRef client,
      Client::Make(RD_KAFKA_CONSUMER,
                   ConsumerSettings(broker_, spec.queue, spec.browse,
                                    rd_kafka_version()),
                   RD_KAFKA_EVENT_REBALANCE | RD_KAFKA_EVENT_ERROR |
                       RD_KAFKA_EVENT_OFFSET_COMMIT));
  auto receiver = std::make_unique<Receiver>(++numbers_, spec, sink, this,
                                             std::move(client),
                                             PrefetchOf(broker_, spec.queue));
  receivers_.push_back(receiver.get());
  CheckTopic(receiver.get());
  return receiver;
}

void KafkaConnection::Drop(Sender* sender) { std::erase(senders_, sender); }

void KafkaConnection::Drop(Receiver* receiver) {
  std::erase(receivers_, receiver);
}

void KafkaConnection::Close(absl::Time deadline) {
  if (state_ == State::kDead || state_ == State::kLosing) return;
  state_ = State::kClosing;
  end_by_ = deadline;
  for (Sender* sender : senders_) sender->Close();
  for (Receiver* receiver : receivers_) receiver->Close();
  WakeOnce();
}

bool KafkaConnection::ContinueClosing() {
  const bool open = std::any_of(senders_.begin(), senders_.end(),
                                [](const Sender* s) { return !s->closed(); }) ||
                    std::any_of(receivers_.begin(), receivers_.end(),
                                [](const Receiver* r) { return !r->closed(); });
  if (open && now_ < end_by_) return false;
  lost_why_ = absl::OkStatus();
  End(absl::UnavailableError(Where() + ": closed before it answered"));
  return true;
}

void KafkaConnection::Lose(absl::Status why) {
  if (state_ == State::kLosing || state_ == State::kDead) return;
  // A close that meets a dead broker ends as a close.
  lost_why_ = state_ == State::kClosing ? absl::OkStatus() : std::move(why);
  state_ = State::kLosing;
  end_by_ = now_ + kPurge;
  for (Sender* sender : senders_) sender->Stop();
  for (const auto& producer : producers_) {
    if (!producer->fatal().ok()) {
      // Its own word on what was in flight is not to be trusted.
      producer->Abandon(lost_why_);
    } else {
      producer->Purge();
    }
  }
}

bool KafkaConnection::ContinueLosing() {
  const bool waiting = std::any_of(
      producers_.begin(), producers_.end(),
      [](const auto& p) { return p->fatal().ok() && p->in_flight() > 0; });
  if (waiting && now_ < end_by_) return false;
  End(lost_why_.ok()
          ? absl::UnavailableError(Where() + ": closed before it answered")
          : lost_why_);
  return true;
}

// Answers all that is open, then says the last word.
void KafkaConnection::End(const absl::Status& why) {
  for (const auto& producer : producers_) producer->Abandon(why);
  for (size_t i = 0; i < senders_.size(); ++i) {
    senders_[i]->Stop();
    senders_[i]->Run();
  }
  for (size_t i = 0; i < receivers_.size(); ++i) receivers_[i]->Lose(why);
  for (driver::Reply& reply : std::exchange(replies_, {})) {
    sink_->OnReply(std::move(reply));
  }
  for (const uint64_t cookie : std::exchange(asked_, {})) {
    driver::Reply reply;
    reply.cookie = cookie;
    reply.status = why;
    sink_->OnReply(std::move(reply));
  }
  control_->SkipLeave();
  state_ = State::kDead;
  sink_->OnLost(lost_why_);
}

}  // namespace kafka
}  // namespace tieline::inline v0
