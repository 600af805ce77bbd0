#include "adapters/amqp/tls.h"

#include <arpa/inet.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <sys/socket.h>

#include <cerrno>
#include <utility>

#include "lib/base/status.h"

namespace tieline::inline v0::amqp {
namespace {

std::string LastError() {
  unsigned long code = ERR_get_error();  // NOLINT: OpenSSL's type
  while (unsigned long next = ERR_get_error()) code = next;  // NOLINT
  if (code == 0) return "no reason given";
  const char* reason = ERR_reason_error_string(code);
  return reason == nullptr ? "unknown reason" : reason;
}

// A BIO on a socket whose writes raise no SIGPIPE.
int BioRead(BIO* bio, char* data, int size) {
  auto fd = static_cast<int>(reinterpret_cast<intptr_t>(BIO_get_data(bio)));
  BIO_clear_retry_flags(bio);
  ssize_t n = recv(fd, data, static_cast<size_t>(size), 0);
  if (n < 0 && (errno == EAGAIN || errno == EINTR)) BIO_set_retry_read(bio);
  return static_cast<int>(n);
}

int BioWrite(BIO* bio, const char* data, int size) {
  auto fd = static_cast<int>(reinterpret_cast<intptr_t>(BIO_get_data(bio)));
  BIO_clear_retry_flags(bio);
  ssize_t n = send(fd, data, static_cast<size_t>(size), MSG_NOSIGNAL);
  if (n < 0 && (errno == EAGAIN || errno == EINTR)) BIO_set_retry_write(bio);
  return static_cast<int>(n);
}

long BioControl(BIO*, int command, long, void*) {  // NOLINT: OpenSSL's types
  return command == BIO_CTRL_FLUSH ? 1 : 0;
}

BIO_METHOD* SocketMethod() {
  static BIO_METHOD* method = [] {
    BIO_METHOD* made = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK,
                                    "tieline socket");
    BIO_meth_set_read(made, BioRead);
    BIO_meth_set_write(made, BioWrite);
    BIO_meth_set_ctrl(made, BioControl);
    return made;
  }();
  return method;
}

BIO* NewSocketBio(int fd) {
  BIO* bio = BIO_new(SocketMethod());
  BIO_set_data(bio, reinterpret_cast<void*>(static_cast<intptr_t>(fd)));
  BIO_set_init(bio, 1);
  return bio;
}

absl::Status UseKey(SSL_CTX* context, const Secret& key) {
  std::string_view pem = key.Reveal();
  BIO* bio = BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size()));
  EVP_PKEY* parsed = PEM_read_bio_PrivateKey(bio, nullptr, nullptr, nullptr);
  BIO_free(bio);
  bool used = parsed != nullptr && SSL_CTX_use_PrivateKey(context, parsed) == 1;
  EVP_PKEY_free(parsed);
  if (used) return absl::OkStatus();
  return InvalidArgument(
      "tls.key can't be used ({}): it must be the PEM text "
      "of the private key of tls.cert, without a password",
      LastError());
}

absl::Status Configure(const TlsConfig& config, SSL_CTX* context) {
  SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
  SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE |
                                SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                                SSL_MODE_RELEASE_BUFFERS);
  SSL_CTX_set_verify(
      context, config.insecure_skip_verify ? SSL_VERIFY_NONE : SSL_VERIFY_PEER,
      nullptr);
  if (config.ca_file.empty()) {
    SSL_CTX_set_default_verify_paths(context);
  } else if (SSL_CTX_load_verify_locations(context, config.ca_file.c_str(),
                                           nullptr) != 1) {
    return InvalidArgument(
        "tls.ca \"{}\" can't be used ({}): it must be a PEM "
        "file of certificates",
        config.ca_file, LastError());
  }
  if (!config.cert_file.empty()) {
    if (SSL_CTX_use_certificate_chain_file(context, config.cert_file.c_str()) !=
        1) {
      return InvalidArgument(
          "tls.cert \"{}\" can't be used ({}): it must be a "
          "PEM file of the client's certificate chain",
          config.cert_file, LastError());
    }
    TIELINE_RETURN_IF_ERROR(UseKey(context, config.key));
  }
  return absl::OkStatus();
}

bool IsIpAddress(const std::string& host) {
  in6_addr buffer;
  return inet_pton(AF_INET, host.c_str(), &buffer) == 1 ||
         inet_pton(AF_INET6, host.c_str(), &buffer) == 1;
}

}  // namespace

absl::StatusOr<std::unique_ptr<TlsContext>> TlsContext::Make(
    const TlsConfig& config) {
  ERR_clear_error();
  std::unique_ptr<TlsContext> context(
      new TlsContext(SSL_CTX_new(TLS_client_method())));
  TIELINE_RETURN_IF_ERROR(Configure(config, context->get()));
  return context;
}

TlsContext::~TlsContext() { SSL_CTX_free(context_); }

TlsTransport::TlsTransport(std::unique_ptr<TcpTransport> tcp,
                           std::unique_ptr<TlsContext> context,
                           TlsConfig config, absl::Time give_up)
    : tcp_(std::move(tcp)),
      context_(std::move(context)),
      config_(std::move(config)),
      give_up_(give_up) {}

