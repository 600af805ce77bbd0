// What is left of a topic for a group, and where a group begins, on a real
// Kafka: transaction markers, aborted records, partitions that are added,
// groups with members.
#include <librdkafka/rdkafka.h>

#include <array>
#include <memory>
#include <string>
#include <vector>

#include "absl/time/clock.h"
#include "adapters/kafka/admin.h"
#include "adapters/kafka/offsets.h"
#include "adapters/kafka/remainder.h"
#include "tests/support/brokers.h"
#include "tests/support/catch.h"
#include "tieline/bus.h"
#include "tieline/kafka.h"

namespace tieline::kafka {
namespace {

using ::tieline::testing::Broker;

constexpr absl::Duration kLong = absl::Seconds(20);
constexpr int kLongMs = 20000;

Broker& Kafka() { return Broker::Shared("kafka"); }

// The topic of one test case, and who asks about it.
class Topic {
 public:
  explicit Topic(int partitions) {
    static int topics = 0;
    queue.entity = "drain-" + std::to_string(absl::ToUnixNanos(absl::Now())) +
                   "-" + std::to_string(++topics);
    queue.name = queue.entity;
    queue.group = "group-of-" + queue.entity;
    Kafka().CreateTopic(queue.entity, partitions);
    broker_.url = *Url::Parse(Kafka().Url("plain"));
    control_ = MakeClient(RD_KAFKA_CONSUMER, CommonSettings(broker_));
    groups_ = std::make_unique<GroupClients>(CommonSettings(broker_));
  }

  ClientRef MakeClient(rd_kafka_type_t type, const Settings& settings) const {
    absl::StatusOr<ClientRef> made = Client::Make(type, settings, 0);
    INFO(made.status().ToString());
    REQUIRE(made.ok());
    return *std::move(made);
  }
  int64_t LeftNow() { return Get(&kafka::Undrained); }
  int64_t Fix(const std::string& start) {
    queue.start = start;
    return Get(&kafka::FixStart);
  }
  absl::Status FixStatus(const std::string& start) {
    queue.start = start;
    const Settings reader = Reader();
    return FixStart({*control_.get(), *groups_, reader, &found_}, queue,
                    Patient())
        .status();
  }
  std::vector<int64_t> CommittedNow(size_t partitions) const {
    auto offsets = Committed(*groups_, queue, partitions, Patient());
    REQUIRE(offsets.ok());
    return *std::move(offsets);
  }
  std::vector<int64_t> Ends() const { return EndsBy(*control_.get()); }
  // A broker answers that a transaction has ended before its marker is there.
  void AwaitMarkers() const {
    Settings settings = CommonSettings(broker_);
    settings.push_back({"isolation.level", Secret("read_uncommitted")});
    const ClientRef all = MakeClient(RD_KAFKA_CONSUMER, settings);
    const absl::Time until = absl::Now() + kLong;
    while (Ends() != EndsBy(*all.get()) && absl::Now() < until) {
    }
    REQUIRE(Ends() == EndsBy(*all.get()));
  }
  void Commit(int64_t offset) const {
    Settings settings = CommonSettings(broker_);
    settings.push_back({"group.id", Secret(queue.group)});
    const ClientRef member = MakeClient(RD_KAFKA_CONSUMER, settings);
    const Owned<rd_kafka_topic_partition_list_t> list(
        rd_kafka_topic_partition_list_new(1));
    rd_kafka_topic_partition_list_add(list.get(), queue.entity.c_str(), 0)
        ->offset = offset;
    REQUIRE(rd_kafka_commit(member->rk(), list.get(), 0) ==
            RD_KAFKA_RESP_ERR_NO_ERROR);
  }
  void AddPartitions(int total) const {
    std::array<char, 256> error{};
    rd_kafka_NewPartitions_t* more = rd_kafka_NewPartitions_new(
        queue.entity.c_str(), static_cast<size_t>(total), error.data(),
        error.size());
    const Owned<rd_kafka_queue_t> replies(rd_kafka_queue_new(control_->rk()));
    rd_kafka_CreatePartitions(control_->rk(), &more, 1, nullptr, replies.get());
    const auto event = Await(replies.get(), "create partitions", Patient());
    rd_kafka_NewPartitions_destroy(more);
    REQUIRE(event.ok());
  }
  const BrokerConfig& broker() const { return broker_; }

  QueueConfig queue;

