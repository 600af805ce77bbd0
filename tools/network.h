// The steps below a broker's protocol, one by one: names, TCP, TLS. For
// `tieline doctor`, which says which of them fails.
#ifndef TIELINE_TOOLS_NETWORK_H_
#define TIELINE_TOOLS_NETWORK_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "tieline/config.h"

namespace tieline::tools {

// The port that a scheme means when the URL has none; 0: not known.
int DefaultPort(std::string_view scheme);

// Addresses of a host as text. kUnavailable with the resolver's reason.
absl::StatusOr<std::vector<std::string>> Resolve(const std::string& host);

// A TCP connection, closed by the destructor.
class Socket {
 public:
  static absl::StatusOr<Socket> Connect(const std::string& host, int port,
                                        absl::Duration timeout);
  explicit Socket(int fd) : fd_(fd) {}
  Socket(Socket&& other) noexcept : fd_(other.fd_) { other.fd_ = -1; }
  Socket& operator=(Socket&&) = delete;
  ~Socket();
  int fd() const { return fd_; }

 private:
  int fd_;
};

// Makes a TLS handshake as a client with the broker's settings, and says what
// was agreed: "TLSv1.3, certificate of kafka.example.net until ...".
// kUnavailable with the reason, kUnauthenticated when the certificate is not
// to be trusted, kInvalidArgument for files that can't be used.
absl::StatusOr<std::string> TlsHandshake(const Socket& socket,
                                         const TlsConfig& tls,
                                         const std::string& host,
                                         absl::Duration timeout);

}  // namespace tieline::tools

#endif  // TIELINE_TOOLS_NETWORK_H_
