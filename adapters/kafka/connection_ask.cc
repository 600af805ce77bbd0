// KafkaConnection: the rare operations.

#include <algorithm>
#include <memory>
#include <utility>

#include "adapters/kafka/connection.h"
#include "adapters/kafka/remainder.h"
#include "adapters/kafka/settings.h"
#include "lib/base/status.h"

namespace tieline::inline v0 {
namespace kafka {
namespace {

using Op = driver::Request::Op;

bool IsKnown(Op op) {
  switch (op) {
    case Op::kPeek:
    case Op::kDepth:
    case Op::kDrainMark:
    case Op::kListEntities:
    case Op::kCreateEntity:
    case Op::kDeleteEntity:
    case Op::kPing:
    case Op::kUndrained:
    case Op::kFixStart:
      return true;
    default:
      return false;
  }
}

template <typename T, typename Put>
absl::Status Into(absl::StatusOr<T> result, Put put) {
  if (!result.ok()) return result.status();
  put(*std::move(result));
  return absl::OkStatus();
}

// Whether the request reads, with a client of its own.
bool Reads(Op op) {
  return op == Op::kPeek || op == Op::kUndrained || op == Op::kFixStart;
}

Settings ReaderSettings(const BrokerConfig& broker, const QueueConfig& queue) {
  Settings settings = ConsumerSettings(broker, queue, true, rd_kafka_version());
  settings.push_back({"enable.partition.eof", Secret("true")});
  return settings;
}

absl::StatusOr<int64_t> AskRemainder(const Client& control,
                                     GroupClients& groups,
                                     const Settings& reader,
                                     const driver::Request& request,
                                     FoundRecords* found,
                                     const Patience& patience) {
  const auto ask =
      request.op == Op::kUndrained ? &kafka::Undrained : &kafka::FixStart;
  // The control client's isolation level is the default, read_committed.
  const auto level = std::find_if(
      reader.rbegin(), reader.rend(),
      [](const Setting& s) { return s.name == "isolation.level"; });
  if (level == reader.rend() || level->value.Reveal() == "read_committed") {
    return ask({control, groups, reader, found}, request.queue, patience);
  }
  TIELINE_ASSIGN_OR_RETURN(const ClientRef own,
                           Client::Make(RD_KAFKA_CONSUMER, reader, 0));
  return ask({*own.get(), groups, reader, found}, request.queue, patience);
}

// On the background thread.
driver::Reply Carry(const Client& control, GroupClients& groups,
                    const Settings& reader, const driver::Request& request,
                    FoundRecords* found, const Patience& patience) {
  driver::Reply reply;
  switch (request.op) {
    case Op::kPeek:
      reply.status = Into(Peek(reader, control, groups, request, patience),
                          [&](auto v) { reply.inbound = std::move(v); });
      break;
    case Op::kDepth:
      reply.status = Into(Depth(control, groups, request.queue, patience),
                          [&](int64_t v) { reply.count = v; });
      break;
    case Op::kDrainMark:
      reply.status = Into(EndOffsets(control, request.queue, patience),
                          [&](auto v) { reply.numbers = std::move(v); });
      break;
    case Op::kListEntities:
      reply.status = Into(ListTopics(control, patience),
                          [&](auto v) { reply.entities = std::move(v); });
      break;
    case Op::kCreateEntity: {
      reply.status = CreateTopic(control, request.queue, patience);
      if (reply.status.ok()) {
        // Until every broker that was asked knows it.
        QueueConfig queue = request.queue;
        queue.create = true;
        reply.status = LookUpTopic(control, queue, patience).status();
      }
      break;
    }
    case Op::kDeleteEntity:
      reply.status = DeleteTopic(control, request.queue.entity, patience);
      break;
    case Op::kPing:
      reply.status = Ping(control, patience);
      break;
    case Op::kUndrained:
    case Op::kFixStart:
      reply.status =
          Into(AskRemainder(control, groups, reader, request, found, patience),
               [&](int64_t v) { reply.count = v; });
      break;
    default:
      reply.status = absl::UnimplementedError("Kafka has no such thing");
  }
  return reply;
}

}  // namespace

void KafkaConnection::Ask(uint64_t cookie, driver::Request request) {
  asked_.push_back(cookie);
  absl::Status refused;
  if (!IsKnown(request.op)) {
    refused = absl::UnimplementedError("Kafka has no such thing");
  } else if (request.op != Op::kListEntities && request.op != Op::kPing) {
    refused = CheckQueue(request.queue);
  }
  if (state_ == State::kClosing || state_ == State::kDead) {
    refused = absl::FailedPreconditionError(Where() + ": closed");
  }
  if (refused.ok()) {
    const absl::Duration left =
        std::clamp(request.deadline - now_, absl::Milliseconds(1),
                   broker_.connect_timeout);
    if (request.op == Op::kDeleteEntity) {
      known_topics_.erase(request.queue.entity);
    }
    Settings reader;
    if (Reads(request.op)) reader = ReaderSettings(broker_, request.queue);
    const bool posted =
        Post([this, cookie, left, reader = std::move(reader),
              request = std::move(request), found = found_records_,
              groups = group_clients_,
              control = std::make_shared<ClientRef>(control_.Share())](
                 const std::atomic<bool>& stop) -> Background::Result {
          auto reply = std::make_shared<driver::Reply>(
              Carry(*control->get(), *groups, reader, request, found.get(),
                    {absl::Now() + left, &stop}));
          reply->cookie = cookie;
          return [this, reply] { Reply(std::move(*reply)); };
        });
    if (posted) return;
    refused = absl::ResourceExhaustedError("too many requests are waiting");
  }
  driver::Reply reply;
  reply.cookie = cookie;
  reply.status = refused;
  Reply(std::move(reply));
  WakeOnce();
}

void KafkaConnection::Reply(driver::Reply reply) {
  if (std::erase(asked_, reply.cookie) == 0) return;
  replies_.push_back(std::move(reply));
}

}  // namespace kafka
}  // namespace tieline::inline v0
