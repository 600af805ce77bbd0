// What writing and reading message lines share.
#ifndef TIELINE_TOOLS_NDJSON_TEXT_H_
#define TIELINE_TOOLS_NDJSON_TEXT_H_

#include <array>
#include <nlohmann/json.hpp>
#include <string_view>

#include "absl/time/time.h"
#include "tieline/message.h"

namespace tieline::tools {

using Json = nlohmann::ordered_json;

// A text field of a message: how it is called, and how it is reached.
struct TextField {
  const char* name;
  Field field;
  std::string_view (Message::*get)() const;
  void (*set)(Message* message, std::string_view text);
};

inline constexpr std::array<TextField, 8> kTextFields = {{
    {"key", Field::kKey, &Message::key,
     [](Message* m, std::string_view v) { m->set_key(v); }},
    {"subject", Field::kSubject, &Message::subject,
     [](Message* m, std::string_view v) { m->set_subject(v); }},
    {"content_type", Field::kContentType, &Message::content_type,
     [](Message* m, std::string_view v) { m->set_content_type(v); }},
    {"content_encoding", Field::kContentEncoding, &Message::content_encoding,
     [](Message* m, std::string_view v) { m->set_content_encoding(v); }},
    {"to", Field::kTo, &Message::to,
     [](Message* m, std::string_view v) { m->set_to(v); }},
    {"reply_to", Field::kReplyTo, &Message::reply_to,
     [](Message* m, std::string_view v) { m->set_reply_to(v); }},
    {"reply_to_key", Field::kReplyToKey, &Message::reply_to_key,
     [](Message* m, std::string_view v) { m->set_reply_to_key(v); }},
    {"user_id", Field::kUserId, &Message::user_id,
     [](Message* m, std::string_view v) { m->set_user_id(v); }},
}};

struct TimeField {
  const char* name;
  Field field;
  absl::Time (Message::*get)() const;
  void (*set)(Message* message, absl::Time time);
};

inline constexpr std::array<TimeField, 3> kTimeFields = {{
    {"created", Field::kCreated, &Message::created,
     [](Message* m, absl::Time t) { m->set_created(t); }},
    {"expires", Field::kExpires, &Message::expires,
     [](Message* m, absl::Time t) { m->set_expires(t); }},
    {"deliver_at", Field::kDeliverAt, &Message::deliver_at,
     [](Message* m, absl::Time t) { m->set_deliver_at(t); }},
}};

}  // namespace tieline::tools

#endif  // TIELINE_TOOLS_NDJSON_TEXT_H_
