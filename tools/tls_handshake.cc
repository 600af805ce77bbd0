#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <poll.h>

#include <algorithm>
#include <memory>

#include "absl/time/clock.h"
#include "lib/base/status.h"
#include "tools/network.h"

namespace tieline::tools {
namespace {

template <auto kFree>
struct Free {
  template <typename T>
  void operator()(T* object) const {
    kFree(object);
  }
};
using Context = std::unique_ptr<SSL_CTX, Free<&SSL_CTX_free>>;
using Session = std::unique_ptr<SSL, Free<&SSL_free>>;
using Bio = std::unique_ptr<BIO, Free<&BIO_free>>;
using Key = std::unique_ptr<EVP_PKEY, Free<&EVP_PKEY_free>>;
using Certificate = std::unique_ptr<X509, Free<&X509_free>>;

std::string LastError() {
  char text[256] = "";
  ERR_error_string_n(ERR_get_error(), text, sizeof text);
  // "error:0A000086:SSL routines::certificate verify failed": the last part.
  const std::string_view all = text;
  return std::string(all.substr(all.rfind(':') + 1));
}

absl::Status LoadClientCertificate(const TlsConfig& tls, SSL_CTX* context) {
  if (tls.cert_file.empty()) return absl::OkStatus();
  if (SSL_CTX_use_certificate_chain_file(context, tls.cert_file.c_str()) != 1) {
    return InvalidArgument("{}: {}", tls.cert_file, LastError());
  }
  const std::string_view pem = tls.key.Reveal();
  const Bio bio(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
  const Key key(PEM_read_bio_PrivateKey(bio.get(), nullptr, nullptr, nullptr));
  if (key == nullptr || SSL_CTX_use_PrivateKey(context, key.get()) != 1) {
    return InvalidArgument("the client's private key: {}", LastError());
  }
  return absl::OkStatus();
}

absl::StatusOr<Context> MakeContext(const TlsConfig& tls) {
  Context context(SSL_CTX_new(TLS_client_method()));
  SSL_CTX_set_min_proto_version(context.get(), TLS1_2_VERSION);
  if (tls.ca_file.empty()) {
    SSL_CTX_set_default_verify_paths(context.get());
  } else if (SSL_CTX_load_verify_locations(context.get(), tls.ca_file.c_str(),
                                           nullptr) != 1) {
    return InvalidArgument("{}: {}", tls.ca_file, LastError());
  }
  TIELINE_RETURN_IF_ERROR(LoadClientCertificate(tls, context.get()));
  SSL_CTX_set_verify(
      context.get(),
      tls.insecure_skip_verify ? SSL_VERIFY_NONE : SSL_VERIFY_PEER, nullptr);
  return context;
}

void ExpectName(const std::string& name, SSL* ssl) {
  X509_VERIFY_PARAM* params = SSL_get0_param(ssl);
  if (X509_VERIFY_PARAM_set1_ip_asc(params, name.c_str()) != 1) {
    SSL_set1_host(ssl, name.c_str());
    // SSL_set_tlsext_host_name, which is a macro with a cast of C.
    std::string copy = name;
    SSL_ctrl(ssl, SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name,
             copy.data());
  }
}

absl::Status Handshake(SSL* ssl, int fd, absl::Time deadline) {
  while (true) {
    const int done = SSL_connect(ssl);
    if (done == 1) return absl::OkStatus();
    const int reason = SSL_get_error(ssl, done);
    if (reason != SSL_ERROR_WANT_READ && reason != SSL_ERROR_WANT_WRITE) {
      const int64_t verified = SSL_get_verify_result(ssl);
      if (verified != X509_V_OK) {
        return absl::UnauthenticatedError(
            fmt::format("the certificate is refused: {}",
                        X509_verify_cert_error_string(verified)));
      }
      const std::string text = LastError();
      return absl::UnavailableError(
          text.empty() || reason == SSL_ERROR_SYSCALL
              ? "the peer closed the connection; it may not speak TLS here"
              : text);
    }
    const auto left = absl::ToInt64Milliseconds(deadline - absl::Now());
    if (left <= 0) {
      return absl::UnavailableError(
          "no answer to the handshake; the port may not speak TLS");
    }
    pollfd waiting{
        fd,
        static_cast<int16_t>(reason == SSL_ERROR_WANT_READ ? POLLIN : POLLOUT),
        0};
    poll(&waiting, 1, static_cast<int>(std::min<int64_t>(left, 60000)));
  }
}

std::string DescribePeer(SSL* ssl) {
  std::string text = SSL_get_version(ssl);
  const Certificate certificate(SSL_get1_peer_certificate(ssl));
  if (certificate == nullptr) return text;
  char name[256] = "";
  X509_NAME_get_text_by_NID(X509_get_subject_name(certificate.get()),
                            NID_commonName, name, sizeof name);
  tm until{};
  if (ASN1_TIME_to_tm(X509_get0_notAfter(certificate.get()), &until) == 1) {
    text += fmt::format(", certificate of {} until {:04}-{:02}-{:02}", name,
                        until.tm_year + 1900, until.tm_mon + 1, until.tm_mday);
  }
  return text;
}

}  // namespace

absl::StatusOr<std::string> TlsHandshake(const Socket& socket,
                                         const TlsConfig& tls,
                                         const std::string& host,
                                         absl::Duration timeout) {
  ERR_clear_error();
  TIELINE_ASSIGN_OR_RETURN(const Context context, MakeContext(tls));
  const Session session(SSL_new(context.get()));
  ExpectName(tls.server_name.empty() ? host : tls.server_name, session.get());
  SSL_set_fd(session.get(), socket.fd());
  TIELINE_RETURN_IF_ERROR(
      Handshake(session.get(), socket.fd(), absl::Now() + timeout));
  return DescribePeer(session.get());
}

}  // namespace tieline::tools
