// What `tieline dlq` is made of: marks, choice, and taking dead letters out of
// a place in memory.
#include "tools/dead_letters.h"

#include <atomic>
#include <string>
#include <utility>
#include <vector>

#include "lib/base/status.h"
#include "tests/support/catch.h"
#include "tieline/memory.h"
#include "tools/dead_letter_taker.h"

namespace tieline::tools {
namespace {

using Bodies = std::vector<std::string>;

constexpr absl::Duration kLong = absl::Seconds(20);
constexpr absl::Duration kSoon = absl::Milliseconds(50);

DeadLetterPlace InOrder() {
  DeadLetterPlace place;
  place.source = "q";
  place.entity = "q.dead-letter";
  place.settles_singly = false;
  return place;
}

DeadLetterPlace Singly() {
  DeadLetterPlace place = InOrder();
  place.settles_singly = true;
  return place;
}

// Shows the choice letters called "PARTITION:POSITION"; "x0:5" is another
// queue's. Returns how many it wanted to see.
size_t ShowTo(DeadLetterChoice* choice, const std::vector<std::string>& ids) {
  size_t seen = 0;
  for (std::string id : ids) {
    ++seen;
    DeadLetter letter;
    letter.is_of_source = id[0] != 'x';
    if (!letter.is_of_source) id.erase(0, 1);
    letter.partition = id[0] - '0';
    letter.id = std::move(id);
    if (!choice->See(letter)) break;
  }
  return seen;
}

TEST_CASE("a choice of ids is complete when all of them were seen") {
  DeadLetterChoice choice({"0:2", "1:0"}, 100, Singly());
  CHECK(ShowTo(&choice, {"0:1", "0:2", "1:0", "1:1"}) == 3);
  CHECK(choice.Check().ok());
  CHECK(choice.Has("0:2"));
  CHECK(choice.Has("1:0"));
  CHECK_FALSE(choice.Has("0:1"));
  CHECK(choice.size() == 2);
}

TEST_CASE("ids that are not there are named") {
  DeadLetterChoice choice({"0:2", "7:7", "8:8"}, 100, Singly());
  CHECK(ShowTo(&choice, {"0:1", "0:2"}) == 2);
  CHECK(choice.Check().code() == absl::StatusCode::kNotFound);
  CHECK(MessageOf(choice.Check()) ==
        "there is no dead letter 7:7, nor 1 others that were asked for");
}

TEST_CASE("the dead letters of another queue can't be chosen") {
  DeadLetterChoice one({"0:1"}, 100, Singly());
  ShowTo(&one, {"x0:1"});
  CHECK(one.Check().code() == absl::StatusCode::kNotFound);
  DeadLetterChoice all({}, 100, Singly());
  ShowTo(&all, {"x0:1", "0:2"});
  CHECK(all.size() == 1);
  CHECK(all.Has("0:2"));
}

TEST_CASE("where settling is in order, the chosen ones must be the oldest") {
  DeadLetterChoice oldest({"0:0", "0:1", "1:4"}, 100, InOrder());
  ShowTo(&oldest, {"0:0", "0:1", "0:2", "1:4"});
  CHECK(oldest.Check().ok());
  DeadLetterChoice middle({"0:1"}, 100, InOrder());
  ShowTo(&middle, {"0:0", "0:1"});
  CHECK(middle.Check().code() == absl::StatusCode::kFailedPrecondition);
  CHECK(std::string(MessageOf(middle.Check())).find("0:1 has 0:0 before it") !=
        std::string::npos);
  // Another partition's, and another queue's, are not in the way.
  DeadLetterChoice other({"1:4"}, 100, InOrder());
  ShowTo(&other, {"0:0", "x1:3", "1:4"});
  CHECK(other.Check().ok());
  DeadLetterChoice singly({"0:1"}, 100, Singly());
  ShowTo(&singly, {"0:0", "0:1"});
  CHECK(singly.Check().ok());
}

TEST_CASE("all are the oldest so many") {
  DeadLetterChoice choice({}, 2, InOrder());
  CHECK(ShowTo(&choice, {"0:0", "1:0", "0:1", "0:2"}) == 3);
  CHECK(choice.Check().ok());
  CHECK(choice.size() == 2);
  CHECK(choice.has_more());
  DeadLetterChoice exactly({}, 2, InOrder());
  ShowTo(&exactly, {"0:0", "1:0"});
  CHECK_FALSE(exactly.has_more());
}

TEST_CASE("marks are read and taken off, and nothing else") {
  Message message("body");
  message.set_id("m").set_to("DLQ").set_partition(3);
  message.set_property("mine", Value(5));
  message.set_property("dead-letter-reason", Value("r"));
  message.set_property("dead-letter-detail", Value("d"));
  message.set_property("dead-letter-source", Value("q"));
  message.set_annotation("x-opt-ORIG-QUEUE", Value("orders"));
  message.set_annotation("x-opt-ORIG-ADDRESS", Value("a"));
  message.set_annotation("x-opt-ORIG-MESSAGE-ID", Value(int64_t{17}));
  message.set_annotation("x-opt-mine", Value(1));

  const DeadLetterMarks copy = MarksOf(DeadLetterKind::kCopy, message);
  CHECK(copy.reason == "r");
  CHECK(copy.detail == "d");
  CHECK(copy.source == "q");
  const Message of_copy =
      WithoutMarks(DeadLetterKind::kCopy, message, "q.dead-letter");
  CHECK(of_copy.properties().size() == 1);
  CHECK(of_copy.annotations().size() == 4);
  CHECK(of_copy.to() == "DLQ");
  CHECK_FALSE(of_copy.has(Field::kPartition));

  const DeadLetterMarks artemis = MarksOf(DeadLetterKind::kArtemis, message);
  CHECK(artemis.source == "orders");
  CHECK(artemis.number == "17");
  CHECK(artemis.reason == "");
  const Message of_artemis =
      WithoutMarks(DeadLetterKind::kArtemis, message, "DLQ");
  CHECK(of_artemis.properties().size() == 4);
  CHECK(of_artemis.annotations().size() == 1);
  CHECK_FALSE(of_artemis.has(Field::kTo));
  CHECK(of_artemis.id() == "m");
  CHECK(of_artemis.body_view() == "body");
  CHECK(message.properties().size() == 4);  // untouched
}

// A broker in memory whose queue "q" has given up five messages.
struct Rig {
  Rig() {
    static std::atomic<int> next{0};
    name = "dead-letters-" + std::to_string(next++);
    memory::Register();
    broker = memory::Broker::Named(name);
    memory::EntityOptions small;
    small.max_message_bytes = 100;
    REQUIRE(broker->CreateQueue("small", small).ok());
    memory::EntityOptions once;
    once.duplicate_window = absl::Hours(1);
    REQUIRE(broker->CreateQueue("once", once).ok());
    Config config;
    queue = *config.AddUrl("memory://" + name + "/q");
    other = *config.AddUrl("memory://" + name + "/small");
    place = *AddDeadLetterPlace(queue, kLong, &config);
    bus = *Bus::Open(std::move(config));
    Bury({"0", "1", "2", "3", "4"});
  }
  ~Rig() {
    bus.reset();
    memory::Broker::Remove(name);
  }

