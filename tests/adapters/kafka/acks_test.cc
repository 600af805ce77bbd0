// What an acknowledgement is worth when an earlier record was refused: the
// client library's own broker, since a real one refuses so for some
// milliseconds only, while a partition gets its leader.
#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>

#include <algorithm>
#include <array>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "tests/support/catch.h"
#include "tieline/bus.h"
#include "tieline/kafka.h"

namespace tieline {
namespace {

constexpr absl::Duration kLong = absl::Seconds(20);
constexpr int16_t kProduce = 0;  // the request's key in the protocol

class MockKafka {
 public:
  MockKafka() {
    std::array<char, 512> error{};
    rk_.reset(rd_kafka_new(RD_KAFKA_PRODUCER, rd_kafka_conf_new(), error.data(),
                           error.size()));
    REQUIRE(rk_ != nullptr);
    cluster_.reset(rd_kafka_mock_cluster_new(rk_.get(), 1));
    REQUIRE(cluster_ != nullptr);
    REQUIRE(rd_kafka_mock_topic_create(cluster_.get(), "topic", 1, 1) ==
            RD_KAFKA_RESP_ERR_NO_ERROR);
  }
  std::string Url(std::string_view more) const {
    return std::string("kafka://") +
           rd_kafka_mock_cluster_bootstraps(cluster_.get()) +
           "/topic?connect_timeout=1s" + std::string(more);
  }
  // Refuses the next request with records, as a broker does that is not the
  // partition's leader yet, so late that the one behind it is on its way.
  void RefuseOnce() {
    constexpr int kLateMs = 300;
    rd_kafka_mock_broker_push_request_error_rtts(
        cluster_.get(), 1, kProduce, 1,
        RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION, kLateMs);
  }
  // The request to be refused has come.
  bool HasRefused() const {
    size_t left = 1;
    rd_kafka_mock_broker_error_stack_cnt(cluster_.get(), 1, kProduce, &left);
    return left == 0;
  }

 private:
  struct Free {
    void operator()(rd_kafka_t* rk) const { rd_kafka_destroy(rk); }
    void operator()(rd_kafka_mock_cluster_t* c) const {
      rd_kafka_mock_cluster_destroy(c);
    }
  };
  std::unique_ptr<rd_kafka_t, Free> rk_;
  std::unique_ptr<rd_kafka_mock_cluster_t, Free> cluster_;
};

// Sends two, the first of which is refused once; returns what is in the topic.
std::vector<std::string> SendTwo(MockKafka& kafka,
                                 const std::string& settings) {
  kafka::Register();
  const auto bus = Bus::Open(Config{});
  REQUIRE(bus.ok());
  const std::string url = kafka.Url(settings);
  auto sender = (*bus)->OpenSender(url);
  REQUIRE(sender.ok());
  REQUIRE((*sender)->WaitOpen(kLong).ok());
  kafka.RefuseOnce();
  std::vector<absl::Status> results(2);
  int i = 0;
  for (const char* text : {"first", "second"}) {
    absl::Status& result = results[static_cast<size_t>(i++)];
    const absl::Status given = (*sender)->SendBatch(
        {Message(text)}, [&result](std::span<const SendResult> done) {
          result = done.front().status;
        });
    REQUIRE(given.ok());
    // The second goes with a request of its own, while the first is on its way.
    const absl::Time until = absl::Now() + kLong;
    while (!kafka.HasRefused() && absl::Now() < until) {
      std::this_thread::yield();
    }
    REQUIRE(kafka.HasRefused());
  }
  REQUIRE((*sender)->Close(kLong).ok());
  for (const absl::Status& result : results) CHECK(result.ok());
  ReceiverOptions options;
  options.browse = true;
  auto receiver = (*bus)->OpenReceiver(url, options);
  REQUIRE(receiver.ok());
  std::vector<std::string> found;
  absl::Duration wait = kLong;
  while (true) {
    auto delivery = (*receiver)->Receive(wait);
    if (!delivery.ok()) return found;
    found.emplace_back(delivery->message().body_view());
    wait = absl::Seconds(1);
  }
}

TEST_CASE("what is accepted is there, in order, though a record was refused") {
  MockKafka kafka;
  CHECK(SendTwo(kafka, "") == std::vector<std::string>{"first", "second"});
}

TEST_CASE("what is accepted is there with several requests on their way") {
  MockKafka kafka;
  const auto found = SendTwo(kafka, "&set.max.in.flight=5&tuning=latency");
  CHECK(std::count(found.begin(), found.end(), "first") >= 1);
  CHECK(std::count(found.begin(), found.end(), "second") >= 1);
}

}  // namespace
}  // namespace tieline
