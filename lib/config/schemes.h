// What a URL scheme says about a connection, before any driver is asked.
// Private to lib/config.
#ifndef TIELINE_LIB_CONFIG_SCHEMES_H_
#define TIELINE_LIB_CONFIG_SCHEMES_H_

#include <string>
#include <string_view>
#include <vector>

#include "tieline/config.h"

namespace tieline::inline v0 {
namespace config {

// Known here, or registered by a driver.
bool IsKnownScheme(std::string_view scheme);
std::vector<std::string_view> KnownSchemes();

// The scheme itself asks for TLS.
bool IsTlsScheme(std::string_view scheme);

// The scheme of the same backend that asks for TLS; "" when there is none.
std::string TlsSchemeFor(std::string_view scheme);

// A URL of this scheme without a host means nothing.
bool NeedsHost(std::string_view scheme);

// True when all that goes to this broker stays on this machine: a backend in
// the process or without hosts, or loopback hosts only.
bool IsLocal(const Url& url);

}  // namespace config
}  // namespace tieline::inline v0

#endif  // TIELINE_LIB_CONFIG_SCHEMES_H_
