// What our programs send: bodies that begin with the message's number, keys in
// turn, and properties as the bare programs of that broker have them.
#ifndef TIELINE_BENCHMARKS_END_TO_END_MAKER_H_
#define TIELINE_BENCHMARKS_END_TO_END_MAKER_H_

#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

#include "benchmarks/end_to_end/bench.h"
#include "tieline/message.h"

namespace tieline::bench {

// Makes the messages of a run, in turn.
class MessageMaker {
 public:
  explicit MessageMaker(const Flags& flags)
      : flags_(flags),
        amqp_(flags.url.starts_with("amqp")),
        body_(flags.size < 8 ? 8 : flags.size, 'x') {
    for (size_t i = 0; i < flags.keys; ++i) {
      keys_.push_back("key" + std::to_string(i));
    }
    for (size_t i = 0; !amqp_ && i < flags.headers; ++i) {
      headers_.push_back("header" + std::to_string(i));
    }
  }
  Message Make() {
    std::memcpy(body_.data(), &next_, sizeof(next_));
    Message message(body_);
    if (!keys_.empty()) message.set_key(keys_[next_ % keys_.size()]);
    if (amqp_ && flags_.headers > 0) {
      message.set_property("tenant", "acme-corp");
      message.set_property("type", "order.created");
      message.set_property("seq", Value(static_cast<int64_t>(next_)));
    }
    for (const std::string& name : headers_) {
      message.set_property(name, "some value");
    }
    ++next_;
    return message;
  }

 private:
  const Flags flags_;
  const bool amqp_;
  std::string body_;
  std::vector<std::string> keys_;
  std::vector<std::string> headers_;
  uint64_t next_ = 0;
};

}  // namespace tieline::bench

#endif  // TIELINE_BENCHMARKS_END_TO_END_MAKER_H_
