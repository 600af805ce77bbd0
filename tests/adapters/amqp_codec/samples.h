// Encodings, values and messages that the codec's tests share.
#ifndef TIELINE_TESTS_ADAPTERS_AMQP_CODEC_SAMPLES_H_
#define TIELINE_TESTS_ADAPTERS_AMQP_CODEC_SAMPLES_H_

#include <string>
#include <string_view>
#include <vector>

#include "tieline/message.h"
#include "tieline/value.h"

namespace tieline::amqp_codec_test {

// "00 53 75" -> three bytes. Spaces are free.
std::string Bin(std::string_view hex);
std::string Hex(std::string_view bytes);

// A value, its smallest encoding, and others that mean the same.
struct Vector {
  Value value;
  std::string smallest;
  std::vector<std::string> others;
};
std::vector<Vector> Vectors();

// Every type at its limits.
std::vector<Value> EveryValue();

// A message with every field, every type of property, annotations and footer.
Message FullMessage();

// The encoding of `value`, which must be encodable.
std::string Encoded(const Value& value);

// "" when the messages agree in body, key, all fields, properties, annotations
// and footer; else what differs.
std::string Difference(const Message& a, const Message& b);

}  // namespace tieline::amqp_codec_test

#endif  // TIELINE_TESTS_ADAPTERS_AMQP_CODEC_SAMPLES_H_
