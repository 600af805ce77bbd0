#include "tests/sim/claims_run.h"

#include <deque>
#include <map>
#include <optional>
#include <vector>

#include "absl/strings/str_cat.h"
#include "lib/policy/claims.h"
#include "tests/sim/rng.h"

namespace tieline::sim {
namespace {

constexpr int kSteps = 60;
constexpr int kIds = 3;
constexpr int kBodies = 2;
constexpr int kUsers = 3;

// Claims as they should be, in the plainest way.
class ClaimsRun {
 public:
  explicit ClaimsRun(uint64_t seed) : rng_(seed) {}

  std::string Run() {
    for (int i = 0; i < kSteps && wrong_.empty(); ++i) {
      const int step = rng_.Between(0, 99);
      if (step < 55) {
        Come();
      } else if (step < 95) {
        EndOne(rng_.Chance(60));
      } else {
        GoAway();
      }
    }
    // All handlers end, and nobody waits any more.
    for (int i = 0; i < 2 * kSteps && wrong_.empty() && InHand() > 0; ++i) {
      EndOne(true);
    }
    if (wrong_.empty() && (claims_.size() != 0 || claims_.waiting() != 0)) {
      Say("something is in hand, or waits, when all have ended");
    }
    return wrong_;
  }

 private:
  struct Waits {
    Claims::Who who;
    uint64_t digest = 0;
  };
  struct Id {
    std::optional<Claims::Number> claim;
    uint64_t digest = 0;              // of what is in hand
    std::optional<uint64_t> handled;  // on disk
    std::deque<Waits> waiting;
  };

  void Say(std::string_view what) {
    if (wrong_.empty()) wrong_ = std::string(what);
  }
  static std::string NameOf(int id) { return absl::StrCat("id", id); }
  static InboxVerdict FreshVerdict(const Id& id, uint64_t digest) {
    if (!id.handled.has_value()) return InboxVerdict::kNew;
    return *id.handled == digest ? InboxVerdict::kDone
                                 : InboxVerdict::kDoneOtherBody;
  }
  int InHand() const {
    int count = 0;
    for (const Id& id : ids_) count += id.claim.has_value() ? 1 : 0;
    return count;
  }

  void Come() {
    const int number = rng_.Between(0, kIds - 1);
    Id& id = ids_.at(static_cast<size_t>(number));
    const auto digest = static_cast<uint64_t>(rng_.Between(1, kBodies));
    const Claims::Who who{static_cast<uint32_t>(rng_.Between(1, kUsers)),
                          next_cookie_++};
    if (claims_.Join(NameOf(number), digest, who)) {
      if (!id.claim.has_value()) Say("waits for an id that is not in hand");
      id.waiting.push_back({who, digest});
      return;
    }
    if (id.claim.has_value()) {
      Say("two copies of an id are in hand");
      return;
    }
    const InboxVerdict verdict =
        claims_.Take(NameOf(number), digest, id.handled);
    if (verdict != FreshVerdict(id, digest)) {
      Say("a copy has another verdict than its body");
    }
    if (verdict != InboxVerdict::kDone) Begin(number, digest);
  }

  void Begin(int number, uint64_t digest) {
    Id& id = ids_.at(static_cast<size_t>(number));
    id.claim = claims_.Find(NameOf(number));
    id.digest = digest;
    if (!id.claim.has_value()) {
      Say("what was claimed is not in hand");
    } else if (claims_.IsSealed(*id.claim)) {
      Say("what was just claimed is sealed");
    }
  }

  void EndOne(bool handled) {
    std::vector<int> in_hand;
    for (int i = 0; i < kIds; ++i) {
      if (ids_.at(static_cast<size_t>(i)).claim) in_hand.push_back(i);
    }
    if (in_hand.empty()) return;
    const int number = in_hand[static_cast<size_t>(
        rng_.Between(0, static_cast<int>(in_hand.size()) - 1))];
    Id& id = ids_.at(static_cast<size_t>(number));
    const Claims::Number claim = *id.claim;
    if (handled && !claims_.Seal(claim)) Say("a claim is sealed twice");
    std::vector<Claims::Told> told;
    claims_.End(claim, handled, &told);
    // The first body stays: it is what the id is known by.
    if (handled && !id.handled.has_value()) id.handled = id.digest;
    id.claim.reset();
    CheckTold(number, told);
  }

  // Who waits is told in turn; the first one that has something to do has the
  // claim, and those behind it go on waiting.
  void CheckTold(int number, const std::vector<Claims::Told>& told) {
    Id& id = ids_.at(static_cast<size_t>(number));
    size_t next = 0;
    std::deque<Waits> rest;
    bool taken = false;
    for (const Waits& waits : id.waiting) {
      const InboxVerdict verdict = FreshVerdict(id, waits.digest);
      if (verdict != InboxVerdict::kDone && taken) {
        rest.push_back(waits);
        continue;
      }
      if (next == told.size() || !(told[next].who == waits.who) ||
          told[next].verdict != verdict) {
        Say("who waits is not told, in turn, what becomes of its copy");
        return;
      }
      ++next;
      if (verdict == InboxVerdict::kDone) continue;
      taken = true;
      Begin(number, waits.digest);
    }
    if (next != told.size()) Say("somebody is told who should wait");
    id.waiting = std::move(rest);
  }

  void GoAway() {
    const auto user = static_cast<uint32_t>(rng_.Between(1, kUsers));
    claims_.Forget(user);
    for (Id& id : ids_) {
      std::erase_if(id.waiting,
                    [&](const Waits& w) { return w.who.user == user; });
    }
  }

  Rng rng_;
  Claims claims_;
  std::vector<Id> ids_ = std::vector<Id>(kIds);
  uint64_t next_cookie_ = 1;
  std::string wrong_;
};

}  // namespace

std::string RunClaims(uint64_t seed) { return ClaimsRun(seed).Run(); }

}  // namespace tieline::sim
