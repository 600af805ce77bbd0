// Messages as bytes and back, for the spool: everything that a Message has,
// with the exact types of its values. Not for a wire: only this process's
// successors read it.
//
// The form, version 1. Numbers are LEB128, signed ones zigzag; a text is its
// length and its bytes.
//
//   u8 version
//   u8 kind of body, as message_codec.cc numbers them
//   fields: u8 tag and what it takes, by growing tags; properties, annotations
//           and footer have an entry each
//   u8 0, and the body's bytes up to the end (none but of a data body)
//
// What was written once is read for ever: tags, kinds and types keep their
// numbers, and a new form is a new version.
// Threads: stateless.
#ifndef TIELINE_LIB_STORE_MESSAGE_CODEC_H_
#define TIELINE_LIB_STORE_MESSAGE_CODEC_H_

#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "tieline/message.h"

namespace tieline::inline v0 {

// Appends the message to `*out`: at most its size_estimate() and some, so what
// bounds messages bounds this.
void EncodeStored(const Message& message, std::string* out);

// The message, with a copy of its body. It takes memory in proportion to
// `bytes`, whatever they are.
//   kDataLoss         the bytes are not such a message; says where
//   kUnimplemented    a version that this Tieline does not know
absl::StatusOr<Message> DecodeStored(std::string_view bytes);

}  // namespace tieline::inline v0

#endif  // TIELINE_LIB_STORE_MESSAGE_CODEC_H_
