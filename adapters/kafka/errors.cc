#include "adapters/kafka/errors.h"

#include "lib/base/status.h"

namespace tieline::inline v0 {
namespace kafka {

absl::StatusCode CodeOf(rd_kafka_resp_err_t error) {
  using C = absl::StatusCode;
  switch (error) {
    case RD_KAFKA_RESP_ERR_NO_ERROR:
      return C::kOk;
    case RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART:
    case RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC:
    case RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION:
    case RD_KAFKA_RESP_ERR_GROUP_ID_NOT_FOUND:
      return C::kNotFound;
    case RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS:
      return C::kAlreadyExists;
    case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR_TRANSACTIONAL_ID_AUTHORIZATION_FAILED:
      return C::kPermissionDenied;
    case RD_KAFKA_RESP_ERR__AUTHENTICATION:
    case RD_KAFKA_RESP_ERR_SASL_AUTHENTICATION_FAILED:
    case RD_KAFKA_RESP_ERR_UNSUPPORTED_SASL_MECHANISM:
    case RD_KAFKA_RESP_ERR_ILLEGAL_SASL_STATE:
      return C::kUnauthenticated;
    case RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE:
    case RD_KAFKA_RESP_ERR_RECORD_LIST_TOO_LARGE:
    case RD_KAFKA_RESP_ERR_INVALID_RECORD:
    case RD_KAFKA_RESP_ERR_INVALID_TIMESTAMP:
    case RD_KAFKA_RESP_ERR_POLICY_VIOLATION:
    case RD_KAFKA_RESP_ERR_TOPIC_EXCEPTION:
    case RD_KAFKA_RESP_ERR_INVALID_CONFIG:
    case RD_KAFKA_RESP_ERR_INVALID_PARTITIONS:
    case RD_KAFKA_RESP_ERR_INVALID_REPLICATION_FACTOR:
    case RD_KAFKA_RESP_ERR_INVALID_GROUP_ID:
    case RD_KAFKA_RESP_ERR__INVALID_ARG:
      return C::kInvalidArgument;
    case RD_KAFKA_RESP_ERR__QUEUE_FULL:
      return C::kResourceExhausted;
    case RD_KAFKA_RESP_ERR_UNKNOWN_MEMBER_ID:
    case RD_KAFKA_RESP_ERR_ILLEGAL_GENERATION:
    case RD_KAFKA_RESP_ERR_REBALANCE_IN_PROGRESS:
    case RD_KAFKA_RESP_ERR__ASSIGNMENT_LOST:
      return C::kAborted;
    case RD_KAFKA_RESP_ERR_FENCED_INSTANCE_ID:
    case RD_KAFKA_RESP_ERR_INCONSISTENT_GROUP_PROTOCOL:
      return C::kFailedPrecondition;
    case RD_KAFKA_RESP_ERR__UNSUPPORTED_FEATURE:
    case RD_KAFKA_RESP_ERR_UNSUPPORTED_VERSION:
      return C::kUnimplemented;
    default:
      return C::kUnavailable;
  }
}

absl::Status StatusOf(rd_kafka_resp_err_t error, std::string_view what) {
  const absl::StatusCode code = CodeOf(error);
  if (code == absl::StatusCode::kOk) return absl::OkStatus();
  return MakeStatus(code, "{}: {} ({})", what, rd_kafka_err2str(error),
                    rd_kafka_err2name(error));
}

bool IsOfEntity(rd_kafka_resp_err_t error) {
  switch (CodeOf(error)) {
    case absl::StatusCode::kNotFound:
    case absl::StatusCode::kPermissionDenied:
    case absl::StatusCode::kInvalidArgument:
    case absl::StatusCode::kFailedPrecondition:
      return true;
    default:
      return false;
  }
}

driver::Fate FateOf(rd_kafka_resp_err_t error, rd_kafka_msg_status_t status) {
  switch (status) {
    case RD_KAFKA_MSG_STATUS_PERSISTED:
      return driver::Fate::kAccepted;
    case RD_KAFKA_MSG_STATUS_NOT_PERSISTED:
      return IsOfEntity(error) ? driver::Fate::kRejected
                               : driver::Fate::kNotTaken;
    case RD_KAFKA_MSG_STATUS_POSSIBLY_PERSISTED:
      break;
  }
  return driver::Fate::kUnknown;
}

absl::Status ConnectStatus(rd_kafka_resp_err_t error, std::string_view hosts,
                           std::string_view reasons, bool scram,
                           int client_version) {
  constexpr int kScramMended = 0x020601ff;  // librdkafka 2.6.1
  const std::string_view why =
      reasons.empty() ? std::string_view(rd_kafka_err2str(error)) : reasons;
  if (CodeOf(error) == absl::StatusCode::kUnauthenticated) {
    if (scram && client_version < kScramMended) {
      return MakeStatus(
          absl::StatusCode::kUnauthenticated,
          "{}: authentication failed: {}. If the password is right and the "
          "broker is Kafka 4 or later: librdkafka {} sends a SCRAM nonce that "
          "those refuse (mended in 2.6.1); use SASL PLAIN over TLS, a newer "
          "librdkafka, or a Kafka 3 broker",
          hosts, why, rd_kafka_version_str());
    }
    return MakeStatus(absl::StatusCode::kUnauthenticated,
                      "{}: authentication failed: {}; check user, password "
                      "and SASL mechanism",
                      hosts, why);
  }
  // librdkafka has no code of its own for a handshake that the other side ends.
  if (why.find("certificate") != std::string_view::npos) {
    return MakeStatus(absl::StatusCode::kUnauthenticated,
                      "{}: the TLS handshake failed: {}; check tls.ca, "
                      "tls.cert, tls.key and the host's name",
                      hosts, why);
  }
  return MakeStatus(absl::StatusCode::kUnavailable,
                    "{}: no connection: {}; check host, port, TLS settings "
                    "and that the broker runs",
                    hosts, why);
}

}  // namespace kafka
}  // namespace tieline::inline v0
