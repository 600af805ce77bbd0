// Message annotations with a meaning to the codec.
#ifndef TIELINE_ADAPTERS_AMQP_WIRE_FIELD_NAMES_H_
#define TIELINE_ADAPTERS_AMQP_WIRE_FIELD_NAMES_H_

#include <string_view>

namespace tieline::inline v0::amqp::wire {

inline constexpr std::string_view kDeliveryTimeName = "x-opt-delivery-time";
inline constexpr std::string_view kScheduledEnqueueTimeName =
    "x-opt-scheduled-enqueue-time";
inline constexpr std::string_view kPartitionName = "x-opt-tieline-partition";
inline constexpr std::string_view kPropertiesName = "x-opt-tieline-properties";
inline constexpr std::string_view kUserIdName = "x-opt-tieline-user-id";
inline constexpr std::string_view kBodyName = "x-opt-tieline-body";
inline constexpr std::string_view kSequenceNumber = "x-opt-sequence-number";
inline constexpr std::string_view kLockedUntil = "x-opt-locked-until";

}  // namespace tieline::inline v0::amqp::wire

#endif  // TIELINE_ADAPTERS_AMQP_WIRE_FIELD_NAMES_H_
