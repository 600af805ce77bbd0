// Which ids are in hand, and what becomes of those who wait for one.
#include "lib/policy/claims.h"

#include <string>
#include <vector>

#include "tests/support/catch.h"

namespace tieline {
namespace {

using Verdict = InboxVerdict;
using Who = Claims::Who;

Who Copy(uint64_t cookie) { return {1, cookie}; }

struct Desk {
  // As an inbox asks.
  Verdict Ask(const std::string& id, uint64_t digest, Who who,
              std::optional<uint64_t> handled = std::nullopt) {
    if (claims.Join(id, digest, who)) return Verdict::kInHand;
    return claims.Take(id, digest, handled);
  }
  std::vector<std::pair<uint64_t, Verdict>> End(const std::string& id,
                                                bool handled) {
    std::vector<Claims::Told> told;
    claims.End(*claims.Find(id), handled, &told);
    std::vector<std::pair<uint64_t, Verdict>> list;
    for (const Claims::Told& one : told) {
      list.emplace_back(one.who.cookie, one.verdict);
    }
    return list;
  }
  Claims claims;
};

using List = std::vector<std::pair<uint64_t, Verdict>>;

TEST_CASE("a new id is claimed, and free again when it has ended") {
  Desk desk;
  CHECK(desk.Ask("a", 7, Copy(1)) == Verdict::kNew);
  CHECK(desk.Ask("b", 7, Copy(2)) == Verdict::kNew);
  CHECK(desk.claims.size() == 2);
  CHECK(desk.End("a", true).empty());
  CHECK(desk.claims.size() == 1);
  CHECK_FALSE(desk.claims.Find("a").has_value());
  CHECK(desk.claims.Find("b").has_value());
}

TEST_CASE("an id that was handled is done, or has another body") {
  Desk desk;
  CHECK(desk.Ask("a", 7, Copy(1), 7) == Verdict::kDone);
  CHECK(desk.claims.size() == 0);
  CHECK(desk.Ask("a", 8, Copy(1), 7) == Verdict::kDoneOtherBody);
  CHECK(desk.claims.size() == 1);
  // It stays known by the body that came first.
  CHECK(desk.claims.DigestOf(*desk.claims.Find("a")) == 7);
}

TEST_CASE("copies wait, and are done when the first was handled") {
  Desk desk;
  desk.Ask("a", 7, Copy(1));
  CHECK(desk.Ask("a", 7, Copy(2)) == Verdict::kInHand);
  CHECK(desk.Ask("a", 7, Copy(3)) == Verdict::kInHand);
  CHECK(desk.claims.waiting() == 2);
  CHECK(desk.End("a", true) == List{{2, Verdict::kDone}, {3, Verdict::kDone}});
  CHECK(desk.claims.waiting() == 0);
  CHECK(desk.claims.size() == 0);
}

TEST_CASE("after a failure the next copy has its turn, the others wait on") {
  Desk desk;
  desk.Ask("a", 7, Copy(1));
  desk.Ask("a", 7, Copy(2));
  desk.Ask("a", 7, Copy(3));
  CHECK(desk.End("a", false) == List{{2, Verdict::kNew}});
  CHECK(desk.claims.size() == 1);
  CHECK(desk.claims.waiting() == 1);
  CHECK(desk.Ask("a", 7, Copy(4)) == Verdict::kInHand);
  CHECK(desk.End("a", true) == List{{3, Verdict::kDone}, {4, Verdict::kDone}});
}

TEST_CASE("copies of other bodies have their turns one by one") {
  Desk desk;
  desk.Ask("a", 7, Copy(1));
  desk.Ask("a", 8, Copy(2));
  desk.Ask("a", 7, Copy(3));
  desk.Ask("a", 8, Copy(4));
  CHECK(desk.End("a", true) ==
        List{{2, Verdict::kDoneOtherBody}, {3, Verdict::kDone}});
  CHECK(desk.claims.waiting() == 1);
  // The second of the other body is delivered too: what is known is the first
  // body of that id.
  CHECK(desk.End("a", true) == List{{4, Verdict::kDoneOtherBody}});
  CHECK(desk.End("a", true).empty());
  CHECK(desk.claims.size() == 0);
}

TEST_CASE("when the first failed, whatever body comes next is new") {
  Desk desk;
  desk.Ask("a", 7, Copy(1));
  desk.Ask("a", 8, Copy(2));
  desk.Ask("a", 7, Copy(3));
  CHECK(desk.End("a", false) == List{{2, Verdict::kNew}});
  CHECK(desk.claims.DigestOf(*desk.claims.Find("a")) == 8);
  CHECK(desk.End("a", true) == List{{3, Verdict::kDoneOtherBody}});
}

TEST_CASE("another body that failed leaves what was handled before") {
  Desk desk;
  desk.Ask("a", 8, Copy(1), 7);
  desk.Ask("a", 7, Copy(2));
  desk.Ask("a", 8, Copy(3));
  CHECK(desk.End("a", false) ==
        List{{2, Verdict::kDone}, {3, Verdict::kDoneOtherBody}});
}

TEST_CASE("who has left is told nothing") {
  Desk desk;
  desk.Ask("a", 7, {1, 1});
  desk.Ask("a", 7, {2, 1});
  desk.Ask("a", 7, {3, 1});
  desk.claims.Forget(2);
  CHECK(desk.claims.waiting() == 1);
  std::vector<Claims::Told> told;
  desk.claims.End(*desk.claims.Find("a"), true, &told);
  REQUIRE(told.size() == 1);
  CHECK(told[0].who == Who{3, 1});
}

TEST_CASE("ids of every length are told apart among many") {
  Desk desk;
  std::vector<std::string> ids;
  for (int i = 0; i < 5000; ++i) {
    ids.push_back(std::string(static_cast<size_t>(i % 90), 'x') +
                  std::to_string(i));
    CHECK(desk.Ask(ids.back(), 7, Copy(1)) == Verdict::kNew);
  }
  for (size_t i = 0; i < ids.size(); i += 2) desk.End(ids[i], true);
  CHECK(desk.claims.size() == ids.size() / 2);
  for (size_t i = 0; i < ids.size(); ++i) {
    const auto claim = desk.claims.Find(ids[i]);
    REQUIRE(claim.has_value() == (i % 2 == 1));
    if (claim.has_value()) CHECK(desk.claims.IdOf(*claim) == ids[i]);
  }
}

}  // namespace
}  // namespace tieline
