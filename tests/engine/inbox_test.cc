// Second copies are suppressed, what was handled is on disk before anybody is
// told, and bounds push back.
#include "lib/engine/inbox.h"

#include <algorithm>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "tests/store/temp_store.h"
#include "tests/support/catch.h"

namespace tieline::testing {
namespace {

using Verdict = InboxVerdict;

// A user that remembers what it is told.
class Listener final : public InboxUser {
 public:
  void OnVerdict(uint64_t cookie, Verdict verdict) override {
    verdicts.emplace_back(cookie, verdict);
    if (on_verdict) on_verdict(cookie, verdict);
  }
  void OnDurable(std::span<const uint64_t> cookies,
                 const absl::Status& status) override {
    for (const uint64_t cookie : cookies) {
      (status.ok() ? durable : lost).push_back(cookie);
    }
  }
  void OnDue() override { ++due; }

  std::vector<std::pair<uint64_t, Verdict>> verdicts;
  std::function<void(uint64_t, Verdict)> on_verdict;
  std::vector<uint64_t> durable;
  std::vector<uint64_t> lost;
  int due = 0;
};

using Cookies = std::vector<uint64_t>;
using Verdicts = std::vector<std::pair<uint64_t, Verdict>>;

// A store, an inbox on it and one user, driven by the test.
class Desk {
 public:
  explicit Desk(const InboxOptions& with = {}, int64_t store_ids = 1000)
      : options_(SmallStore(folder_.File("s.db"))), with_(with) {
    options_.inbox_ids = store_ids;
    options_.clock = &clock;
    Open();
  }
  void Open() {
    store = OpenStore(options_);
    queue = QueueOf(store.get(), "orders");
    auto made = Inbox::Make(store.get(), queue, with_, &clock);
    INFO(made.status());
    REQUIRE(made.ok());
    inbox = *std::move(made);
    listener = std::make_shared<Listener>();
    user = inbox->Join(listener);
  }
  // As after a crash: nothing is said to anybody.
  void OpenAgain() {
    inbox.reset();
    store.reset();
    Open();
  }
  Verdict Claim(const std::string& id, uint64_t cookie, uint64_t digest = 7) {
    return inbox->Claim(id, digest, user, cookie);
  }
  void Done(const std::string& id, uint64_t cookie) {
    inbox->Done(id, user, cookie);
  }
  void RunStore() const {
    while (store->RunOnce() > 0) {
    }
  }
  // Handled, and on disk.
  void Handle(const std::string& id, uint64_t digest = 7) {
    REQUIRE(Claim(id, 0, digest) == Verdict::kNew);
    Done(id, 0);
    RunStore();
  }

  ManualClock clock;

 private:
  TempFolder folder_;
  StoreOptions options_;
  InboxOptions with_;

