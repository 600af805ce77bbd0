// The messages of a relay run: message number i is made from i alone, so that
// the far end knows every byte and field of it without having seen it sent.
//
// Threads: stateless.
#ifndef TIELINE_TESTS_ACCEPTANCE_RELAY_MESSAGES_H_
#define TIELINE_TESTS_ACCEPTANCE_RELAY_MESSAGES_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "tieline/message.h"

namespace tieline::relay_check {

struct Plan {
  uint64_t keys = 1000;
  uint64_t seed = 1;
  // Bodies of up to 200 KiB now and then; else of up to 1 KiB.
  bool large_bodies = true;
  // RabbitMQ takes a user id for the sender's name and refuses others.
  bool user_ids = true;
};

// Number `i`: its id is "m-<i>", its key that of i % keys, and its property
// "seq" its place among the messages of that key. Most have 100 bytes and four
// properties; every type of value, kind of body and field comes in turn.
Message MakeMessage(const Plan& plan, uint64_t i);

// Whether its place among the messages of its key is promised: not with a
// deliver-at, though long past, or a priority, by which brokers may reorder.
bool KeepsOrder(const Message& sent);

// The number of a message by its id; nullopt when it is none of the run's.
std::optional<uint64_t> NumberOf(const Message& message);

// The aspects in which `got` differs from what was sent, in words: "body",
// "subject", "property uuid", ...; and in `compared` all that were compared.
// Fields that were not set when sending may be there.
struct Comparison {
  std::vector<std::string> compared;
  std::vector<std::string> lost;     // not there any more
  std::vector<std::string> changed;  // there, but not the same
};
Comparison Compare(const Message& sent, const Message& got);

}  // namespace tieline::relay_check

#endif  // TIELINE_TESTS_ACCEPTANCE_RELAY_MESSAGES_H_
