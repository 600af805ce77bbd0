// The judge must see what it is there to see.
#include "tests/acceptance/move_judge.h"

#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

#include "tests/support/catch.h"

namespace tieline::move_check {
namespace {

constexpr uint64_t kKeys = 2;

class Log {
 public:
  Log() { Add(Step::kStarted); }
  Log& Add(Step step, uint64_t number = 0, uint8_t flags = 0,
           uint16_t attempts = 1) {
    judge_.Add({step, flags, attempts, 0, number});
    return *this;
  }
  Log& Send(uint64_t number, uint16_t attempts = 1) {
    Add(Step::kIntended, number);
    return Add(Step::kAccepted, number, 0, attempts);
  }
  Log& Handle(uint64_t number, uint8_t flags = 0) {
    Add(Step::kHandling, number, flags);
    return Add(Step::kHandled, number);
  }
  Log& Restart() { return Add(Step::kStarted); }
  Judge::Findings End() const { return judge_.End(); }

 private:
  Judge judge_{kKeys};
};

TEST_CASE("a run without a fault is well") {
  Log log;
  for (uint64_t i = 0; i < 10; ++i) log.Send(i);
  log.Add(Step::kApplied, 2);
  for (uint64_t i = 0; i < 10; ++i) log.Handle(i);
  log.Add(Step::kEnded, 2);
  const auto found = log.End();
  CHECK(found.IsWell(true));
  CHECK(found.all.sent == 10);
  CHECK(found.all.handled == 10);
  CHECK(found.incarnations == 1);
}

TEST_CASE("what was accepted and never handled is lost") {
  Log log;
  log.Send(0).Add(Step::kApplied, 2).Send(1).Add(Step::kEnded, 2).Handle(0);
  // Nobody was told that a broker has it.
  log.Add(Step::kIntended, 2);
  const auto found = log.End();
  CHECK(found.all.lost == 1);
  CHECK(found.by_move.at(2).lost == 1);
  CHECK_FALSE(found.IsWell(false));
}

TEST_CASE("a move that did not end, and a send that failed, are faults") {
  CHECK_FALSE(Log().Add(Step::kApplied, 2).End().IsWell(false));
  CHECK_FALSE(
      Log().Add(Step::kIntended, 0).Add(Step::kFailed, 0).End().IsWell(false));
}

TEST_CASE("a second effect needs an explanation") {
  Log log;
  SECTION("nothing explains it") {
    const auto found = log.Send(0).Handle(0).Handle(0).End();
    CHECK(found.all.twice_unexplained == 1);
    CHECK_FALSE(found.IsWell(false));
  }
  SECTION("the broker delivers it again") {
    const auto found = log.Send(0).Handle(0).Handle(0, kRedelivered).End();
    CHECK(found.all.twice_marked == 1);
    CHECK(found.IsWell(false));
    CHECK_FALSE(found.IsWell(true));
  }
  SECTION("its send was in doubt, which is known later") {
    log.Add(Step::kIntended, 0).Handle(0).Handle(0);
    const auto found = log.Add(Step::kAccepted, 0, 0, 2).End();
    CHECK(found.all.twice_in_doubt == 1);
    CHECK(found.IsWell(false));
    CHECK_FALSE(found.IsWell(true));
  }
  SECTION("it was in hand at a kill") {
    log.Send(0).Handle(0).Add(Step::kApplied, 2).Add(Step::kEnded, 2);
    const auto found = log.Restart().Handle(0).End();
    CHECK(found.all.twice_by_kill == 1);
    CHECK(found.by_move.at(2).twice_by_kill == 1);
    CHECK(found.IsWell(true));
  }
  SECTION("its completion was answered before the kill") {
    log.Send(0).Handle(0).Add(Step::kSettled, 0);
    const auto found = log.Restart().Handle(0).End();
    CHECK(found.all.twice_unexplained == 1);
  }
  SECTION("its send was without an answer at a kill") {
    log.Add(Step::kIntended, 0).Restart();
    const auto found = log.Send(0).Handle(0).Handle(0).End();
    CHECK(found.all.twice_in_doubt == 1);
    CHECK(found.IsWell(false));
    CHECK_FALSE(found.IsWell(true));
  }
}

TEST_CASE("messages of a key come in order, those that are marked apart") {
  Log log;
  for (uint64_t i = 0; i < 6; ++i) log.Send(i);
  SECTION("keys are apart") {
    CHECK(log.Handle(1).Handle(0).End().all.out_of_order == 0);
  }
  SECTION("unmarked") {
    const auto found = log.Handle(2).Handle(0).End();
    CHECK(found.all.out_of_order == 1);
    CHECK_FALSE(found.IsWell(false));
  }
  SECTION("marked") {
    const auto found = log.Handle(2).Handle(0, kLate).End();
    CHECK(found.all.out_of_order == 0);
    CHECK(found.all.out_of_order_marked == 1);
    CHECK(found.all.late == 1);
  }
  SECTION("behind one that was marked") {
    const auto found = log.Handle(2, kRedelivered).Handle(0).End();
    CHECK(found.all.out_of_order == 0);
    CHECK(found.all.out_of_order_marked == 1);
  }
  SECTION("a second effect is out of any order") {
    CHECK(log.Handle(0).Handle(2).Handle(0).End().all.out_of_order == 0);
  }
}

TEST_CASE("two handlers with one key at a time are a fault") {
  Log log;
  log.Send(0).Send(2).Add(Step::kHandling, 0);
  SECTION("in one process") {
    const auto found = log.Handle(2).End();
    CHECK(found.all.overlaps == 1);
    CHECK_FALSE(found.IsWell(false));
  }
  SECTION("a kill ends them") {
    CHECK(log.Restart().Handle(2).End().all.overlaps == 0);
  }
}

TEST_CASE("another id is a fault") {
  CHECK_FALSE(Log().Send(0).Handle(0, kOtherId).End().IsWell(false));
}

TEST_CASE("a log goes on where the last process left it") {
  std::string folder = std::filesystem::temp_directory_path() / "log-XXXXXX";
  REQUIRE(mkdtemp(folder.data()) != nullptr);
  const std::string path = folder + "/log";
  for (uint64_t i = 0; i < 2; ++i) {
    auto log = EventLog::Open(path);
    REQUIRE(log.ok());
    log->Write({.step = Step::kIntended, .number = i});
  }
  const std::vector<Record> records = ReadLog(path);
  std::filesystem::remove_all(folder);
  REQUIRE(records.size() == 2);
  CHECK(records[0].number == 0);
  CHECK(records[1].number == 1);
  CHECK(records[1].step == Step::kIntended);
  CHECK(ReadLog(path).empty());
}

}  // namespace
}  // namespace tieline::move_check
