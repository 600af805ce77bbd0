#include "tools/charger_load.h"

#include <vector>

#include "tests/support/catch.h"

namespace tieline::tools {
namespace {

std::vector<Message> Load(size_t count) {
  ChargerSource source(2);
  std::vector<Message> messages;
  for (size_t i = 0; i < count; ++i) messages.push_back(source.Next());
  return messages;
}

TEST_CASE("the demo's check counts what came once and in order") {
  ChargerCheck check;
  for (const Message& message : Load(10)) check.Add(message);
  CHECK(check.counts().received == 10);
  CHECK(check.counts().duplicates == 0);
  CHECK(check.counts().out_of_order == 0);
}

TEST_CASE("the demo's check sees loss, disorder and duplicates") {
  const std::vector<Message> messages = Load(6);
  ChargerCheck check;
  check.Add(messages[0]);
  check.Add(messages[0]);
  CHECK(check.counts().duplicates == 1);
  check.Add(messages[4]);  // messages[2] of the same charger is missing
  CHECK(check.counts().out_of_order == 1);
  check.Add(Message("without a number"));
  CHECK(check.counts().malformed == 1);
  CHECK(check.counts().received == 2);
}

}  // namespace
}  // namespace tieline::tools
