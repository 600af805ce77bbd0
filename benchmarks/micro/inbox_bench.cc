// What the suppression of second copies costs a message: its id, its body's
// digest, the claim, and the id's way into the store. The disk is left out as
// far as it can be: a thousand ids are committed together, on this thread.
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "benchmark/benchmark.h"
#include "lib/base/digest.h"
#include "lib/engine/inbox.h"
#include "lib/engine/inbox_id.h"
#include "lib/store/store.h"
#include "tieline/message.h"

namespace tieline {
namespace {

constexpr int64_t kTogether = 1000;
const std::string kBody(100, 'b');

class Nobody final : public InboxUser {
 public:
  void OnVerdict(uint64_t, InboxVerdict) override {}
  void OnDurable(std::span<const uint64_t> cookies,
                 const absl::Status&) override {
    durable += cookies.size();
  }
  void OnDue() override {}
  uint64_t durable = 0;
};

class Desk {
 public:
  Desk() {
    std::string folder =
        std::filesystem::temp_directory_path() / "inbox-XXXXXX";
    folder_ = mkdtemp(folder.data());
    StoreOptions options;
    options.path = folder_ + "/s.db";
    options.drive = StoreDrive::kCaller;
    store = *Store::Open(options);
    InboxOptions with;
    with.window.ids = 100'000;
    inbox = *Inbox::Make(store.get(), *store->AddQueue("bench"), with, &clock_);
    user = inbox->Join(nobody);
  }
  ~Desk() {
    inbox->Close();
    inbox.reset();
    store.reset();
    std::filesystem::remove_all(folder_);
  }
  void Settle() {
    clock_.Advance(absl::Seconds(2));
    inbox->Tick();
    while (store->RunOnce() > 0) {
    }
  }

 private:
  std::string folder_;
  ManualClock clock_;

 public:
  std::unique_ptr<Store> store;
  std::shared_ptr<Inbox> inbox;
  std::shared_ptr<Nobody> nobody = std::make_shared<Nobody>();
  Inbox::UserNumber user = 0;
};

// Messages with ids as senders stamp them.
std::vector<Message> Stamped(int64_t n) {
  std::vector<Message> messages;
  for (int64_t i = 0; i < n; ++i) {
    Message& message = messages.emplace_back(kBody);
    message.set_id("k3x9q0v7m2p4-" + std::to_string(i));
  }
  return messages;
}

InboxVerdict ClaimOne(Desk& desk, const Message& message, uint64_t cookie,
                      std::string* id) {
  InboxIdOf(message, true, {}, id);
  return desk.inbox->Claim(*id, BodyDigest(message), desk.user, cookie);
}

void BM_Digest(benchmark::State& state) {
  const std::string body(static_cast<size_t>(state.range(0)), 'b');
  for (auto _ : state) benchmark::DoNotOptimize(Digest64(body));
  state.SetBytesProcessed(state.iterations() * state.range(0));
}
BENCHMARK(BM_Digest)->Arg(16)->Arg(100)->Arg(1000)->Arg(100000);

// All that a message costs that comes once. Each is made new, which a message
// that is received is not: BM_Message says what that takes.
void BM_FirstCopy(benchmark::State& state) {
  Desk desk;
  std::string id;
  uint64_t n = 0;
  for (auto _ : state) {
    Message message(kBody);
    message.set_id("k3x9q0v7m2p4-" + std::to_string(n));
    if (ClaimOne(desk, message, n, &id) != InboxVerdict::kNew) {
      state.SkipWithError("an id was known");
      break;
    }
    desk.inbox->Done(id, desk.user, n);
    if (++n % kTogether == 0) desk.Settle();
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(BM_FirstCopy);

void BM_Message(benchmark::State& state) {
  uint64_t n = 0;
  for (auto _ : state) {
    Message message(kBody);
    message.set_id("k3x9q0v7m2p4-" + std::to_string(n++));
    benchmark::DoNotOptimize(message);
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(BM_Message);

void BM_SecondCopy(benchmark::State& state) {
  Desk desk;
  std::string id;
  const std::vector<Message> messages = Stamped(kTogether);
  for (const Message& message : messages) {
    ClaimOne(desk, message, 0, &id);
    desk.inbox->Done(id, desk.user, 0);
  }
  desk.Settle();
  size_t n = 0;
  for (auto _ : state) {
    if (ClaimOne(desk, messages[n], 1, &id) != InboxVerdict::kDone) {
      state.SkipWithError("an id was not known");
      break;
    }
    n = (n + 1) % messages.size();
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(BM_SecondCopy);

}  // namespace
}  // namespace tieline
