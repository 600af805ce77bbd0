#include "adapters/kafka/errors.h"

#include <string>

#include "tests/support/catch.h"

namespace tieline::kafka {
namespace {

using driver::Fate;

bool Says(const absl::Status& status, std::string_view what) {
  return std::string(status.message()).find(what) != std::string::npos;
}

TEST_CASE("the report's status alone decides between the fates") {
  CHECK(FateOf(RD_KAFKA_RESP_ERR_NO_ERROR, RD_KAFKA_MSG_STATUS_PERSISTED) ==
        Fate::kAccepted);
  CHECK(FateOf(RD_KAFKA_RESP_ERR__PURGE_QUEUE,
               RD_KAFKA_MSG_STATUS_NOT_PERSISTED) == Fate::kNotTaken);
  CHECK(FateOf(RD_KAFKA_RESP_ERR__PURGE_INFLIGHT,
               RD_KAFKA_MSG_STATUS_POSSIBLY_PERSISTED) == Fate::kUnknown);
  CHECK(FateOf(RD_KAFKA_RESP_ERR__MSG_TIMED_OUT,
               RD_KAFKA_MSG_STATUS_NOT_PERSISTED) == Fate::kNotTaken);
  // Possibly there, whatever the error says.
  CHECK(FateOf(RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE,
               RD_KAFKA_MSG_STATUS_POSSIBLY_PERSISTED) == Fate::kUnknown);
}

TEST_CASE("errors about the message or the topic reject for good") {
  for (const rd_kafka_resp_err_t error :
       {RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE,
        RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED,
        RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART,
        RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION,
        RD_KAFKA_RESP_ERR_INVALID_RECORD}) {
    CHECK(FateOf(error, RD_KAFKA_MSG_STATUS_NOT_PERSISTED) == Fate::kRejected);
  }
}

TEST_CASE("codes mean one thing each") {
  CHECK(CodeOf(RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE) ==
        absl::StatusCode::kInvalidArgument);
  CHECK(CodeOf(RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED) ==
        absl::StatusCode::kPermissionDenied);
  CHECK(CodeOf(RD_KAFKA_RESP_ERR__AUTHENTICATION) ==
        absl::StatusCode::kUnauthenticated);
  CHECK(CodeOf(RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART) ==
        absl::StatusCode::kNotFound);
  CHECK(CodeOf(RD_KAFKA_RESP_ERR_ILLEGAL_GENERATION) ==
        absl::StatusCode::kAborted);
  CHECK(CodeOf(RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN) ==
        absl::StatusCode::kUnavailable);
}

TEST_CASE("the SCRAM nonce fault is named where it may be the cause") {
  const auto status = [](bool scram, int version) {
    return ConnectStatus(RD_KAFKA_RESP_ERR__AUTHENTICATION, "broker b (h:1)",
                         "invalid credentials", scram, version);
  };
  CHECK(Says(status(true, 0x020002ff), "nonce"));
  CHECK(Says(status(true, 0x020002ff), "invalid credentials"));
  CHECK(!Says(status(true, 0x020601ff), "nonce"));
  CHECK(!Says(status(false, 0x020002ff), "nonce"));
  CHECK(status(false, 0).code() == absl::StatusCode::kUnauthenticated);
}

TEST_CASE("a failed connection names the host and the reason") {
  const absl::Status status =
      ConnectStatus(RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN, "broker b (h:1)",
                    "h:1: Connection refused", false, 0);
  CHECK(status.code() == absl::StatusCode::kUnavailable);
  CHECK(Says(status, "h:1"));
  CHECK(Says(status, "refused"));
  CHECK(ConnectStatus(RD_KAFKA_RESP_ERR__TRANSPORT, "broker b (h:1)",
                      "SSL routines::sslv3 alert bad certificate", false, 0)
            .code() == absl::StatusCode::kUnauthenticated);
}

}  // namespace
}  // namespace tieline::kafka
