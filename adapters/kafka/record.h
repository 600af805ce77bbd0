// A message as a record of librdkafka, and back.
//
// Threads: RecordSource from any; RecordWriter as a value.
#ifndef TIELINE_ADAPTERS_KAFKA_RECORD_H_
#define TIELINE_ADAPTERS_KAFKA_RECORD_H_

#include <librdkafka/rdkafka.h>

#include <string>

#include "adapters/kafka/header_mapping.h"
#include "tieline/driver/message_access.h"

namespace tieline::inline v0 {
namespace kafka {

// Received records: the native handle is the rd_kafka_message_t, its client
// kept alive by one reference a record (Client::Of).
class RecordSource final : public driver::MessageSource {
 public:
  static const RecordSource* Get();
  void Decode(const driver::Native& native,
              MessageFields* fields) const override;
  void Release(void* handle) const override;
};

// Takes over the record and the one reference to its client that was counted
// for it.
Message MessageFrom(rd_kafka_message_t* record);

// What a message becomes. Views live as long as the message and this object,
// until its next use.
class RecordWriter {
 public:
  // True when the message is no more than key and body: all that the cheapest
  // call can carry.
  static bool IsPlain(const Message& message);

  // Fills the parts below; `headers` (null: none) is the caller's to hand over
  // or destroy.
  void Write(const Message& message);

  std::string_view body;
  bool null_body = false;
  std::string_view key;
  bool has_key = false;
  int32_t partition = RD_KAFKA_PARTITION_UA;
  int64_t timestamp_ms = 0;  // 0: now
  rd_kafka_headers_t* headers = nullptr;
  // A value body's text, which the record must own: `body` points into it.
  bool body_is_temporary = false;

 private:
  void WriteHeaders(const MessageFields& fields, BodyKind kind);
  void WriteDirect(bool has_id, std::string_view id,
                   const Properties& properties);

  HeaderList list_;
  std::string text_;
};

}  // namespace kafka
}  // namespace tieline::inline v0

#endif  // TIELINE_ADAPTERS_KAFKA_RECORD_H_