 private:
  std::vector<int64_t> EndsBy(const Client& client) const {
    auto ends = EndOffsets(client, queue, Patient());
    REQUIRE(ends.ok());
    return *std::move(ends);
  }
  static Patience Patient() { return {absl::Now() + kLong}; }
  Settings Reader() const {
    Settings settings =
        ConsumerSettings(broker_, queue, true, rd_kafka_version());
    settings.push_back({"enable.partition.eof", Secret("true")});
    return settings;
  }
  template <typename F>
  int64_t Get(F f) {
    const Settings reader = Reader();
    const absl::StatusOr<int64_t> n =
        f({*control_.get(), *groups_, reader, &found_}, queue, Patient());
    INFO(n.status().ToString());
    REQUIRE(n.ok());
    return *n;
  }

  BrokerConfig broker_;
  ClientRef control_;
  std::unique_ptr<GroupClients> groups_;
  FoundRecords found_;
};

// A producer of that topic, with transactions or without.
class Source {
 public:
  Source(const Topic& topic, bool transactions)
      : of_(topic), topic_(topic.queue.entity) {
    Settings settings = CommonSettings(topic.broker());
    if (transactions) {
      settings.push_back({"transactional.id", Secret("by-" + topic_)});
    }
    client_ = topic.MakeClient(RD_KAFKA_PRODUCER, settings);
    if (transactions) Check(rd_kafka_init_transactions(rk(), kLongMs));
  }
  void Begin() { Check(rd_kafka_begin_transaction(rk())); }
  void Commit() {
    Check(rd_kafka_commit_transaction(rk(), kLongMs));
    of_.AwaitMarkers();
  }
  void Abort() {
    Check(rd_kafka_abort_transaction(rk(), kLongMs));
    of_.AwaitMarkers();
  }
  // At the broker when this returns.
  void Send(int n, int32_t partition = 0) {
    std::string body = "body";
    const Owned<rd_kafka_topic_t> topic(
        rd_kafka_topic_new(rk(), topic_.c_str(), nullptr));
    for (int i = 0; i < n; ++i) {
      REQUIRE(rd_kafka_produce(topic.get(), partition, RD_KAFKA_MSG_F_COPY,
                               body.data(), body.size(), nullptr, 0,
                               nullptr) == 0);
    }
    REQUIRE(rd_kafka_flush(rk(), kLongMs) == RD_KAFKA_RESP_ERR_NO_ERROR);
  }

 private:
  rd_kafka_t* rk() const { return client_->rk(); }
  static void Check(rd_kafka_error_t* error) {
    const Owned<rd_kafka_error_t> owned(error);
    if (owned != nullptr) INFO(rd_kafka_error_string(owned.get()));
    REQUIRE(owned == nullptr);
  }

