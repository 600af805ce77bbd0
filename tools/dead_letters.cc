#include "tools/dead_letters.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <utility>

#include "lib/base/status.h"
#include "tools/options.h"

namespace tieline::tools {
namespace {

constexpr uint32_t kPage = 1000;
// What Artemis is shipped with, and most leave as it is.
constexpr std::string_view kArtemisDefault = "DLQ";
constexpr std::string_view kMemorySuffix = "/$DeadLetterQueue";

using Op = driver::Request::Op;

// Artemis dead-letters by itself, and is the AMQP broker that lists its queues.
absl::Status FindOnAmqp(const Config& config, const QueueConfig& queue,
                        absl::Duration timeout, DeadLetterPlace* place) {
  TIELINE_ASSIGN_OR_RETURN(const std::unique_ptr<Bus> bus,
                           OpenBus(config, false));
  const auto entities = bus->ListEntities(queue.broker, timeout);
  if (entities.status().code() == absl::StatusCode::kUnimplemented) {
    place->entity = DeadLetterCopiesOf(queue);
    place->can_look = false;
    return absl::OkStatus();
  }
  TIELINE_RETURN_IF_ERROR(entities.status());
  place->kind = DeadLetterKind::kArtemis;
  place->entity = queue.dead_letter_entity.empty()
                      ? std::string(kArtemisDefault)
                      : queue.dead_letter_entity;
  const size_t colons = place->entity.find("::");
  const std::string name = colons == std::string::npos
                               ? place->entity
                               : place->entity.substr(colons + 2);
  const bool is_there =
      std::any_of(entities->begin(), entities->end(),
                  [&](const auto& one) { return one.name == name; });
  if (is_there) return absl::OkStatus();
  return MakeStatus(
      absl::StatusCode::kNotFound,
      "{}: there is no queue {} for dead letters; name the one of the broker's "
      "dead-letter-address with dead_letter",
      queue.broker, name);
}

int64_t NextOf(const driver::Reply& reply) {
  int64_t next = 0;
  for (const driver::Inbound& one : reply.inbound) {
    next = std::max(next, one.position + 1);
  }
  return next;
}

}  // namespace

absl::StatusOr<DeadLetterPlace> AddDeadLetterPlace(const std::string& queue,
                                                   absl::Duration timeout,
                                                   Config* config) {
  QueueConfig copy = config->queues.at(queue);
  const std::string& scheme = config->brokers.at(copy.broker).url.scheme;
  DeadLetterPlace place;
  place.source = copy.entity;
  if (scheme == "memory") {
    place.kind = DeadLetterKind::kMemory;
    place.entity = copy.entity + std::string(kMemorySuffix);
  } else if (scheme.starts_with("kafka")) {
    place.entity = DeadLetterCopiesOf(copy);
    place.settles_singly = false;
    // One for all groups of the queue: what one of them has sent again, the
    // others have received again too.
    copy.group = "tieline-dlq." + copy.entity;
  } else {
    TIELINE_RETURN_IF_ERROR(FindOnAmqp(*config, copy, timeout, &place));
  }
  place.queue = queue + ".dead-letters";
  while (config->queues.count(place.queue) != 0) place.queue += "-";
  copy.name = place.queue;
  copy.entity = place.entity;
  copy.generation = 1;
  copy.was.clear();
  copy.ordered = Order::kNone;
  copy.member.clear();
  copy.start = "earliest";
  copy.create = false;
  copy.dedupe = absl::ZeroDuration();
  // Of the queue's own link.
  copy.settings.erase("receiver_name");
  copy.settings.erase("kind");
  config->queues.emplace(place.queue, std::move(copy));
  return place;
}

DeadLetter DeadLetterOf(const DeadLetterPlace& place,
                        const driver::Inbound& inbound, int32_t partition) {
  DeadLetter letter;
  letter.inbound = &inbound;
  letter.partition = partition;
  letter.marks = MarksOf(place.kind, inbound.message);
  switch (place.kind) {
    case DeadLetterKind::kMemory:
      letter.id = fmt::format("{}", inbound.position);
      break;
    case DeadLetterKind::kArtemis:
      letter.id = letter.marks.number;
      letter.is_of_source = letter.marks.source == place.source;
      break;
    case DeadLetterKind::kCopy:
      if (place.can_look) {
        letter.id = fmt::format("{}:{}", partition, inbound.position);
      }
      letter.is_of_source =
          letter.marks.source.empty() || letter.marks.source == place.source;
      break;
  }
  return letter;
}

absl::Status LookAtDeadLetters(
    Bus* bus, const DeadLetterPlace& place, absl::Duration timeout,
    const std::function<bool(const DeadLetter&)>& see) {
  if (!place.can_look) {
    return MakeStatus(absl::StatusCode::kUnimplemented,
                      "{}: this broker shows no messages without giving them "
                      "away; use retry, move or purge with --all",
                      place.entity);
  }
  driver::Request request;
  request.op = Op::kPeek;
  request.max = kPage;
  if (!place.settles_singly) {
    // From what is committed on, in as many partitions as there are now.
    driver::Request ends;
    ends.op = Op::kDrainMark;
    const auto reply = bus->Ask(place.queue, std::move(ends), timeout);
    if (reply.status().code() == absl::StatusCode::kNotFound) {
      return absl::OkStatus();
    }
    TIELINE_RETURN_IF_ERROR(reply.status());
    request.numbers.assign(reply->numbers.size(), -1);
  }
  while (true) {
    auto reply = bus->Ask(place.queue, request, timeout);
    // Nobody needed it yet.
    if (reply.status().code() == absl::StatusCode::kNotFound &&
        place.kind != DeadLetterKind::kArtemis) {
      return absl::OkStatus();
    }
    TIELINE_RETURN_IF_ERROR(reply.status());
    if (reply->inbound.empty()) return absl::OkStatus();
    if (place.settles_singly) {
      request.from = NextOf(*reply);
    } else {
      std::stable_sort(reply->inbound.begin(), reply->inbound.end(),
                       [](const auto& a, const auto& b) {
                         return a.token.lane < b.token.lane;
                       });
    }
    for (const driver::Inbound& inbound : reply->inbound) {
      const auto lane = static_cast<size_t>(inbound.token.lane);
      if (lane < request.numbers.size()) {
        request.numbers[lane] = inbound.position + 1;
      }
      if (!see(DeadLetterOf(place, inbound, static_cast<int32_t>(lane)))) {
        return absl::OkStatus();
      }
    }
  }
}

DeadLetterChoice::DeadLetterChoice(std::vector<std::string> ids, uint64_t most,
                                   const DeadLetterPlace& place)
    : most_(most),
      in_order_(!place.settles_singly),
      missing_(ids.begin(), ids.end()),
      takes_all_(ids.empty()) {}

bool DeadLetterChoice::See(const DeadLetter& letter) {
  if (!letter.is_of_source || letter.id.empty()) return true;
  if (takes_all_) {
    has_more_ = chosen_.size() >= most_;
    if (!has_more_) chosen_.insert(letter.id);
    return !has_more_;
  }
  const auto before = passed_over_.find(letter.partition);
  if (missing_.erase(letter.id) == 0) {
    passed_over_.try_emplace(letter.partition, letter.id);
  } else if (in_order_ && before != passed_over_.end()) {
    if (out_of_order_.empty()) {
      out_of_order_ = fmt::format(
          "{} has {} before it in its partition, and this broker settles in "
          "order",
          letter.id, before->second);
    }
  } else {
    chosen_.insert(letter.id);
  }
  return !missing_.empty();
}

absl::Status DeadLetterChoice::Check() const {
  if (!missing_.empty()) {
    return MakeStatus(absl::StatusCode::kNotFound,
                      "there is no dead letter {}{}", *missing_.begin(),
                      missing_.size() == 1
                          ? ""
                          : fmt::format(", nor {} others that were asked for",
                                        missing_.size() - 1));
  }
  if (out_of_order_.empty()) return absl::OkStatus();
  return absl::FailedPreconditionError(out_of_order_);
}

}  // namespace tieline::tools