TlsTransport::~TlsTransport() { SSL_free(ssl_); }

absl::Status TlsTransport::Begin() {
  ssl_ = SSL_new(context_->get());
  BIO* bio = NewSocketBio(tcp_->fd());
  SSL_set_bio(ssl_, bio, bio);
  SSL_set_connect_state(ssl_);
  std::string name =
      config_.server_name.empty() ? tcp_->host() : config_.server_name;
  if (IsIpAddress(name)) {
    X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl_), name.c_str());
  } else {
    SSL_set1_host(ssl_, name.c_str());
    SSL_ctrl(ssl_, SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name,
             name.data());
  }
  return absl::OkStatus();
}

absl::StatusOr<bool> TlsTransport::Connect(absl::Time now) {
  if (ready_) return true;
  TIELINE_ASSIGN_OR_RETURN(bool connected, tcp_->Connect(now));
  if (!connected) return false;
  if (ssl_ == nullptr) TIELINE_RETURN_IF_ERROR(Begin());
  ERR_clear_error();
  int result = SSL_do_handshake(ssl_);
  if (result == 1) {
    ready_ = true;
    return true;
  }
  int error = SSL_get_error(ssl_, result);
  wants_write_ = error == SSL_ERROR_WANT_WRITE;
  if (error != SSL_ERROR_WANT_READ && !wants_write_) {
    return HandshakeError(error);
  }
  if (now >= give_up_) {
    return absl::UnavailableError(
        "TLS was not agreed on within the connect time-out: check that the "
        "port is one for TLS");
  }
  return false;
}

absl::Status TlsTransport::HandshakeError(int error) {
  long verified = SSL_get_verify_result(ssl_);  // NOLINT: OpenSSL's type
  if (verified != X509_V_OK && !config_.insecure_skip_verify) {
    return MakeStatus(
        absl::StatusCode::kUnauthenticated,
        "the certificate of {} is not trusted ({}): set tls.ca to the "
        "authority that signed it, and tls.server_name if it is made out to "
        "another name",
        tcp_->host(), X509_verify_cert_error_string(verified));
  }
  if (error == SSL_ERROR_SSL) {
    std::string why = LastError();
    return MakeStatus(absl::StatusCode::kUnauthenticated,
                      "TLS failed ({}): check that the port is one for TLS, "
                      "and tls.cert if the broker asks for one",
                      why);
  }
  return absl::UnavailableError(
      "the broker hung up while TLS was being agreed on: check that the port "
      "is one for TLS");
}

absl::Time TlsTransport::deadline() const {
  return ready_ ? absl::InfiniteFuture() : std::min(give_up_, tcp_->deadline());
}

Transferred TlsTransport::Failed(int result) {
  Transferred out;
  int error = SSL_get_error(ssl_, result);
  if (error == SSL_ERROR_WANT_WRITE) wants_write_ = true;
  if (error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE) return out;
  if (error == SSL_ERROR_ZERO_RETURN) {
    out.closed = true;
    return out;
  }
  // A client certificate may be refused only now (TLS 1.3).
  std::string why = error == SSL_ERROR_SSL ? LastError() : "hung up";
  bool certificate = why.find("certificate") != std::string::npos;
  out.error = MakeStatus(certificate ? absl::StatusCode::kUnauthenticated
                                     : absl::StatusCode::kUnavailable,
                         "the connection was lost: TLS: {}", why);
  return out;
}

Transferred TlsTransport::Read(std::span<char> room) {
  ERR_clear_error();
  Transferred out;
  // A record is up to 16 KiB: go on while there is room.
  while (out.bytes < room.size()) {
    size_t n = 0;
    int result =
        SSL_read_ex(ssl_, room.data() + out.bytes, room.size() - out.bytes, &n);
    if (result != 1) {
      if (out.bytes == 0) return Failed(result);
      out.drained = SSL_get_error(ssl_, result) == SSL_ERROR_WANT_READ;
      return out;
    }
    out.bytes += n;
  }
  return out;
}

Transferred TlsTransport::Write(std::span<const iovec> pieces) {
  ERR_clear_error();
  wants_write_ = false;
  Transferred out;
  for (const iovec& piece : pieces) {
    const char* data = static_cast<const char*>(piece.iov_base);
    for (size_t done = 0; done < piece.iov_len;) {
      size_t n = 0;
      int result = SSL_write_ex(ssl_, data + done, piece.iov_len - done, &n);
      if (result != 1) return out.bytes > 0 ? out : Failed(result);
      done += n;
      out.bytes += n;
    }
  }
  return out;
}

driver::PollSet TlsTransport::pollable(bool want_write) const {
  driver::PollSet set = tcp_->pollable(want_write || wants_write_);
  return set;
}

void TlsTransport::WakeAt(size_t bytes) { tcp_->WakeAt(bytes); }

bool TlsTransport::Readable() const { return tcp_->Readable(); }

}  // namespace tieline::inline v0::amqp
