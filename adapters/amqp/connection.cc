#include "adapters/amqp/connection.h"

#include <algorithm>
#include <utility>

#include "adapters/amqp/errors.h"
#include "adapters/amqp/receiver.h"
#include "adapters/amqp/requests.h"
#include "adapters/amqp/sender.h"
#include "lib/base/status.h"

namespace tieline::inline v0::amqp {
namespace {

// Of one turn, at most.
constexpr int kMaxWrites = 8;
constexpr size_t kMaxPieces = 64;

wire::EngineOptions Options(const Settings& settings) {
  return settings.engine;
}

}  // namespace

AmqpConnection::AmqpConnection(const BrokerConfig& broker, Settings settings,
                               std::unique_ptr<Transport> transport,
                               driver::ConnectionSink* sink,
                               driver::Waker* waker, absl::Time give_up)
    : where_(fmt::format("broker {} ({})", broker.name,
                         broker.url.HostList(settings.tls ? 5671 : 5672))),
      settings_(std::move(settings)),
      transport_(std::move(transport)),
      sink_(sink),
      waker_(waker),
      give_up_(give_up),
      engine_(Options(settings_), this),
      requests_(std::make_unique<Requests>(this)) {}

AmqpConnection::~AmqpConnection() = default;

driver::PollSet AmqpConnection::pollable() const {
  return transport_->pollable(connected_ && !engine_.output()->empty());
}

driver::Progress AmqpConnection::Run(absl::Time now) {
  driver::Progress progress;
  if (lost_) return progress;
  running_ = true;
  touched_ = false;
  now_ = now;
  if (!ended_ && !connected_) progress.worked = Connect(now);
  if (!ended_ && connected_ && Read()) progress.worked = true;
  DeliverAll();
  requests_->Run(now);
  engine_.Flush(now);
  DeliverAll();
  engine_.Flush(now);  // what the sinks did meanwhile
  absl::Time next = connected_ ? engine_.Tick(now)
                               : std::min(transport_->deadline(), give_up_);
  if (connected_ && Write()) progress.worked = true;
  GoOnClosing(now);
  if (ended_ && !lost_) Lose(end_);
  progress.next =
      lost_ ? absl::InfiniteFuture()
            : std::min({next, gathering_.read_at(), requests_->deadline(),
                        close_by_, up_ ? absl::InfiniteFuture() : give_up_});
  progress.worked = progress.worked || !ready_.empty() || requests_->answered();
  if (gathering_.early(now)) progress.rests_until = gathering_.read_at();
  running_ = false;
  return progress;
}

bool AmqpConnection::Connect(absl::Time now) {
  absl::StatusOr<bool> ready = transport_->Connect(now);
  if (!ready.ok()) {
    ended_ = true;
    end_ = Annotate(ready.status(), where_);
    return true;
  }
  connected_ = *ready;
  return connected_;
}

bool AmqpConnection::Read() {
  // A turn for something else, or the one after a read: the rest, which the
  // peer is still writing, gathers as well.
  if (gathering_.early(now_) && !transport_->Readable()) return false;
  // One piece a turn: what it brings is settled, and credit given again, while
  // the peer sends the next.
  const std::span<char> room = engine_.InputRoom();
  const Transferred read = transport_->Read(room);
  if (read.bytes > 0) {
    engine_.Consume(read.bytes);
  } else if (!read.error.ok()) {
    ended_ = true;
    end_ = Annotate(read.error, where_);
  } else if (read.closed) {
    engine_.CloseInput();
  }
  if (!up_ && !ended_ && now_ >= give_up_) {
    ended_ = true;
    end_ = MakeStatus(absl::StatusCode::kUnavailable,
                      "{}: the connection was not opened within the connect "
                      "time-out: check that the port speaks AMQP 1.0",
                      where_);
  }
  gathering_.OnRead(now_, read.bytes);
  FollowGathering();
  return read.bytes > 0 && !read.drained;
}

void AmqpConnection::FollowGathering() {
  if (gathering_.due(now_)) {
    gathering_.Judge(now_, [this] {
      OnTheWay all;
      for (const Handle* handle : handles_) handle->AddTo(&all);
      return all;
    });
  }
  if (waits_ == gathering_.waits()) return;
  waits_ = gathering_.waits();
  transport_->WakeAt(waits_ ? Gathering::kPiece : 1);
}

void AmqpConnection::Heed(Tuning tuning) {
  if (tuning != Tuning::kLatency) return;
  gathering_.Forbid();
  FollowGathering();
}

bool AmqpConnection::Write() {
  wire::Output* output = engine_.output();
  bool any = false;
  for (int i = 0; i < kMaxWrites && !output->empty(); ++i) {
    iovec pieces[kMaxPieces];
    size_t count = output->Gather(pieces, kMaxPieces);
    Transferred written = transport_->Write({pieces, count});
    if (!written.error.ok() && !ended_) {
      ended_ = true;
      end_ = Annotate(written.error, where_);
    }
    if (written.bytes == 0) break;
    any = true;
    output->Written(written.bytes);
  }
  if (any && HasRoom()) {
    for (Handle* handle : std::exchange(blocked_, {})) MarkReady(handle);
  }
  return any && !output->empty();
}

void AmqpConnection::DeliverAll() {
  // Sinks may make more ready: those come in the next turn.
  for (Handle* handle : std::exchange(ready_, {})) {
    if (std::find(handles_.begin(), handles_.end(), handle) != handles_.end()) {
      handle->Deliver();
    }
  }
}

void AmqpConnection::Touch() {
  if (running_ || touched_) return;
  touched_ = true;
  waker_->Wake();
}

std::string AmqpConnection::NewLinkName(std::string_view entity) {
  return fmt::format("{}-{}-{}", settings_.engine.container_id, ++links_,
                     entity);
}

void AmqpConnection::Add(Handle* handle) {
  handles_.push_back(handle);
  if (up_) handle->OnUp();
  Touch();
}

void AmqpConnection::Remove(Handle* handle) {
  std::erase(handles_, handle);
  std::erase(ready_, handle);
  std::erase(blocked_, handle);
  Touch();
}

absl::StatusOr<std::unique_ptr<driver::SenderDriver>>
AmqpConnection::OpenSender(const driver::SenderSpec& spec,
                           driver::SenderSink* sink) {
  TIELINE_RETURN_IF_ERROR(CheckQueue(spec.queue));
  Heed(spec.queue.tuning);
  return std::make_unique<AmqpSender>(this, spec, sink);
}

absl::StatusOr<std::unique_ptr<driver::ReceiverDriver>>
AmqpConnection::OpenReceiver(const driver::ReceiverSpec& spec,
                             driver::ReceiverSink* sink) {
  TIELINE_RETURN_IF_ERROR(CheckQueue(spec.queue));
  Heed(spec.queue.tuning);
  return std::make_unique<AmqpReceiver>(this, spec, sink);
}

void AmqpConnection::Ask(uint64_t cookie, driver::Request request) {
  requests_->Ask(cookie, std::move(request));
  Touch();
}

void AmqpConnection::Close(absl::Time deadline) {
  if (closing_) return;
  closing_ = true;
  close_by_ = deadline;
  requests_->Close();
  // Links first: RabbitMQ forgets settlements that a close overtakes.
  for (Handle* handle : std::vector<Handle*>(handles_)) handle->BeginClose();
  Touch();
}

void AmqpConnection::GoOnClosing(absl::Time now) {
  if (!closing_ || ended_) return;
  bool open = std::any_of(handles_.begin(), handles_.end(),
                          [](Handle* one) { return !one->closed(); });
  if (!up_ || now >= close_by_) {
    ended_ = true;
  } else if (!open && !engine_.finished()) {
    engine_.Close();
    Write();
  }
}

void AmqpConnection::Lose(const absl::Status& why) {
  absl::Status told =
      closing_ ? MakeStatus(absl::StatusCode::kUnavailable,
                            "{}: the connection was closed before the broker "
                            "had answered",
                            where_)
               : why;
  for (Handle* handle : std::vector<Handle*>(handles_)) handle->OnLost(told);
  requests_->OnLost(told);
  lost_ = true;
  sink_->OnLost(closing_ ? absl::OkStatus() : why);
}

void AmqpConnection::OnOpened() {
  up_ = true;
  product_ = ProductOf(engine_.remote_property("product"));
  sink_->OnUp(capabilities());
  for (Handle* handle : std::vector<Handle*>(handles_)) handle->OnUp();
}

void AmqpConnection::OnAttach(wire::Link* link) {
  link->Refuse({"amqp:not-allowed", "this client offers no links", ""});
}

void AmqpConnection::OnPong() { requests_->OnPong(); }

void AmqpConnection::OnClosed(const wire::Condition& why) {
  if (ended_) return;
  ended_ = true;
  bool refused = why.name == "amqp:unauthorized-access";
  if (refused) {
    end_ = MakeStatus(absl::StatusCode::kUnauthenticated,
                      "{}: the broker refused the credentials ({}): check "
                      "auth.user, its password, and auth.sasl",
                      where_, why.ToString());
  } else if (!up_) {
    end_ = MakeStatus(absl::StatusCode::kUnavailable,
                      "{}: the connection could not be opened ({}): check "
                      "that the port speaks AMQP 1.0, and the credentials",
                      where_, why.ToString());
  } else {
    end_ =
        MakeStatus(absl::StatusCode::kUnavailable,
                   "{}: the connection was lost ({})", where_, why.ToString());
  }
}

}  // namespace tieline::inline v0::amqp
