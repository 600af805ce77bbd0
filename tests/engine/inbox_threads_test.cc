// The inbox under many threads, on a store with its own.
#include <array>
#include <atomic>
#include <memory>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include "absl/time/clock.h"
#include "lib/engine/inbox.h"
#include "tests/store/temp_store.h"
#include "tests/support/catch.h"

namespace tieline::testing {
namespace {

// No id is in two hands at once, and each ends as done for everybody.
class Crowd final : public InboxUser {
 public:
  void OnVerdict(uint64_t cookie, InboxVerdict verdict) override {
    Act(cookie, verdict);
  }
  void OnDurable(std::span<const uint64_t> cookies,
                 const absl::Status& status) override {
    if (status.ok()) durable += static_cast<int>(cookies.size());
  }
  void OnDue() override {}
  void Act(uint64_t cookie, InboxVerdict verdict) {
    if (verdict == InboxVerdict::kDone) ++dropped;
    if (verdict != InboxVerdict::kNew) return;
    const uint64_t id = cookie % kIds;
    if (in_hand[id].exchange(true)) ++clashes;
    const bool fails = cookie % 7 == 0 && failed[id].fetch_add(1) < 2;
    in_hand[id] = false;
    if (fails) {
      ++given_up;
      inbox->Failed(std::to_string(id));
    } else {
      inbox->Done(std::to_string(id), number, cookie);
    }
  }

  static constexpr uint64_t kIds = 200;
  Inbox* inbox = nullptr;
  Inbox::UserNumber number = 0;
  std::array<std::atomic<bool>, kIds> in_hand{};
  std::array<std::atomic<int>, kIds> failed{};
  std::atomic<int> clashes{0};
  std::atomic<int> durable{0};
  std::atomic<int> dropped{0};
  std::atomic<int> given_up{0};
};

TEST_CASE("copies on many threads: one has the message in hand, one is kept") {
  constexpr uint64_t kThreads = 4;
  constexpr uint64_t kEach = 3000;
  const TempFolder folder;
  StoreOptions options = SmallStore(folder.File("s.db"));
  options.drive = StoreDrive::kThread;
  const auto store = OpenStore(options);
  const QueueId queue = QueueOf(store.get(), "orders");
  const auto inbox =
      *Inbox::Make(store.get(), queue, InboxOptions(), Clock::System());
  const auto crowd = std::make_shared<Crowd>();
  crowd->inbox = inbox.get();
  crowd->number = inbox->Join(crowd);
  std::vector<std::thread> threads;
  for (uint64_t t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      for (uint64_t i = 0; i < kEach; ++i) {
        const uint64_t cookie = t * kEach + i;
        const std::string id = std::to_string(cookie % Crowd::kIds);
        crowd->Act(cookie, inbox->Claim(id, 7, crowd->number, cookie));
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  const absl::Time until = absl::Now() + absl::Seconds(30);
  const auto answered = [&] {
    return crowd->durable + crowd->dropped + crowd->given_up;
  };
  while (answered() < static_cast<int>(kThreads * kEach) &&
         absl::Now() < until) {
    std::this_thread::yield();
  }
  CHECK(answered() == static_cast<int>(kThreads * kEach));
  CHECK(crowd->clashes == 0);
  CHECK(crowd->durable == static_cast<int>(Crowd::kIds));
  CHECK(inbox->state().claims == 0);
  inbox->Close();
}

}  // namespace
}  // namespace tieline::testing
