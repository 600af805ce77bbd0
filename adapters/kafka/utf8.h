// Whether bytes are well-formed UTF-8 (RFC 3629). Pure.
#ifndef TIELINE_ADAPTERS_KAFKA_UTF8_H_
#define TIELINE_ADAPTERS_KAFKA_UTF8_H_

#include <string_view>

namespace tieline::inline v0 {
namespace kafka {

bool IsUtf8(std::string_view text);

}  // namespace kafka
}  // namespace tieline::inline v0

#endif  // TIELINE_ADAPTERS_KAFKA_UTF8_H_
