// What the Proton C++ programs share. They are written as Proton's
// documentation writes them (container, messaging_handler, on_message), tuned:
// one message object is used again, sends go out while there is credit, the
// receiver's window and automatic accept are Proton's own.
#ifndef TIELINE_BENCHMARKS_END_TO_END_AMQP_PROTON_H_
#define TIELINE_BENCHMARKS_END_TO_END_AMQP_PROTON_H_

#include <proton/binary.hpp>
#include <proton/connection.hpp>
#include <proton/connection_options.hpp>
#include <proton/container.hpp>
#include <proton/delivery.hpp>
#include <proton/link.hpp>
#include <proton/map.hpp>
#include <proton/message.hpp>
#include <proton/messaging_handler.hpp>
#include <proton/receiver_options.hpp>
#include <proton/sender.hpp>
#include <proton/tracker.hpp>
#include <string>

#include "benchmarks/end_to_end/amqp/content.h"
#include "benchmarks/end_to_end/bench.h"

namespace tieline::bench {

// "amqp://host:port" without the scheme, and its port.
inline std::string AddressOf(const Flags& flags) {
  return flags.url.substr(flags.url.find("://") + 3);
}

inline proton::connection_options Options() {
  proton::connection_options options;
  options.sasl_enabled(true).sasl_allowed_mechs("ANONYMOUS");
  return options;
}

class ProtonSender {
 public:
  explicit ProtonSender(const Flags& flags)
      : flags_(flags), body_(FirstBody(flags.size)) {
    message_.durable(true);  // as ours: at a broker it makes all the difference
  }
  void Send(proton::sender& sender) {
    while (sender.credit() > 0 && sent_ < flags_.count) {
      NumberBody(sent_, body_.data());
      binary_.assign(body_.begin(), body_.end());
      message_.body(binary_);
      if (flags_.headers > 0) {
        message_.properties().put("tenant", std::string(kTenant));
        message_.properties().put("type", std::string(kType));
        message_.properties().put("seq", static_cast<int64_t>(sent_));
      }
      sender.send(message_);
      ++sent_;
    }
  }

 private:
  const Flags flags_;
  std::string body_;
  proton::binary binary_;
  proton::message message_;
  size_t sent_ = 0;
};

class ProtonReceiver {
 public:
  explicit ProtonReceiver(const Flags& flags) : flags_(flags) {}
  void Take(const proton::message& message) {
    const auto& body = proton::get<proton::binary>(message.body());
    CheckBody(received_++,
              {reinterpret_cast<const char*>(body.data()), body.size()},
              flags_.size);
    if (flags_.headers == 0) return;
    const auto& all = message.properties();
    CheckProperties(proton::get<std::string>(all.get("tenant")) == kTenant &&
                    proton::get<std::string>(all.get("type")) == kType &&
                    proton::get<int64_t>(all.get("seq")) >= 0);
  }
  size_t received() const { return received_; }

 private:
  const Flags flags_;
  size_t received_ = 0;
};

}  // namespace tieline::bench

#endif  // TIELINE_BENCHMARKS_END_TO_END_AMQP_PROTON_H_
