#include "adapters/kafka/record.h"

#include <array>
#include <cstdint>
#include <utility>
#include <vector>

#include "adapters/kafka/client.h"
#include "lib/base/mutex.h"
#include "tieline/driver/message_fields.h"

namespace tieline::inline v0 {
namespace kafka {
namespace {

rd_kafka_message_t* RecordOf(const driver::Native& native) {
  return static_cast<rd_kafka_message_t*>(native.handle);
}

std::string_view BodyOf(const rd_kafka_message_t* record) {
  return {static_cast<const char*>(record->payload), record->len};
}

// Null when there are none. The record's own; parsed at the first call, which
// two holders of one message may make at a time.
rd_kafka_headers_t* HeadersOf(const rd_kafka_message_t* record) {
  static std::array<Mutex, 16> mutexes;
  MutexLock lock(&mutexes[reinterpret_cast<uintptr_t>(record) / 64 % 16]);
  rd_kafka_headers_t* headers = nullptr;
  if (rd_kafka_message_headers(record, &headers) !=
      RD_KAFKA_RESP_ERR_NO_ERROR) {
    return nullptr;
  }
  return headers;
}

std::vector<Header> ListOf(const rd_kafka_headers_t* headers) {
  std::vector<Header> list;
  const char* name = nullptr;
  const void* value = nullptr;
  size_t size = 0;
  for (size_t i = 0; i < kMaxHeaders && rd_kafka_header_get_all(
                                            headers, i, &name, &value, &size) ==
                                            RD_KAFKA_RESP_ERR_NO_ERROR;
       ++i) {
    list.push_back(
        {name,
         {static_cast<const char*>(value), value == nullptr ? 0 : size},
         value == nullptr});
  }
  return list;
}

// -1 when the record has no time of its creation.
int64_t CreatedOf(const rd_kafka_message_t* record) {
  rd_kafka_timestamp_type_t type = RD_KAFKA_TIMESTAMP_NOT_AVAILABLE;
  const int64_t ms = rd_kafka_message_timestamp(record, &type);
  return type == RD_KAFKA_TIMESTAMP_CREATE_TIME ? ms : -1;
}

void AddHeader(rd_kafka_headers_t* headers, const Header& h) {
  // An empty value needs an address; null means a null header.
  rd_kafka_header_add(
      headers, h.name.data(), static_cast<ssize_t>(h.name.size()),
      h.null ? nullptr : h.value.data(), static_cast<ssize_t>(h.value.size()));
}

}  // namespace

const RecordSource* RecordSource::Get() {
  static const RecordSource source;
  return &source;
}

void RecordSource::Decode(const driver::Native& native,
                          MessageFields* fields) const {
  const rd_kafka_message_t* record = RecordOf(native);
  if (const int64_t ms = CreatedOf(record); ms >= 0) {
    fields->created = absl::FromUnixMillis(ms);
    fields->mark(Field::kCreated);
  }
  const rd_kafka_headers_t* headers = HeadersOf(record);
  if (headers == nullptr) return;
  const std::vector<Header> list = ListOf(headers);
  DecodeHeaders(list, fields);
  fields->body_kind = BodyKindOf(list);
  if (fields->body_kind != BodyKind::kData) {
    fields->body_value = DecodeBody(list, BodyOf(record));
  }
}

void RecordSource::Release(void* handle) const {
  auto* record = static_cast<rd_kafka_message_t*>(handle);
  Client* client = Client::Of(record);
  rd_kafka_message_destroy(record);
  client->Unref();
}

Message MessageFrom(rd_kafka_message_t* record) {
  driver::NativeParts parts;
  parts.source = RecordSource::Get();
  parts.native.handle = record;
  if (record->payload == nullptr) {
    parts.body_kind = BodyKind::kNull;
  } else {
    // Reading the headers costs more than all the rest.
    parts.kind_by_fields = true;
    parts.body = BodyOf(record);
  }
  if (record->key != nullptr) {
    parts.has_key = true;
    parts.key = {static_cast<const char*>(record->key), record->key_len};
  }
  return driver::MakeMessage(std::move(parts));
}

bool RecordWriter::IsPlain(const Message& message) {
  const Properties* light = driver::LightPropertiesOf(message);
  return light != nullptr && light->empty() && !message.has(Field::kId);
}

void RecordWriter::Write(const Message& message) {
  headers = nullptr;
  partition = RD_KAFKA_PARTITION_UA;
  timestamp_ms = 0;
  body_is_temporary = false;
  has_key = message.has(Field::kKey);
  key = message.key();
  body = message.body_view();
  uint32_t changed = 0;
  const driver::Native* native =
      driver::NativeOf(message, RecordSource::Get(), &changed);
  if (native != nullptr &&
      (changed & (driver::kChangedFields | driver::kChangedBody)) == 0) {
    // As it came: nothing is decoded.
    const rd_kafka_message_t* record = RecordOf(*native);
    body = BodyOf(record);
    null_body = record->payload == nullptr;
    if (const int64_t ms = CreatedOf(record); ms > 0) timestamp_ms = ms;
    const rd_kafka_headers_t* received = HeadersOf(record);
    if (received != nullptr) headers = rd_kafka_headers_copy(received);
    return;
  }
  const BodyKind kind = message.body_kind();
  null_body = kind == BodyKind::kNull;
  if (const Properties* light = driver::LightPropertiesOf(message);
      light != nullptr && IsDirect(*light)) {
    WriteDirect(message.has(Field::kId), message.id(), *light);
    return;
  }
  const MessageFields& fields = driver::FieldsOf(message);
  if (kind == BodyKind::kValue || kind == BodyKind::kSequence) {
    text_ = EncodeBody(fields.body_value);
    body = text_;
    body_is_temporary = true;
  }
  if (fields.has(Field::kPartition)) partition = fields.partition;
  if (fields.has(Field::kCreated)) {
    timestamp_ms = absl::ToUnixMillis(fields.created);
  }
  WriteHeaders(fields, kind);
}

void RecordWriter::WriteHeaders(const MessageFields& fields, BodyKind kind) {
  if (kind == BodyKind::kData && IsDirect(fields)) {
    WriteDirect(false, {}, fields.properties);
    return;
  }
  list_.Encode(fields, kind);
  if (list_.size() == 0) return;
  headers = rd_kafka_headers_new(list_.size());
  for (size_t i = 0; i < list_.size(); ++i) AddHeader(headers, list_.at(i));
}

void RecordWriter::WriteDirect(bool has_id, std::string_view id,
                               const Properties& properties) {
  if (!has_id && properties.empty()) return;
  headers = rd_kafka_headers_new(properties.size() + (has_id ? 1 : 0));
  if (has_id) AddHeader(headers, {"tieline-id", id});
  for (const Property& p : properties) {
    AddHeader(headers, {p.name, p.value.text()});
  }
}

}  // namespace kafka
}  // namespace tieline::inline v0
