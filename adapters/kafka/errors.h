// librdkafka's errors as statuses and fates. Pure.
#ifndef TIELINE_ADAPTERS_KAFKA_ERRORS_H_
#define TIELINE_ADAPTERS_KAFKA_ERRORS_H_

#include <librdkafka/rdkafka.h>

#include <string_view>

#include "absl/status/status.h"
#include "tieline/driver/types.h"

namespace tieline::inline v0 {
namespace kafka {

// The one meaning that an error has here: see the table in errors.cc. Errors
// that it does not name are kUnavailable: whatever may pass is tried again.
absl::StatusCode CodeOf(rd_kafka_resp_err_t error);

// "<what>: <the library's words for the error>", with its code.
absl::Status StatusOf(rd_kafka_resp_err_t error, std::string_view what);

// True for errors that say something about the entity or the rights to it, so
// that they close one handle and not the connection.
bool IsOfEntity(rd_kafka_resp_err_t error);

// What became of a record, from its delivery report. `status` is
// rd_kafka_message_status(): it alone tells "not taken" from "unknown".
driver::Fate FateOf(rd_kafka_resp_err_t error, rd_kafka_msg_status_t status);

// Why a client could not connect, from the last error and the reasons that its
// log gave: kUnauthenticated for refused credentials and certificates of either
// side, else kUnavailable. Recognises the SCRAM nonce fault of clients
// before 2.6.1 against Kafka 4 brokers, which those report as wrong
// credentials.
absl::Status ConnectStatus(rd_kafka_resp_err_t error, std::string_view hosts,
                           std::string_view reasons, bool scram,
                           int client_version);

}  // namespace kafka
}  // namespace tieline::inline v0

#endif  // TIELINE_ADAPTERS_KAFKA_ERRORS_H_
