// Resolver: host names to addresses without blocking the caller.
//
// Numeric addresses are answered at once. Names are looked up one after
// another on a thread of the resolver's own, "tieline-dns", which is started
// with the first name and joined by the destructor (which may wait for a look-
// up that is under way).
// Threads: any thread may call anything.
#ifndef TIELINE_ADAPTERS_AMQP_RESOLVER_H_
#define TIELINE_ADAPTERS_AMQP_RESOLVER_H_

#include <netinet/in.h>
#include <sys/socket.h>

#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "absl/status/statusor.h"
#include "tieline/driver/driver.h"
#include "tieline/url.h"

namespace tieline::inline v0::amqp {

struct Address {
  sockaddr_storage storage = {};
  socklen_t size = 0;
  std::string host;  // as it was asked for
  int port = 0;
};

class Resolver {
 public:
  using Result = absl::StatusOr<std::vector<Address>>;

  // One question. Dropping it takes the question back.
  class Query {
   public:
    // The answer, once it is there. kUnavailable names the hosts.
    std::optional<Result> Take();
    // From here on the waker is not called.
    ~Query();

   private:
    friend class Resolver;
    struct State;
    std::shared_ptr<State> state_;
  };

  Resolver() = default;
  Resolver(const Resolver&) = delete;
  Resolver& operator=(const Resolver&) = delete;
  ~Resolver();

  // Looks all hosts up, in their order; those that fail are left out unless
  // all fail. The waker is woken when the answer is there, unless it is there
  // when this returns.
  std::unique_ptr<Query> Ask(std::vector<HostPort> hosts, driver::Waker* waker);

 private:
  void Run();

  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::shared_ptr<Query::State>> waiting_;
  bool stop_ = false;
  std::thread thread_;
};

}  // namespace tieline::inline v0::amqp

#endif  // TIELINE_ADAPTERS_AMQP_RESOLVER_H_
