// Url: a broker or queue address as written on a command line or in a config.
//
//   kafka://host:9092,host2:9092/topic?group=g
//   amqps://user@host/queue      (passwords come by reference, see Config)
//   memory://name/queue
// Syntax: RFC 3986, with a comma-separated list of hosts.
#ifndef TIELINE_URL_H_
#define TIELINE_URL_H_

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "tieline/secret.h"

namespace tieline::inline v0 {

struct HostPort {
  std::string host;  // IPv6 without its brackets
  int port = 0;      // 0: the scheme's default
  friend bool operator==(const HostPort&, const HostPort&) = default;
};

struct Url {
  std::string scheme;  // lower case
  std::string user;
  Secret password;
  std::vector<HostPort> hosts;
  // The part behind the first slash, percent-decoded, without that slash:
  // the entity. Further slashes belong to it.
  std::string path;
  std::map<std::string, std::string> params;  // decoded query

  // kInvalidArgument names the place (character offset) and what was expected.
  // At most 8 KiB and 64 parameters.
  static absl::StatusOr<Url> Parse(std::string_view text);
  // The URL again, password as "***".
  std::string ToString() const;
  // "host:port,host:port" with `default_port` for those without.
  std::string HostList(int default_port) const;
};

}  // namespace tieline::inline v0

#endif  // TIELINE_URL_H_
