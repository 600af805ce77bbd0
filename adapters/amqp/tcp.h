// TcpTransport: a TCP connection to the first address that answers.
#ifndef TIELINE_ADAPTERS_AMQP_TCP_H_
#define TIELINE_ADAPTERS_AMQP_TCP_H_

#include <memory>
#include <string>
#include <vector>

#include "adapters/amqp/resolver.h"
#include "adapters/amqp/transport.h"

namespace tieline::inline v0::amqp {

class TcpTransport final : public Transport {
 public:
  // Begins to resolve. The time-out covers all addresses together; each gets an
  // equal share of what is left.
  TcpTransport(Resolver* resolver, std::vector<HostPort> hosts,
               driver::Waker* waker, absl::Time give_up);
  // Takes over a connected socket, which must not block.
  explicit TcpTransport(int fd);
  TcpTransport(const TcpTransport&) = delete;
  TcpTransport& operator=(const TcpTransport&) = delete;
  ~TcpTransport() override;

  absl::StatusOr<bool> Connect(absl::Time now) override;
  absl::Time deadline() const override;
  Transferred Read(std::span<char> room) override;
  Transferred Write(std::span<const iovec> pieces) override;
  driver::PollSet pollable(bool want_write) const override;
  void WakeAt(size_t bytes) override;
  bool Readable() const override;

  int fd() const { return fd_; }
  // The host that was reached, as the config names it.
  const std::string& host() const { return host_; }

 private:
  absl::StatusOr<bool> Resolve();
  // Begins with the next address; kUnavailable when none is left.
  absl::Status TryNext(absl::Time now);
  void Fail(int error);
  void CloseSocket();

  std::unique_ptr<Resolver::Query> query_;
  std::vector<Address> addresses_;
  size_t next_ = 0;
  absl::Time give_up_ = absl::InfiniteFuture();
  absl::Time try_until_ = absl::InfiniteFuture();
  std::string failures_;
  std::string host_;
  int fd_ = -1;
  bool connected_ = false;
};

}  // namespace tieline::inline v0::amqp

#endif  // TIELINE_ADAPTERS_AMQP_TCP_H_
