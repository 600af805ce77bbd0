// The rare operations.
#include <utility>

#include "adapters/memory/connection.h"
#include "lib/base/status.h"

namespace tieline::inline v0 {
namespace memory {

using driver::EntityInfo;
using driver::Outbound;
using driver::Outcome;
using driver::Reply;
using driver::Request;

namespace {

// The status of the first that was not accepted.
absl::Status ScheduleAll(Queue& queue, const std::vector<Message>& messages,
                         std::vector<int64_t>* numbers) {
  std::vector<Outbound> batch;
  for (const Message& message : messages) {
    if (!message.has(Field::kDeliverAt)) {
      return InvalidArgument("schedule: a message has no time to deliver at");
    }
    batch.push_back({batch.size(), &message});
  }
  std::vector<Outcome> outcomes;
  std::vector<uint64_t> lost;
  queue.Put(batch, nullptr, &outcomes, &lost);
  for (const Outcome& outcome : outcomes) {
    if (!outcome.why.ok()) return outcome.why;
    numbers->push_back(outcome.position);
  }
  return absl::OkStatus();
}

void List(const LocalBroker& broker, std::vector<EntityInfo>* out) {
  for (const EntityState& state : broker.Entities()) {
    EntityInfo info;
    info.name = state.name;
    info.kind = state.kind;
    if (state.kind != "topic") info.depth = static_cast<int64_t>(state.depth());
    info.partitions = 1;
    out->push_back(std::move(info));
  }
}

void AskQueue(Queue& queue, Request& request, Reply* reply) {
  using Op = Request::Op;
  switch (request.op) {
    case Op::kPeek:
      queue.Peek(request.from, request.max, &reply->inbound);
      break;
    case Op::kDepth:
      queue.Tick();
      reply->count = static_cast<int64_t>(queue.State().depth());
      break;
    case Op::kUndrained:
    case Op::kFixStart: {
      // A queue keeps what nobody has settled: no position is to be fixed.
      queue.Tick();
      const EntityState state = queue.State();
      reply->count = static_cast<int64_t>(state.active + state.locked);
      break;
    }
    case Op::kDrainMark:
      reply->numbers = {queue.last_sequence()};
      break;
    case Op::kSchedule:
      reply->status = ScheduleAll(queue, request.messages, &reply->numbers);
      break;
    case Op::kCancelScheduled:
      reply->status = queue.CancelScheduled(request.numbers);
      break;
    case Op::kGetSessionState: {
      absl::StatusOr<Bytes> state = queue.SessionState(request.lane);
      reply->status = state.status();
      if (state.ok()) reply->state = *std::move(state);
      break;
    }
    case Op::kSetSessionState:
      reply->status = queue.SetSessionState(request.lane, request.state);
      break;
    default:
      reply->status = absl::UnimplementedError("memory: not for a queue");
  }
}

}  // namespace

Reply Fulfil(LocalBroker& broker, const Entity* entity, Request& request) {
  using Op = Request::Op;
  Reply reply;
  if (entity != nullptr) {
    if (entity->queue == nullptr) {
      reply.status = absl::UnimplementedError(
          entity->topic->name() +
          ": a topic holds nothing; ask a subscription");
    } else {
      AskQueue(*entity->queue, request, &reply);
    }
    return reply;
  }
  if (request.op == Op::kListEntities) {
    List(broker, &reply.entities);
  } else if (request.op == Op::kCreateEntity) {
    absl::StatusOr<EntityOptions> options =
        OptionsFrom(request.queue, broker.options().defaults);
    reply.status = options.ok()
                       ? broker.CreateQueue(request.queue.entity, *options)
                       : options.status();
  } else if (request.op == Op::kDeleteEntity) {
    reply.status = broker.Delete(request.queue.entity);
  }
  return reply;
}

}  // namespace memory
}  // namespace tieline::inline v0
