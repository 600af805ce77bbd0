// Proxy: a TCP proxy inside the test program, to break connections with.
//
//   Proxy proxy(broker_port);
//   ... connect the client to proxy.port() ...
//   proxy.CutAfter(Proxy::kToClient, 1);  // the broker gets it, we don't hear
//
// Threads: any thread may call anything. A call returns when it has taken
// effect; one thread of the proxy's own does the work and is joined by the
// destructor, which cuts what is still connected.
// Needs nothing but POSIX. Failures of the system are std::system_error.
#ifndef TIELINE_TESTS_SUPPORT_PROXY_H_
#define TIELINE_TESTS_SUPPORT_PROXY_H_

#include <chrono>
#include <cstdint>
#include <memory>

namespace tieline::testing {

class Proxy {
 public:
  enum Way { kToBroker = 0, kToClient = 1, kBothWays = 2 };

  // Listens on 127.0.0.1 and forwards to a port there. listen_port 0 takes a
  // free one; a broker that announces an address of its own (Kafka) needs the
  // one it announces: see Broker::Proxied.
  explicit Proxy(uint16_t broker_port, uint16_t listen_port = 0);
  ~Proxy();
  Proxy(const Proxy&) = delete;
  Proxy& operator=(const Proxy&) = delete;

  uint16_t port() const;

  // Resets every connection (RST at both ends). New ones are welcome.
  void Cut();
  // Cuts, and refuses new connections until Accept().
  void Refuse();
  void Accept();

  // Half-open connections: forwards nothing this way any more, and does not
  // read either; new connections are taken and held too. Until Release().
  void Hold(Way way = kBothWays);
  void Release();

  // Cuts once this many more bytes have been forwarded this way (kToBroker or
  // kToClient), counted over all connections; not one byte more passes. With 0
  // bytes: at the next byte. One limit a way; a new call replaces it.
  void CutAfter(Way way, uint64_t bytes);
  // Inverts the lowest bit of the next byte that passes this way.
  void Corrupt(Way way);

  // Connections that are open now, and those ever accepted.
  int connections() const;
  int accepted() const;
  // Bytes forwarded this way since the start.
  uint64_t forwarded(Way way) const;
  // Waits until that many connections have been accepted in all; false when
  // the time is over.
  bool WaitForAccepted(int count, std::chrono::milliseconds timeout) const;

 private:
  class Loop;
  std::unique_ptr<Loop> loop_;
};

}  // namespace tieline::testing

#endif  // TIELINE_TESTS_SUPPORT_PROXY_H_