  void Bury(const Bodies& bodies) const {
    auto sender = *bus->OpenSender(queue);
    auto receiver = *bus->OpenReceiver(queue);
    for (const std::string& body : bodies) {
      REQUIRE(sender->Send(Message(body).set_id("id-" + body)).ok());
      auto delivery = receiver->Receive(kLong);
      REQUIRE(delivery.ok());
      CHECK(delivery->DeadLetter("BadCharge", "meter ran backwards").ok());
    }
    CHECK(receiver->Flush(kLong).ok());
  }

  Bodies Dead() {
    Bodies bodies;
    CHECK(LookAtDeadLetters(bus.get(), place, kLong, [&](const auto& letter) {
            CHECK(letter.marks.reason == "BadCharge");
            CHECK(letter.marks.detail == "meter ran backwards");
            bodies.emplace_back(letter.inbound->message.body_view());
            ids.push_back(letter.id);
            return true;
          }).ok());
    return bodies;
  }

  Bodies Take(const std::string& from) const {
    Bodies bodies;
    auto receiver = *bus->OpenReceiver(from);
    while (true) {
      auto delivery = receiver->Receive(kSoon);
      if (!delivery.ok()) return bodies;
      CHECK(delivery->message().properties().empty());
      bodies.emplace_back(delivery->message().body_view());
      CHECK(delivery->Complete().ok());
    }
  }

  TakeResult Run(std::vector<std::string> chosen, Sender* to) const {
    DeadLetterChoice choice(std::move(chosen), 100, place);
    CHECK(LookAtDeadLetters(bus.get(), place, kLong, [&](const auto& letter) {
            return choice.See(letter);
          }).ok());
    REQUIRE(choice.Check().ok());
    TakeOptions options;
    options.to = to;
    options.choice = &choice;
    options.idle = kSoon;
    return DeadLetterTaker(bus.get(), place, std::move(options)).Run();
  }

