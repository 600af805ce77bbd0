#include "lib/config/schemes.h"

#include <algorithm>
#include <array>

#include "tieline/driver/driver.h"

namespace tieline::inline v0 {
namespace config {
namespace {

struct Scheme {
  std::string_view name;
  bool tls;
  bool in_process;
};

// The schemes that a config may name whether or not their backend is linked;
// opening a bus says which backends are missing.
constexpr std::array<Scheme, 5> kSchemes = {{{"amqp", false, false},
                                             {"amqps", true, false},
                                             {"kafka", false, false},
                                             {"kafkas", true, false},
                                             {"memory", false, true}}};

const Scheme* Find(std::string_view name) {
  const auto it = std::find_if(kSchemes.begin(), kSchemes.end(),
                               [&](const Scheme& s) { return s.name == name; });
  return it == kSchemes.end() ? nullptr : &*it;
}

bool IsLoopback(std::string_view host) {
  if (host == "localhost" || host.ends_with(".localhost") || host == "::1") {
    return true;
  }
  // 127.0.0.0/8, and nothing like 127.example.net.
  return host.starts_with("127.") &&
         host.find_first_not_of("0123456789.") == std::string_view::npos;
}

}  // namespace

bool IsKnownScheme(std::string_view scheme) {
  return Find(scheme) != nullptr || driver::Find(scheme) != nullptr;
}

std::vector<std::string_view> KnownSchemes() {
  std::vector<std::string_view> names;
  names.reserve(std::size(kSchemes));
  for (const Scheme& scheme : kSchemes) names.push_back(scheme.name);
  return names;
}

bool IsTlsScheme(std::string_view scheme) {
  const Scheme* known = Find(scheme);
  return known != nullptr && known->tls;
}

std::string TlsSchemeFor(std::string_view scheme) {
  const std::string with_tls = std::string(scheme) + "s";
  return IsTlsScheme(with_tls) ? with_tls : "";
}

bool NeedsHost(std::string_view scheme) { return Find(scheme) != nullptr; }

bool IsLocal(const Url& url) {
  const Scheme* known = Find(url.scheme);
  if (known != nullptr && known->in_process) return true;
  if (known == nullptr) {
    const auto driver = driver::Find(url.scheme);
    if (driver != nullptr && driver->runs_inline()) return true;
  }
  return std::all_of(
      url.hosts.begin(), url.hosts.end(),
      [](const HostPort& host) { return IsLoopback(host.host); });
}

}  // namespace config
}  // namespace tieline::inline v0
