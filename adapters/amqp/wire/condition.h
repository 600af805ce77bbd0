// Condition: an AMQP error as it travels (AMQP 1.0 section 2.8.14).
#ifndef TIELINE_ADAPTERS_AMQP_WIRE_CONDITION_H_
#define TIELINE_ADAPTERS_AMQP_WIRE_CONDITION_H_

#include <string>

namespace tieline::inline v0::amqp::wire {

struct Condition {
  std::string name;  // "amqp:not-found"; empty: no error
  std::string description;
  // Where a redirect points ("host:port/address"), else empty.
  std::string redirect;

  bool is_set() const { return !name.empty(); }
  // "name: description (redirected to ...)".
  std::string ToString() const {
    std::string text = name.empty() ? "no condition" : name;
    if (!description.empty()) text += ": " + description;
    if (!redirect.empty()) text += " (redirected to " + redirect + ")";
    return text;
  }
};

}  // namespace tieline::inline v0::amqp::wire

#endif  // TIELINE_ADAPTERS_AMQP_WIRE_CONDITION_H_
