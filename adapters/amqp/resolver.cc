#include "adapters/amqp/resolver.h"

#include <netdb.h>
#include <pthread.h>

#include <cstring>
#include <utility>

#include "lib/base/status.h"

namespace tieline::inline v0::amqp {
namespace {

// Appends the addresses of one host; getaddrinfo's code.
int LookUp(const HostPort& host, int flags, std::vector<Address>* out) {
  addrinfo hints = {};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = flags | AI_NUMERICSERV;
  addrinfo* list = nullptr;
  int code = getaddrinfo(host.host.c_str(), std::to_string(host.port).c_str(),
                         &hints, &list);
  if (code != 0) return code;
  for (addrinfo* one = list; one != nullptr; one = one->ai_next) {
    Address address;
    std::memcpy(&address.storage, one->ai_addr, one->ai_addrlen);
    address.size = one->ai_addrlen;
    address.host = host.host;
    address.port = host.port;
    out->push_back(std::move(address));
  }
  freeaddrinfo(list);
  return 0;
}

Resolver::Result LookUpAll(const std::vector<HostPort>& hosts) {
  std::vector<Address> found;
  std::string failures;
  for (const HostPort& host : hosts) {
    int code = LookUp(host, AI_ADDRCONFIG, &found);
    // Loopback alone does not count as a configured address.
    if (code != 0) code = LookUp(host, 0, &found);
    if (code == 0) continue;
    if (!failures.empty()) failures += "; ";
    failures += fmt::format("host \"{}\" can't be resolved ({})", host.host,
                            gai_strerror(code));
  }
  if (!found.empty()) return found;
  return absl::UnavailableError(failures +
                                ": check the name in the broker's url");
}

}  // namespace

struct Resolver::Query::State {
  std::vector<HostPort> hosts;
  std::mutex mutex;
  driver::Waker* waker = nullptr;  // null once nobody waits
  std::optional<Result> result;
};

std::optional<Resolver::Result> Resolver::Query::Take() {
  std::lock_guard<std::mutex> lock(state_->mutex);
  return std::exchange(state_->result, std::nullopt);
}

Resolver::Query::~Query() {
  std::lock_guard<std::mutex> lock(state_->mutex);
  state_->waker = nullptr;
}

Resolver::~Resolver() {
  {
    std::lock_guard<std::mutex> lock(mutex_);
    stop_ = true;
  }
  changed_.notify_all();
  if (thread_.joinable()) thread_.join();
}

std::unique_ptr<Resolver::Query> Resolver::Ask(std::vector<HostPort> hosts,
                                               driver::Waker* waker) {
  auto query = std::make_unique<Query>();
  query->state_ = std::make_shared<Query::State>();
  std::vector<Address> numeric;
  bool all_numeric = true;
  for (const HostPort& host : hosts) {
    all_numeric = all_numeric && LookUp(host, AI_NUMERICHOST, &numeric) == 0;
  }
  if (all_numeric) {
    query->state_->result = std::move(numeric);
    return query;
  }
  query->state_->hosts = std::move(hosts);
  query->state_->waker = waker;
  std::lock_guard<std::mutex> lock(mutex_);
  waiting_.push_back(query->state_);
  if (!thread_.joinable()) {
    thread_ = std::thread([this] { Run(); });
    pthread_setname_np(thread_.native_handle(), "tieline-dns");
  }
  changed_.notify_all();
  return query;
}

void Resolver::Run() {
  std::unique_lock<std::mutex> lock(mutex_);
  for (;;) {
    changed_.wait(lock, [this] { return stop_ || !waiting_.empty(); });
    if (stop_) return;
    std::shared_ptr<Query::State> state = std::move(waiting_.front());
    waiting_.pop_front();
    lock.unlock();
    bool wanted;
    {
      std::lock_guard<std::mutex> query_lock(state->mutex);
      wanted = state->waker != nullptr;
    }
    if (wanted) {
      Result result = LookUpAll(state->hosts);
      // Waking under the query's lock, so that the waker is still there; it
      // only sets a flag or writes to a descriptor.
      std::lock_guard<std::mutex> query_lock(state->mutex);
      state->result = std::move(result);
      if (state->waker != nullptr) state->waker->Wake();
    }
    lock.lock();
  }
}

}  // namespace tieline::inline v0::amqp
