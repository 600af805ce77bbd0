// TlsTransport: TLS (OpenSSL) over TCP, as a client.
//
// The server's certificate is verified against the CA file (or the system's
// store), and the host name or IP address against its subject alternative
// names, unless the config opts out. TLS 1.2 at least.
#ifndef TIELINE_ADAPTERS_AMQP_TLS_H_
#define TIELINE_ADAPTERS_AMQP_TLS_H_

#include <openssl/ssl.h>

#include <memory>
#include <string>

#include "adapters/amqp/tcp.h"
#include "adapters/amqp/transport.h"
#include "tieline/config.h"

namespace tieline::inline v0::amqp {

class TlsContext {
 public:
  // kInvalidArgument names the file that can't be used and why.
  static absl::StatusOr<std::unique_ptr<TlsContext>> Make(
      const TlsConfig& config);
  ~TlsContext();
  TlsContext(const TlsContext&) = delete;
  TlsContext& operator=(const TlsContext&) = delete;

  SSL_CTX* get() const { return context_; }

 private:
  explicit TlsContext(SSL_CTX* context) : context_(context) {}
  SSL_CTX* const context_;
};

class TlsTransport final : public Transport {
 public:
  TlsTransport(std::unique_ptr<TcpTransport> tcp,
               std::unique_ptr<TlsContext> context, TlsConfig config,
               absl::Time give_up);
  ~TlsTransport() override;

  absl::StatusOr<bool> Connect(absl::Time now) override;
  absl::Time deadline() const override;
  Transferred Read(std::span<char> room) override;
  Transferred Write(std::span<const iovec> pieces) override;
  driver::PollSet pollable(bool want_write) const override;
  void WakeAt(size_t bytes) override;
  bool Readable() const override;

 private:
  absl::Status Begin();
  absl::Status HandshakeError(int error);
  Transferred Failed(int result);

  std::unique_ptr<TcpTransport> tcp_;
  std::unique_ptr<TlsContext> context_;
  TlsConfig config_;
  absl::Time give_up_;
  SSL* ssl_ = nullptr;
  bool ready_ = false;
  bool wants_write_ = false;  // TLS itself has something to write
};

}  // namespace tieline::inline v0::amqp

#endif  // TIELINE_ADAPTERS_AMQP_TLS_H_