 public:
  std::unique_ptr<Store> store;
  QueueId queue{};
  std::shared_ptr<Inbox> inbox;
  std::shared_ptr<Listener> listener;
  Inbox::UserNumber user = 0;
};

TEST_CASE("a second copy of what was handled is suppressed") {
  Desk desk;
  CHECK(desk.Claim("a", 1) == Verdict::kNew);
  desk.Done("a", 1);
  desk.RunStore();
  CHECK(desk.listener->durable == Cookies{1});
  CHECK(desk.Claim("a", 2) == Verdict::kDone);
  CHECK(desk.Claim("b", 3) == Verdict::kNew);
  CHECK(desk.inbox->state().suppressed == 1);
}

TEST_CASE("nobody is told that an id is done before it is on disk") {
  Desk desk;
  desk.Claim("a", 1);
  desk.Done("a", 1);
  CHECK(desk.listener->durable.empty());
  CHECK(desk.Claim("a", 2) == Verdict::kInHand);
  CHECK(desk.listener->verdicts.empty());
  desk.RunStore();
  CHECK(desk.listener->durable == Cookies{1});
  CHECK(desk.listener->verdicts == Verdicts{{2, Verdict::kDone}});
  CHECK(desk.inbox->state().claims == 0);
}

TEST_CASE("what was handled is known after a crash, what was not comes again") {
  Desk desk;
  desk.Handle("a");
  desk.Claim("b", 1);
  desk.Claim("c", 2);
  desk.Done("c", 2);  // not committed
  desk.OpenAgain();
  CHECK(desk.Claim("a", 1) == Verdict::kDone);
  CHECK(desk.Claim("b", 2) == Verdict::kNew);
  CHECK(desk.store->FindInInbox(desk.queue, "a") == 7);
}

TEST_CASE("the same id with another body is reported, and has its turn") {
  Desk desk;
  desk.Handle("a", 7);
  CHECK(desk.Claim("a", 1, 8) == Verdict::kDoneOtherBody);
  CHECK(desk.Claim("a", 2, 8) == Verdict::kInHand);
  desk.Done("a", 1);
  desk.RunStore();
  CHECK(desk.listener->durable == Cookies{0, 1});
  CHECK(desk.listener->verdicts == Verdicts{{2, Verdict::kDoneOtherBody}});
  CHECK(desk.inbox->state().other_body == 2);
  CHECK(desk.store->FindInInbox(desk.queue, "a") == 7);
}

TEST_CASE("a copy that waits gets the claim when the first one failed") {
  Desk desk;
  desk.Claim("a", 1);
  CHECK(desk.Claim("a", 2) == Verdict::kInHand);
  CHECK(desk.Claim("a", 3) == Verdict::kInHand);
  desk.inbox->Failed("a");
  CHECK(desk.listener->verdicts == Verdicts{{2, Verdict::kNew}});
  desk.Done("a", 2);
  desk.RunStore();
  CHECK(desk.listener->verdicts ==
        Verdicts{{2, Verdict::kNew}, {3, Verdict::kDone}});
}

TEST_CASE("what is said of a claim that has ended is ignored") {
  Desk desk;
  desk.Claim("a", 1);
  desk.Claim("a", 2);
  desk.Done("a", 1);
  desk.Done("a", 1);
  desk.inbox->Failed("a");
  CHECK(desk.listener->verdicts.empty());
  desk.RunStore();
  CHECK(desk.listener->durable == Cookies{1});
  CHECK(desk.listener->verdicts == Verdicts{{2, Verdict::kDone}});
  desk.Done("a", 1);
  desk.inbox->Failed("a");
  desk.Done("never claimed", 3);
  desk.RunStore();
  CHECK(desk.listener->durable == Cookies{1});
}

TEST_CASE("many that have no use for a claim pass it on") {
  Desk desk;
  desk.Claim("a", 0);
  for (uint64_t i = 1; i <= 50000; ++i) desk.Claim("a", i);
  desk.listener->on_verdict = [&](uint64_t, Verdict) {
    desk.inbox->Failed("a");
  };
  desk.inbox->Failed("a");
  CHECK(desk.listener->verdicts.size() == 50000);
  CHECK(desk.inbox->state().claims == 0);
}

TEST_CASE("a verdict of a user that has left goes to the next") {
  Desk desk;
  const auto second = std::make_shared<Listener>();
  const Inbox::UserNumber other = desk.inbox->Join(second);
  desk.Claim("a", 1);
  desk.inbox->Claim("a", 7, other, 2);
  desk.Claim("a", 3);
  // While the first is being told, the other leaves.
  desk.listener->on_verdict = [&](uint64_t, Verdict) {};
  desk.inbox->Leave(other);
  desk.inbox->Failed("a");
  CHECK(second->verdicts.empty());
  CHECK(desk.listener->verdicts == Verdicts{{3, Verdict::kNew}});
  CHECK(second.use_count() == 1);
}

TEST_CASE("batches are filled while one is on its way") {
  InboxOptions options;
  options.batch_ids = 10;
  Desk desk(options);
  for (uint64_t i = 0; i < 25; ++i) {
    desk.Claim(std::to_string(i), i);
    desk.Done(std::to_string(i), i);
  }
  std::vector<size_t> sizes;
  while (desk.store->RunOnce() > 0) {
    sizes.push_back(desk.listener->durable.size());
  }
  // The first alone, since nothing was on its way.
  CHECK(sizes == std::vector<size_t>{1, 11, 21, 25});
  CHECK(std::is_sorted(desk.listener->durable.begin(),
                       desk.listener->durable.end()));
}

TEST_CASE("a batch is not larger than the store takes") {
  InboxOptions options;
  options.batch_bytes = 32 << 10;
  Desk desk(options);
  for (uint64_t i = 0; i < 300; ++i) {
    const std::string id = std::string(500, 'x') + std::to_string(i);
    desk.Claim(id, i);
    desk.Done(id, i);
  }
  desk.RunStore();
  CHECK(desk.listener->durable.size() == 300);
}

TEST_CASE("claims are bounded, and who was refused is told of room") {
  InboxOptions options;
  options.claims = 2;
  Desk desk(options);
  CHECK(desk.Claim("a", 1) == Verdict::kNew);
  CHECK(desk.Claim("b", 2) == Verdict::kNew);
  CHECK(desk.Claim("c", 3) == Verdict::kFull);
  CHECK(desk.Claim("a", 4) == Verdict::kInHand);
  CHECK(desk.listener->due == 0);
  desk.Done("a", 1);
  desk.RunStore();
  CHECK(desk.listener->due == 1);
  CHECK(desk.Claim("c", 3) == Verdict::kNew);
  CHECK(desk.Claim("d", 5) == Verdict::kFull);
  desk.inbox->Failed("b");
  CHECK(desk.listener->due == 2);
  CHECK(desk.inbox->state().refused == 2);
}

TEST_CASE("copies that wait are bounded") {
  InboxOptions options;
  options.claims = 3;
  Desk desk(options);
  desk.Claim("a", 1);
  for (uint64_t i = 2; i <= 4; ++i) {
    CHECK(desk.Claim("a", i) == Verdict::kInHand);
  }
  CHECK(desk.Claim("a", 5) == Verdict::kFull);
  desk.Done("a", 1);
  desk.RunStore();
  CHECK(desk.listener->due == 1);
}

TEST_CASE(
    "at its bound of ids the inbox evicts only what is out of the window") {
  InboxOptions options;
  options.window.age = absl::Minutes(10);
  options.ids = 3;
  Desk desk(options);
  for (const char* id : {"a", "b", "c"}) {
    desk.Handle(id);
    desk.clock.Advance(absl::Minutes(1));
  }
  CHECK(desk.Claim("d", 1) == Verdict::kFull);
  CHECK(desk.Claim("a", 2) == Verdict::kDone);  // which takes no room
  desk.inbox->Tick();
  desk.RunStore();
  CHECK(desk.Claim("d", 1) == Verdict::kFull);
  CHECK(desk.listener->due == 0);
  desk.clock.Advance(absl::Minutes(8));
  desk.inbox->Tick();
  desk.RunStore();
  CHECK(desk.listener->due == 1);
  CHECK(desk.Claim("d", 1) == Verdict::kNew);
  CHECK(desk.Claim("c", 2) == Verdict::kDone);
}

TEST_CASE("nothing is evicted from a move's begin to a window after its end") {
  InboxOptions options;
  options.window.age = absl::Minutes(10);
  Desk desk(options);
  desk.Handle("a");
  const auto known_after = [&](absl::Duration more) {
    desk.clock.Advance(more);
    desk.inbox->Tick();
    desk.RunStore();
    return desk.store->FindInInbox(desk.queue, "a").has_value();
  };
  desk.inbox->BeginMove();
  desk.inbox->BeginMove();
  CHECK(known_after(absl::Hours(5)));
  desk.inbox->EndMove();
  CHECK(known_after(absl::Hours(5)));
  desk.inbox->EndMove();
  CHECK(known_after(absl::Minutes(9)));
  CHECK_FALSE(known_after(absl::Minutes(1)));
}

TEST_CASE("a tick says when the next is due") {
  InboxOptions options;
  options.window.age = absl::Minutes(10);
  options.evict_every = absl::Seconds(2);
  Desk desk(options);
  const absl::Time now = desk.clock.Steady();
  CHECK(desk.inbox->Tick() == now + absl::Seconds(2));
  desk.inbox->BeginMove();
  CHECK(desk.inbox->Tick() == absl::InfiniteFuture());
  CHECK(desk.listener->due == 0);
  desk.inbox->EndMove();
  CHECK(desk.listener->due == 1);
  CHECK(desk.inbox->Tick() == now + absl::Minutes(10));
}

TEST_CASE("what the store refuses waits, and is tried again") {
  InboxOptions options;
  options.window.age = absl::Minutes(10);
  Desk desk(options, 2);  // of the store's, which the inbox does not know
  desk.Handle("a");
  desk.Handle("b");
  CHECK(desk.Claim("c", 1) == Verdict::kNew);
  desk.Done("c", 1);
  desk.RunStore();
  CHECK(desk.inbox->state().to_store == 1);
  CHECK(absl::IsResourceExhausted(desk.inbox->state().last_error));
  CHECK(desk.listener->due == 1);  // a tick is due that none announced
  CHECK(desk.listener->durable == Cookies{0, 0});
  // The handler has run: copies wait for the disk.
  CHECK(desk.Claim("c", 2) == Verdict::kInHand);
  desk.clock.Advance(absl::Minutes(11));
  for (int i = 0; i < 3; ++i) {
    desk.inbox->Tick();
    desk.RunStore();
    desk.clock.Advance(absl::Seconds(1));
  }
  CHECK(desk.listener->durable == Cookies{0, 0, 1});
  CHECK(desk.listener->verdicts == Verdicts{{2, Verdict::kDone}});
  CHECK(desk.inbox->state().last_error.ok());
}

TEST_CASE("closing answers what waits, and takes no more") {
  Desk desk;
  desk.Claim("a", 1);
  desk.Done("a", 1);
  desk.Claim("b", 2);
  desk.inbox->Close();
  CHECK(desk.listener->lost == Cookies{1});
  CHECK(desk.Claim("c", 3) == Verdict::kFull);
  desk.Done("b", 2);
  CHECK(desk.listener->lost == Cookies{1, 2});
  // The batch was on its way all the same; nobody is told twice.
  desk.RunStore();
  CHECK(desk.listener->durable.empty());
  CHECK(desk.store->FindInInbox(desk.queue, "a") == 7);
}

TEST_CASE("options that make no sense are refused by name") {
  InboxOptions options;
  options.batch_ids = 0;
  CHECK(absl::IsInvalidArgument(options.Validate()));
  CHECK(options.Validate().message().find("batch_ids") !=
        absl::string_view::npos);
  CHECK(InboxOptions().Validate().ok());
}

}  // namespace
}  // namespace tieline::testing
