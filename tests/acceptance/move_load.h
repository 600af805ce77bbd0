// Load: sends numbered, keyed messages to the queue that moves, at a rate, on a
// thread of its own. Number n has key n % keys and the number as its body.
//
// Threads: any.
#ifndef TIELINE_TESTS_ACCEPTANCE_MOVE_LOAD_H_
#define TIELINE_TESTS_ACCEPTANCE_MOVE_LOAD_H_

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/time/time.h"
#include "tieline/bus.h"

namespace tieline::move_check {

struct LoadOptions {
  double rate = 2000;  // messages a second
  uint64_t keys = 500;
  // Numbers that go before all others, and the first of those.
  std::vector<uint64_t> again;
  uint64_t first = 0;
  // Ids made of the number; else the sender stamps them.
  bool own_ids = false;
  absl::Duration send_timeout = absl::Seconds(30);
  absl::Duration wait = absl::Seconds(60);  // for the last results
};

// The id that a number has with LoadOptions::own_ids.
std::string IdOf(uint64_t number);

class LoadObserver {
 public:
  virtual ~LoadObserver() = default;
  // Before it is given to the sender; on the load's thread.
  virtual void OnIntended(uint64_t number) = 0;
  // `took`: since it was given. On the bus's thread.
  virtual void OnResult(uint64_t number, const SendResult& result,
                        absl::Duration took) = 0;
};

class Load {
 public:
  // `bus` and `observer` outlive it.
  static absl::StatusOr<std::unique_ptr<Load>> Start(Bus& bus,
                                                     LoadOptions options,
                                                     LoadObserver* observer);
  ~Load() { Stop(); }
  // Sends no more, and waits for what has no result. False: some still has
  // none.
  bool Stop();
  // Given to the sender so far.
  uint64_t sent() const { return sent_; }

 private:
  Load(std::unique_ptr<Sender> sender, LoadOptions options,
       LoadObserver* observer);
  void Run();
  void SendOne(uint64_t number);

  const LoadOptions options_;
  LoadObserver* const observer_;
  const std::unique_ptr<Sender> sender_;
  std::atomic<bool> stop_{false};
  std::atomic<uint64_t> sent_{0};
  std::atomic<uint64_t> answered_{0};
  std::thread thread_;
};

}  // namespace tieline::move_check

#endif  // TIELINE_TESTS_ACCEPTANCE_MOVE_LOAD_H_
