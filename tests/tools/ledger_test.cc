#include "tools/ledger.h"

#include <vector>

#include "tests/support/catch.h"
#include "tools/charger_load.h"

namespace tieline::tools {
namespace {

constexpr ChargerCall kFirst = {0, 0};
constexpr ChargerCall kSecond = {0, 1};

struct Books {
  Books() : ledger(2) {}
  void Accept(const ChargerCall& call) {
    ledger.Sent(call);
    ledger.Answered(call, true, absl::Milliseconds(3));
  }
  void Handle(const ChargerCall& call) { ledger.Handled(MessageFor(call)); }
  Ledger ledger;
};

TEST_CASE("the demo's chargers send by turns, each its own numbers") {
  ChargerSource source(2);
  const std::vector<ChargerCall> expected = {{0, 0}, {1, 0}, {0, 1}, {1, 1}};
  for (const ChargerCall& call : expected) CHECK(source.NextCall() == call);
  CHECK(source.made() == 4);
}

TEST_CASE("the demo's ledger is content with what came once and in order") {
  Books books;
  ChargerSource source(2);
  for (int i = 0; i < 40; ++i) {
    const ChargerCall call = source.NextCall();
    books.Accept(call);
    books.Handle(call);
  }
  const Ledger::Counts counts = books.ledger.counts();
  CHECK(counts.sent == 40);
  CHECK(counts.accepted == 40);
  CHECK(counts.handled == 40);
  CHECK(counts.all_is_well());
}

TEST_CASE("the demo's ledger misses what was accepted and never came") {
  Books books;
  books.Accept(kFirst);
  books.Accept(kSecond);
  books.Handle(kSecond);
  CHECK(books.ledger.counts().lost == 1);
  CHECK_FALSE(books.ledger.counts().all_is_well());
  books.Handle(kFirst);
  CHECK(books.ledger.counts().lost == 0);
  CHECK(books.ledger.counts().order_violations == 1);
}

TEST_CASE("a message that came before its answer is not lost") {
  Books books;
  books.ledger.Sent(kFirst);
  books.Handle(kFirst);
  CHECK(books.ledger.counts().unanswered() == 1);
  CHECK_FALSE(books.ledger.counts().all_is_well());
  books.ledger.Answered(kFirst, true, absl::ZeroDuration());
  CHECK(books.ledger.counts().all_is_well());
}

TEST_CASE("the demo's ledger counts each further copy, and not as disorder") {
  Books books;
  books.Accept(kFirst);
  books.Accept(kSecond);
  books.Handle(kFirst);
  books.Handle(kSecond);
  books.Handle(kFirst);
  books.Handle(kFirst);
  CHECK(books.ledger.counts().duplicates == 2);
  CHECK(books.ledger.counts().order_violations == 0);
  CHECK(books.ledger.counts().handled == 2);
  CHECK_FALSE(books.ledger.counts().all_is_well());
}

TEST_CASE("the demo's ledger sees a gap once, when the missing one comes") {
  Books books;
  for (uint64_t n = 0; n < 4; ++n) books.Accept({1, n});
  books.Handle({1, 0});
  books.Handle({1, 2});
  books.Handle({1, 3});
  CHECK(books.ledger.counts().order_violations == 0);
  books.Handle({1, 1});
  CHECK(books.ledger.counts().order_violations == 1);
}

TEST_CASE("a message that was not sent so counts as altered") {
  Books books;
  books.Accept(kFirst);
  books.ledger.Handled(Message("something else"));
  books.ledger.Handled(Message(BodyOf(kFirst)).set_key("charger-001"));
  books.ledger.Handled(Message(BodyOf(kFirst) + " ").set_key(KeyOf(0)));
  books.Handle(kSecond);  // not sent at all
  books.Handle({7, 0});
  CHECK(books.ledger.counts().altered == 5);
  CHECK(books.ledger.counts().handled == 0);
}

TEST_CASE("a send that failed is counted, and need not come") {
  Books books;
  books.ledger.Sent(kFirst);
  books.ledger.Answered(kFirst, false, absl::Seconds(1));
  CHECK(books.ledger.counts().failed == 1);
  CHECK(books.ledger.counts().lost == 0);
  CHECK_FALSE(books.ledger.counts().all_is_well());
}

TEST_CASE("the demo's ledger tells what was waited since it last did") {
  Books books;
  books.Accept(kFirst);
  const Ledger::Waits waits = books.ledger.TakeWaits();
  CHECK(waits.histogram.total == 1);
  CHECK(waits.longest == absl::Milliseconds(3));
  CHECK(books.ledger.TakeWaits().histogram.total == 0);
}

}  // namespace
}  // namespace tieline::tools