  std::string name;
  std::shared_ptr<memory::Broker> broker;
  std::string queue;
  std::string other;
  DeadLetterPlace place;
  std::unique_ptr<Bus> bus;
  std::vector<std::string> ids;
};

TEST_CASE("looking at dead letters takes nothing") {
  Rig rig;
  CHECK(rig.Dead() == Bodies{"0", "1", "2", "3", "4"});
  CHECK(rig.Dead() == Bodies{"0", "1", "2", "3", "4"});
}

TEST_CASE("the chosen ones are sent again, and the rest stay in their order") {
  Rig rig;
  rig.Dead();
  auto sender = *rig.bus->OpenSender(rig.queue);
  const TakeResult result = rig.Run({rig.ids[3], rig.ids[1]}, sender.get());
  CHECK(result.status.ok());
  CHECK(result.taken == 2);
  CHECK(result.failed == 0);
  CHECK(result.missing == 0);
  CHECK(rig.Take(rig.queue) == Bodies{"1", "3"});
  CHECK(rig.Dead() == Bodies{"0", "2", "4"});
}

TEST_CASE("what is refused stays a dead letter, and the others go on") {
  Rig rig;
  rig.Bury({std::string(200, 'x'), "5"});
  auto sender = *rig.bus->OpenSender(rig.other);
  const TakeResult result = rig.Run({}, sender.get());
  CHECK(result.status.ok());
  CHECK(result.taken == 6);
  CHECK(result.failed == 1);
  CHECK(result.first_failure.code() == absl::StatusCode::kInvalidArgument);
  CHECK(rig.Take(rig.other) == Bodies{"0", "1", "2", "3", "4", "5"});
  CHECK(rig.Dead() == Bodies{std::string(200, 'x')});
}

TEST_CASE("what is purged is gone, and sent nowhere") {
  Rig rig;
  const TakeResult result = rig.Run({}, nullptr);
  CHECK(result.status.ok());
  CHECK(result.taken == 5);
  CHECK(rig.Dead().empty());
  CHECK(rig.Take(rig.queue).empty());
}

TEST_CASE("a dead letter that another receiver has is missed, and stays") {
  Rig rig;
  auto holder = *rig.bus->OpenReceiver(rig.place.queue, {.credit = 1});
  auto held = holder->Receive(kLong);
  REQUIRE(held.ok());
  auto sender = *rig.bus->OpenSender(rig.queue);
  const TakeResult result = rig.Run({}, sender.get());
  CHECK(result.taken == 4);
  CHECK(result.missing == 1);
  CHECK(held->Release().ok());
  CHECK(holder->Flush(kLong).ok());
  CHECK(rig.Dead() == Bodies{"0"});
}

TEST_CASE("a queue that would drop them is given new ids, or nothing") {
  Rig rig;
  Config config = rig.bus->config();
  const std::string once = *config.AddUrl("memory://" + rig.name + "/once");
  auto bus = *Bus::Open(std::move(config));
  auto sender = *bus->OpenSender(once);
  REQUIRE(sender->WaitOpen(kLong).ok());
  REQUIRE(sender->Send(Message("first").set_id("id-0")).ok());
  const TakeResult refused = rig.Run({}, sender.get());
  CHECK(refused.status.code() == absl::StatusCode::kFailedPrecondition);
  CHECK(refused.taken == 0);
  CHECK(rig.Dead().size() == 5);
  TakeOptions options;
  options.to = sender.get();
  options.drops_ids = true;
  options.most = 10;
  options.idle = kSoon;
  CHECK(DeadLetterTaker(rig.bus.get(), rig.place, options).Run().taken == 5);
  CHECK(rig.broker->Inspect("once")->active == 6);
}

TEST_CASE("without a choice as many as come are taken, up to the most") {
  Rig rig;
  auto sender = *rig.bus->OpenSender(rig.queue);
  TakeOptions options;
  options.to = sender.get();
  options.most = 3;
  options.idle = kSoon;
  const TakeResult some =
      DeadLetterTaker(rig.bus.get(), rig.place, options).Run();
  CHECK(some.taken == 3);
  CHECK(some.may_have_more);
  CHECK(rig.Dead() == Bodies{"3", "4"});
  const TakeResult rest =
      DeadLetterTaker(rig.bus.get(), rig.place, options).Run();
  CHECK(rest.taken == 2);
  CHECK_FALSE(rest.may_have_more);
}

TEST_CASE("a stop leaves what is not done") {
  Rig rig;
  std::stop_source stop;
  stop.request_stop();
  TakeOptions options;
  options.most = 3;
  options.idle = kLong;
  options.stop = stop.get_token();
  const TakeResult result =
      DeadLetterTaker(rig.bus.get(), rig.place, options).Run();
  CHECK(result.status.code() == absl::StatusCode::kCancelled);
  CHECK(result.taken == 0);
  CHECK(rig.Dead().size() == 5);
}

}  // namespace
}  // namespace tieline::tools