  const Topic& of_;
  std::string topic_;
  ClientRef client_;
};

TEST_CASE("a transaction's marker at the end is nothing to drain") {
  Topic topic(1);
  Source source(topic, true);
  source.Begin();
  source.Send(3);
  source.Commit();
  REQUIRE(topic.Ends() == std::vector<int64_t>{4});
  topic.Fix("2");  // one record, and the marker behind it
  CHECK(topic.LeftNow() == 2);
  topic.queue.group += "-behind";
  topic.Fix("3");
  REQUIRE(topic.CommittedNow(1) == std::vector<int64_t>{3});
  CHECK(topic.LeftNow() == 0);
}

TEST_CASE("an aborted transaction is nothing to drain or to read") {
  Topic topic(1);
  Source source(topic, true);
  source.Begin();
  source.Send(5);
  source.Abort();
  REQUIRE(topic.Ends() == std::vector<int64_t>{6});
  CHECK(topic.LeftNow() == 0);
  CHECK(topic.Fix("earliest") == 0);
  // A record behind it is found again.
  source.Begin();
  source.Send(1);
  source.Commit();
  CHECK(topic.LeftNow() > 0);
}

TEST_CASE("an open transaction's records are there when it was committed") {
  Topic topic(1);
  Source source(topic, true);
  source.Begin();
  source.Send(3);
  CHECK(topic.Ends() == std::vector<int64_t>{0});
  CHECK(topic.LeftNow() == 0);
  source.Commit();
  CHECK(topic.LeftNow() > 0);
}

TEST_CASE("a reader of open transactions has to drain them") {
  Topic topic(1);
  Source source(topic, true);
  source.Begin();
  source.Send(3);
  Config config;
  const auto queue =
      config.AddUrl(Kafka().Url("plain") + "/" + topic.queue.entity);
  REQUIRE(queue.ok());
  config.queues[*queue].settings["isolation.level"] = "read_uncommitted";
  Register();
  const auto bus = Bus::Open(std::move(config));
  REQUIRE(bus.ok());
  driver::Request ask;
  ask.op = driver::Request::Op::kUndrained;
  const auto reply = (*bus)->Ask(*queue, ask, kLong);
  INFO(reply.status().ToString());
  REQUIRE(reply.ok());
  CHECK(reply->count == 3);
  source.Abort();
}

TEST_CASE("a partition that was added is asked about") {
  Topic topic(1);
  Source source(topic, false);
  source.Send(2);
  topic.Fix("2");
  REQUIRE(topic.LeftNow() == 0);
  topic.AddPartitions(3);
  REQUIRE(topic.Ends().size() == 3);
  CHECK(topic.LeftNow() == 0);
  Source(topic, false).Send(1, 2);
  CHECK(topic.LeftNow() == 1);
}

TEST_CASE("what is left of much is not read to be counted") {
  Topic topic(2);
  Source source(topic, false);
  source.Send(static_cast<int>(kMostToRead) + 1);
  source.Send(2, 1);
  CHECK(topic.LeftNow() == kMostToRead + 3);
}

TEST_CASE("without a position, all counts for a group that begins latest") {
  Topic topic(1);
  Source(topic, false).Send(3);
  topic.queue.start = "latest";
  CHECK(topic.LeftNow() == 3);
}

TEST_CASE("a position that the topic does not have is none") {
  Topic topic(1);
  Source(topic, false).Send(3);
  // As of an earlier topic of that name, whose offsets a broker may keep.
  topic.Commit(100);
  CHECK(topic.LeftNow() == 3);
  CHECK(topic.Fix("earliest") == 3);
  CHECK(topic.CommittedNow(1) == std::vector<int64_t>{100});
}

TEST_CASE("the start is committed as the queue's start means it now") {
  Topic topic(2);
  Source(topic, false).Send(3);
  const std::string group = topic.queue.group;
  const auto fixed = [&](const std::string& start) {
    topic.queue.group = group + "-" + start;
    const int64_t count = topic.Fix(start);
    CHECK(topic.Fix(start) == count);
    CHECK(topic.LeftNow() == count);
    std::vector<int64_t> found = topic.CommittedNow(2);
    found.push_back(count);
    return found;
  };
  CHECK(fixed("earliest") == std::vector<int64_t>{0, 0, 3});
  CHECK(fixed("latest") == std::vector<int64_t>{3, 0, 0});
  CHECK(fixed("2") == std::vector<int64_t>{2, 0, 1});
  CHECK(fixed("2000-01-01T00:00:00Z") == std::vector<int64_t>{0, 0, 3});
  CHECK(fixed("2999-01-01T00:00:00Z") == std::vector<int64_t>{3, 0, 0});
}

TEST_CASE("the start of a group with members is theirs to fix") {
  Topic topic(1);
  const std::string url = Kafka().Url("plain") + "/" + topic.queue.entity +
                          "?group=" + topic.queue.group;
  Register();
  const auto bus = Bus::Open(Config{});
  REQUIRE(bus.ok());
  Source source(topic, false);
  source.Send(2);
  const auto receiver = (*bus)->OpenReceiver(url);
  REQUIRE(receiver.ok());
  auto first = (*receiver)->Receive(kLong);
  REQUIRE(first.ok());
  const absl::Status latest = topic.FixStatus("latest");
  INFO(latest.ToString());
  CHECK(absl::IsFailedPrecondition(latest));
  CHECK(topic.Fix("earliest") == 2);
  CHECK(topic.CommittedNow(1)[0] < 0);
  REQUIRE(first->CompleteConfirmed(kLong).ok());
  CHECK(topic.Fix("latest") == 1);
  CHECK(topic.CommittedNow(1) == std::vector<int64_t>{1});
}

TEST_CASE("the start of a topic that is not there can't be fixed") {
  Topic topic(1);
  topic.queue.entity = "never-made";
  CHECK(absl::IsNotFound(topic.FixStatus("earliest")));
}

}  // namespace
}  // namespace tieline::kafka
