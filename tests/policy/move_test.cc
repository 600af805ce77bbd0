// The move of a queue between brokers, as one process sees it.
#include "lib/policy/move.h"

#include <variant>
#include <vector>

#include "absl/hash/hash.h"
#include "tests/support/catch.h"

namespace tieline {
namespace {

using namespace move_action;  // NOLINT(google-build-using-namespace)
namespace event = move_event;

constexpr PlaceId kA = 0;
constexpr PlaceId kB = 1;
constexpr PlaceId kC = 2;
constexpr Binding kA1 = {1, kA};
constexpr Binding kB2 = {2, kB};
constexpr Binding kA3 = {3, kA};
constexpr Binding kC3 = {3, kC};

MovePlan PlanOf(std::initializer_list<Binding> bindings) {
  return {Bindings(bindings)};
}

MoveRecord At(Binding present) {
  MoveRecord record;
  record.present = present;
  return record;
}

template <typename Action>
const Action* Find(const MoveActions& actions) {
  for (const MoveAction& action : actions) {
    if (const auto* found = std::get_if<Action>(&action)) return found;
  }
  return nullptr;
}

bool Asks(const MoveActions& actions, const MoveAction& action) {
  for (const MoveAction& other : actions) {
    if (other == action) return true;
  }
  return false;
}

bool Reports(const MoveActions& actions, Report::Step step) {
  for (const MoveAction& action : actions) {
    const auto* report = std::get_if<Report>(&action);
    if (report != nullptr && report->step == step) return true;
  }
  return false;
}

bool IsRefused(const MoveActions& actions, MoveRefusal why) {
  for (const MoveAction& action : actions) {
    const auto* report = std::get_if<Report>(&action);
    if (report != nullptr && report->step == Report::Step::kRefused &&
        report->refusal == why) {
      return true;
    }
  }
  return false;
}

MoveCredit CreditAt(const Move& move, PlaceId place) {
  for (const Receive& receive : move.Wants().receivers) {
    if (receive.place == place) return receive.credit;
  }
  return MoveCredit::kNone;
}

SendTo To(Binding binding) { return {false, binding}; }

// A process at A that is told to go to B, up to the commit's answer.
Move Committing(MoveOptions options = {}) {
  Move move(options, At(kA1));
  move.Apply(event::Plan{PlanOf({kA1, kB2})});
  move.Apply(event::Prepared{2});
  return move;
}

Move Switching(MoveOptions options = {}) {
  Move move = Committing(options);
  move.Apply(event::Committed{});
  return move;
}

Move Draining(MoveOptions options = {}) {
  Move move = Switching(options);
  move.Apply(event::NothingUnresolved{});
  return move;
}

Move Proved() {
  Move move = Draining();
  move.Apply(event::Drained{1});
  move.Apply(event::Committed{});
  return move;
}

Move Retiring() {
  Move move = Proved();
  move.Apply(event::MembersDrained{1});
  move.Apply(event::Committed{});
  return move;
}

Move GivenUp() {
  Move move = Draining();
  move.Apply(event::Word{event::Word::Decision::kProceed, 1});
  move.Apply(event::HandlersDone{1});
  move.Apply(event::Committed{});
  return move;
}

TEST_CASE("a queue that does not move sends to its place and reads it") {
  const Move move({}, At(kA1));
  CHECK(move.Begin() ==
        MoveActions{OpenSender{kA}, Receive{kA, MoveCredit::kRead}});
  CHECK(move.state() == MoveState::kActive);
  CHECK(move.SendNow(false) == To(kA1));
  CHECK(move.JudgeDelivery(1, kA) == Judgement::kDeliver);
}

TEST_CASE("a plan only prepares: sends and reads stay where they are") {
  Move move({}, At(kA1));
  const MoveActions actions = move.Apply(event::Plan{PlanOf({kA1, kB2})});
  CHECK(Asks(actions, Prepare{kB2}));
  CHECK(Find<OpenSender>(actions) == nullptr);
  CHECK(move.state() == MoveState::kPreparing);
  CHECK(move.SendNow(false) == To(kA1));
  CHECK(CreditAt(move, kB) == MoveCredit::kNone);
}

TEST_CASE("the same plan again is the same move") {
  Move move({}, At(kA1));
  const event::Plan plan{PlanOf({kA1, kB2})};
  move.Apply(plan);
  CHECK(move.Apply(plan).empty());
  move.Apply(event::Prepared{2});
  CHECK(move.Apply(plan).empty());
  move.Apply(event::Committed{});
  CHECK(move.Apply(plan).empty());
  CHECK(move.record().present == kB2);
}

TEST_CASE("what is prepared is committed before anything goes to B") {
  Move move({}, At(kA1));
  move.Apply(event::Plan{PlanOf({kA1, kB2})});
  const MoveActions actions = move.Apply(event::Prepared{2});
  const auto* commit = Find<Commit>(actions);
  REQUIRE(commit != nullptr);
  CHECK(commit->record.present == kB2);
  REQUIRE(commit->record.undrained.size() == 1);
  CHECK(commit->record.undrained[0].binding == kA1);
  CHECK(Find<OpenSender>(actions) == nullptr);
  // Neither to B, nor, since the record may be on disk, to A.
  CHECK(move.SendNow(false).waits);
  CHECK(move.StandingOf(1) == Standing::kSending);
}

TEST_CASE("after the commit a key goes to B when A has nothing of it") {
  Move move = Switching();
  CHECK(move.state() == MoveState::kSwitching);
  CHECK(move.SendNow(true).waits);
  CHECK(move.SendNow(false) == To(kB2));
  CHECK(move.Wants().senders.size() == 2);
  CHECK(move.Wants().prove.empty());
  CHECK(move.StandingOf(1) == Standing::kSending);
  const MoveActions actions = move.Apply(event::NothingUnresolved{});
  CHECK(Asks(actions, CloseSender{kA}));
  CHECK(Asks(actions, ProveDrained{kA1}));
  CHECK(move.state() == MoveState::kDraining);
  CHECK(move.StandingOf(1) == Standing::kDraining);
}

TEST_CASE("an ordered queue reads A alone until A is proved drained") {
  Move move = Draining();
  CHECK(CreditAt(move, kA) == MoveCredit::kRead);
  CHECK(CreditAt(move, kB) == MoveCredit::kNone);
  CHECK(move.JudgeDelivery(1, kA) == Judgement::kDeliver);
  CHECK(move.JudgeDelivery(2, kB) == Judgement::kHold);
}

TEST_CASE("an unordered queue reads A and B") {
  MoveOptions options;
  options.ordered = false;
  const Move move = Draining(options);
  CHECK(CreditAt(move, kA) == MoveCredit::kRead);
  CHECK(CreditAt(move, kB) == MoveCredit::kRead);
  CHECK(move.JudgeDelivery(1, kA) == Judgement::kDeliver);
  CHECK(move.JudgeDelivery(2, kB) == Judgement::kDeliver);
}

TEST_CASE("what is stamped above the own generation is held") {
  MoveOptions options;
  options.ordered = false;
  const Move move = Draining(options);
  CHECK(move.JudgeDelivery(3, kB) == Judgement::kHold);
  CHECK(move.JudgeDelivery(3, kA) == Judgement::kHold);
}

TEST_CASE("what is proved is late from then on, and B waits for members") {
  Move move = Draining();
  const MoveActions proof = move.Apply(event::Drained{1});
  REQUIRE(Find<Commit>(proof) != nullptr);
  // At once: a handler may be given it while the proof is being committed.
  CHECK(move.JudgeDelivery(1, kA) == Judgement::kDeliverLate);
  CHECK(move.StandingOf(1) == Standing::kDraining);
  const MoveActions actions = move.Apply(event::Committed{});
  CHECK(Asks(actions, Receive{kA, MoveCredit::kLate}));
  CHECK(Asks(actions, AskMembers{kA1}));
  CHECK(Reports(actions, Report::Step::kProved));
  CHECK(CreditAt(move, kB) == MoveCredit::kNone);
  CHECK(move.JudgeDelivery(2, kB) == Judgement::kHold);
  CHECK(move.StandingOf(1) == Standing::kLate);
}

TEST_CASE("B is read when all members are through with A") {
  Move move = Proved();
  move.Apply(event::MembersDrained{1});
  CHECK(CreditAt(move, kB) == MoveCredit::kNone);
  const MoveActions actions = move.Apply(event::Committed{});
  CHECK(Asks(actions, Receive{kB, MoveCredit::kRead}));
  CHECK(Asks(actions, AwaitRetired{kA1}));
  CHECK(Reports(actions, Report::Step::kDrained));
  CHECK(move.state() == MoveState::kRetiring);
  CHECK(CreditAt(move, kA) == MoveCredit::kLate);
  CHECK(move.JudgeDelivery(1, kA) == Judgement::kDeliverLate);
  CHECK(move.JudgeDelivery(2, kB) == Judgement::kDeliver);
  CHECK(move.StandingOf(1) == Standing::kDrained);
}

TEST_CASE("a move ends when A is let go") {
  Move move = Retiring();
  move.Apply(event::RetireOver{1});
  const MoveActions actions = move.Apply(event::Committed{});
  CHECK(Asks(actions, Receive{kA, MoveCredit::kNone}));
  CHECK(Reports(actions, Report::Step::kLetGo));
  CHECK(move.state() == MoveState::kActive);
  CHECK(move.record() == At(kB2));
}

TEST_CASE("a late message lets the time for late ones begin again") {
  Move move = Retiring();
  const MoveActions actions = move.Apply(event::LateSeen{1});
  CHECK(Asks(actions, AwaitRetired{kA1}));
  CHECK(Reports(actions, Report::Step::kLateSeen));
}

TEST_CASE("undoing before the commit is free") {
  Move move({}, At(kA1));
  move.Apply(event::Plan{PlanOf({kA1, kB2})});
  CHECK(Reports(move.Apply(event::Undo{}), Report::Step::kUndone));
  CHECK(move == Move({}, At(kA1)));
  CHECK(IsRefused(move.Apply(event::Undo{}), MoveRefusal::kNothingToUndo));
}

TEST_CASE("what is being committed, or is committed, is not undone") {
  Move move = Committing();
  CHECK(IsRefused(move.Apply(event::Undo{}), MoveRefusal::kCommitted));
  move.Apply(event::Committed{});
  CHECK(IsRefused(move.Apply(event::Undo{}), MoveRefusal::kCommitted));
  CHECK(move.record().present == kB2);
}

TEST_CASE("a commit that certainly failed leaves the queue at A") {
  Move move = Committing();
  CHECK(
      Reports(move.Apply(event::CommitFailed{}), Report::Step::kCommitFailed));
  CHECK(move.SendNow(false) == To(kA1));
  SECTION("tried again, it is asked for again") {
    const MoveActions actions = move.Apply(event::Retry{});
    CHECK(Find<Commit>(actions) != nullptr);
    CHECK(move.SendNow(false).waits);
  }
  SECTION("it can be undone") {
    CHECK(Reports(move.Apply(event::Undo{}), Report::Step::kUndone));
    CHECK(move == Move({}, At(kA1)));
  }
}

TEST_CASE("a commit without an answer is repeated, and nothing is sent") {
  Move move = Committing();
  move.Apply(event::CommitUnknown{});
  CHECK(move.SendNow(false).waits);
  CHECK(IsRefused(move.Apply(event::Undo{}), MoveRefusal::kCommitted));
  CHECK(Find<Commit>(move.Apply(event::Retry{})) != nullptr);
  // That the second attempt failed says nothing of the first.
  move.Apply(event::CommitFailed{});
  CHECK(move.SendNow(false).waits);
  CHECK(IsRefused(move.Apply(event::Undo{}), MoveRefusal::kCommitted));
  move.Apply(event::Retry{});
  move.Apply(event::Committed{});
  CHECK(move.SendNow(false) == To(kB2));
}

TEST_CASE("a preparation that failed is tried again when it is time") {
  Move move({}, At(kA1));
  move.Apply(event::Plan{PlanOf({kA1, kB2})});
  CHECK(Reports(move.Apply(event::PrepareFailed{2}),
                Report::Step::kPrepareFailed));
  CHECK(move.SendNow(false) == To(kA1));
  CHECK(Asks(move.Apply(event::Retry{}), Prepare{kB2}));
}

TEST_CASE("who starts behind its config sends nothing to where it was") {
  Move move({}, At(kA1));
  CHECK(Asks(move.Apply(event::Plan{PlanOf({kA1, kB2}), true}), Prepare{kB2}));
  CHECK(move.SendNow(false).waits);
  SECTION("B is prepared") {
    move.Apply(event::Prepared{2});
    CHECK(move.SendNow(false).waits);
    move.Apply(event::Committed{});
    CHECK(move.SendNow(false) == To(kB2));
  }
  SECTION("B can't be prepared") {
    move.Apply(event::PrepareFailed{2});
    CHECK(move.SendNow(false) == To(kA1));
    move.Apply(event::Retry{});
    CHECK(move.SendNow(false) == To(kA1));
  }
  SECTION("the disk does not take it") {
    move.Apply(event::Prepared{2});
    move.Apply(event::CommitFailed{});
    CHECK(move.SendNow(false) == To(kA1));
  }
  SECTION("it is undone") {
    move.Apply(event::Undo{});
    CHECK(move.SendNow(false) == To(kA1));
    CHECK(move == Move({}, At(kA1)));
  }
  SECTION("B is drained first") {
    Move back({}, Draining().record());
    back.Apply(event::Plan{PlanOf({kA1, kB2, kA3}), true});
    CHECK(back.SendNow(false) == To(kB2));
  }
}

TEST_CASE("a restart goes on from its record") {
  const Move draining({}, Draining().record());
  CHECK(draining == Draining());
  CHECK(Asks(draining.Begin(), ProveDrained{kA1}));
  const Move retiring({}, Retiring().record());
  CHECK(Asks(retiring.Begin(), Receive{kA, MoveCredit::kLate}));
  CHECK(retiring.JudgeDelivery(1, kA) == Judgement::kDeliverLate);
}

TEST_CASE("a start without a record commits one, then asks the members") {
  Move move({}, PlanOf({kA1, kB2}));
  CHECK(move.state() == MoveState::kJoining);
  const MoveActions begin = move.Begin();
  REQUIRE(begin.size() == 1);
  CHECK(Find<Commit>(begin) != nullptr);
  CHECK(move.SendNow(false).waits);
  CHECK(move.JudgeDelivery(1, kA) == Judgement::kHold);
  const MoveActions actions = move.Apply(event::Committed{});
  CHECK(Asks(actions, AskMembers{kA1}));
  CHECK(move.state() == MoveState::kDraining);
  CHECK(move.SendNow(false) == To(kB2));
  CHECK(move.Wants().receivers.empty());
  SECTION("A is read if it is not drained") {
    move.Apply(event::MembersUndrained{1});
    CHECK(Asks(move.Apply(event::Committed{}), Receive{kA, MoveCredit::kRead}));
    CHECK(move.JudgeDelivery(1, kA) == Judgement::kDeliver);
  }
  SECTION("A is only listened to if it is") {
    move.Apply(event::MembersDrained{1});
    move.Apply(event::Committed{});
    CHECK(move.state() == MoveState::kRetiring);
    CHECK(move.JudgeDelivery(1, kA) == Judgement::kDeliverLate);
    CHECK(move.JudgeDelivery(2, kB) == Judgement::kDeliver);
  }
}

TEST_CASE("who starts where the queue came back to does not send too early") {
  Move move({}, PlanOf({kA1, kB2, kA3}));
  move.Apply(event::Committed{});
  CHECK(move.SendNow(false).waits);
  move.Apply(event::MembersDrained{1});
  move.Apply(event::Committed{});
  CHECK(move.SendNow(false) == To(kA3));
  CHECK(move.JudgeDelivery(3, kA) == Judgement::kHold);
}

TEST_CASE("A to B to C drains A, then B") {
  Move move = Draining();
  const MovePlan plan = PlanOf({kA1, kB2, kC3});
  CHECK(Asks(move.Apply(event::Plan{plan}), Prepare{kC3}));
  move.Apply(event::Prepared{3});
  move.Apply(event::Committed{});
  move.Apply(event::NothingUnresolved{});
  CHECK(move.SendNow(false) == To(kC3));
  CHECK(move.Wants().prove == Bindings{kA1});
  move.Apply(event::Drained{1});
  move.Apply(event::Committed{});
  move.Apply(event::MembersDrained{1});
  move.Apply(event::Committed{});
  CHECK(CreditAt(move, kB) == MoveCredit::kRead);
  CHECK(CreditAt(move, kC) == MoveCredit::kNone);
  CHECK(move.Wants().prove == Bindings{kB2});
}

TEST_CASE("a plan during the switch waits for what is unresolved") {
  Move move = Switching();
  CHECK(Find<Prepare>(move.Apply(event::Plan{PlanOf({kA1, kB2, kC3})})) ==
        nullptr);
  CHECK(Asks(move.Apply(event::NothingUnresolved{}), Prepare{kC3}));
}

TEST_CASE("who hears late of A to B to C goes to C at once") {
  Move move({}, At(kA1));
  CHECK(Asks(move.Apply(event::Plan{PlanOf({kA1, kB2, kC3})}), Prepare{kC3}));
  move.Apply(event::Prepared{3});
  move.Apply(event::Committed{});
  REQUIRE(move.record().undrained.size() == 2);
  CHECK(move.record().undrained[0].binding == kA1);
  CHECK(move.record().undrained[1].binding == kB2);
}

TEST_CASE("a move back waits until the place is drained") {
  Move move = Draining();
  CHECK(Find<Prepare>(move.Apply(event::Plan{PlanOf({kA1, kB2, kA3})})) ==
        nullptr);
  move.Apply(event::Drained{1});
  move.Apply(event::Committed{});
  move.Apply(event::MembersDrained{1});
  CHECK(Asks(move.Apply(event::Committed{}), Prepare{kA3}));
}

TEST_CASE("who hears only of the way back goes by way of the others") {
  Move move({}, At(kA1));
  CHECK(Asks(move.Apply(event::Plan{PlanOf({kA1, kB2, kA3})}), Prepare{kB2}));
  move.Apply(event::Prepared{2});
  move.Apply(event::Committed{});
  CHECK(move.record().present == kB2);
  move.Apply(event::NothingUnresolved{});
  CHECK(move.Wants().prepare == std::nullopt);
  CHECK(CreditAt(move, kA) == MoveCredit::kRead);
  CHECK(CreditAt(move, kB) == MoveCredit::kNone);
  move.Apply(event::Drained{1});
  move.Apply(event::Committed{});
  move.Apply(event::MembersDrained{1});
  CHECK(Asks(move.Apply(event::Committed{}), Prepare{kA3}));
  move.Apply(event::Prepared{3});
  move.Apply(event::Committed{});
  move.Apply(event::NothingUnresolved{});
  CHECK(move.SendNow(false) == To(kA3));
  CHECK(CreditAt(move, kB) == MoveCredit::kRead);
  CHECK(CreditAt(move, kA) == MoveCredit::kNone);
  // What surfaces at A of the first time is late, also when A is read again.
  CHECK(move.JudgeDelivery(1, kA) == Judgement::kDeliverLate);
}

TEST_CASE("a plan that would make a generation fall is refused") {
  Move move = Retiring();
  CHECK(IsRefused(move.Apply(event::Plan{PlanOf({kA1})}), MoveRefusal::kOlder));
  CHECK(move.record().present == kB2);
}

TEST_CASE("a generation is bound to one place") {
  Move move({}, At(kA1));
  CHECK(IsRefused(move.Apply(event::Plan{PlanOf({{1, kB}, {2, kC}})}),
                  MoveRefusal::kContradicts));
  move.Apply(event::Plan{PlanOf({kA1, kB2})});
  CHECK(IsRefused(move.Apply(event::Plan{PlanOf({kA1, {2, kC}})}),
                  MoveRefusal::kContradicts));
}

TEST_CASE("a plan that leaves out what is not drained is refused") {
  Move move = Draining();
  const event::Plan plan{PlanOf({kB2, kC3})};
  CHECK(IsRefused(move.Apply(plan), MoveRefusal::kStillUndrained));
  SECTION("unless the operator says so") {
    move.Apply(event::Word{event::Word::Decision::kProceed, 1});
    CHECK_FALSE(IsRefused(move.Apply(plan), MoveRefusal::kStillUndrained));
  }
}

TEST_CASE("a malformed plan is refused") {
  Move move({}, At(kA1));
  for (const MovePlan& plan : {PlanOf({}), PlanOf({{0, kA}}),
                               PlanOf({kB2, kA1}), PlanOf({kA1, {2, kA}})}) {
    CHECK(IsRefused(move.Apply(event::Plan{plan}), MoveRefusal::kMalformed));
  }
  MovePlan plan;
  for (uint64_t g = 1; g <= 17; ++g) {
    plan.bindings.push_back({g, static_cast<PlaceId>(g % 2)});
  }
  CHECK(IsRefused(move.Apply(event::Plan{plan}), MoveRefusal::kTooLong));
}

TEST_CASE("a word lets the handlers end before B is read") {
  Move move = Draining();
  const MoveActions actions =
      move.Apply(event::Word{event::Word::Decision::kProceed, 1});
  CHECK(Asks(actions, Receive{kA, MoveCredit::kNone}));
  CHECK(Asks(actions, AwaitHandlers{kA1}));
  CHECK(move.JudgeDelivery(1, kA) == Judgement::kHold);
  CHECK(move.JudgeDelivery(2, kB) == Judgement::kHold);
  CHECK(Find<Commit>(move.Apply(event::HandlersDone{1})) != nullptr);
  const MoveActions committed = move.Apply(event::Committed{});
  CHECK(Asks(committed, Receive{kB, MoveCredit::kRead}));
  CHECK(Reports(committed, Report::Step::kGivenUp));
  CHECK(move.StandingOf(1) == Standing::kLate);
}

TEST_CASE("holding takes a word back that is not committed") {
  Move move = Draining();
  move.Apply(event::Word{event::Word::Decision::kProceed, 1});
  const MoveActions actions =
      move.Apply(event::Word{event::Word::Decision::kHold, 1});
  CHECK(Reports(actions, Report::Step::kHeld));
  CHECK(CreditAt(move, kA) == MoveCredit::kRead);
  CHECK(move == Draining());
}

TEST_CASE("what was given up is listened to until it is proved empty") {
  Move move = GivenUp();
  CHECK(move.JudgeDelivery(1, kA) == Judgement::kDeliverLate);
  CHECK(move.Wants().prove == Bindings{kA1});
  CHECK(move.Apply(event::RetireOver{1}).empty());
  CHECK(CreditAt(move, kA) == MoveCredit::kLate);
  // Also after a restart.
  Move restarted({}, move.record());
  CHECK(restarted.Wants().prove == Bindings{kA1});
  restarted.Apply(event::Drained{1});
  CHECK(Asks(restarted.Apply(event::Committed{}), AwaitRetired{kA1}));
}

TEST_CASE("who only sends asks the readers whether A is drained") {
  MoveOptions options;
  options.reads = false;
  Move move = Draining(options);
  CHECK(move.Wants().receivers.empty());
  CHECK(move.Wants().prove.empty());
  CHECK(move.Wants().ask == Bindings{kA1});
  move.Apply(event::MembersDrained{1});
  move.Apply(event::Committed{});
  CHECK(move.state() == MoveState::kActive);
}

TEST_CASE("who only reads has nothing to switch") {
  MoveOptions options;
  options.sends = false;
  const Move move = Switching(options);
  CHECK(move.state() == MoveState::kDraining);
  CHECK(move.Wants().senders.empty());
  CHECK(move.SendNow(false).waits);
}

TEST_CASE("a message without a stamp belongs to what is at its place") {
  Move move = Draining();
  CHECK(move.JudgeDelivery(0, kA) == Judgement::kDeliver);
  CHECK(move.JudgeDelivery(0, kB) == Judgement::kHold);
  move = Retiring();
  CHECK(move.JudgeDelivery(0, kA) == Judgement::kDeliverLate);
  CHECK(move.JudgeDelivery(0, kB) == Judgement::kDeliver);
}

TEST_CASE("an answer to what is not asked changes nothing") {
  const std::vector<MoveEvent> answers = {
      event::Prepared{2},         event::PrepareFailed{2},
      event::Committed{},         event::CommitFailed{},
      event::CommitUnknown{},     event::NothingUnresolved{},
      event::Drained{1},          event::MembersDrained{1},
      event::MembersUndrained{1}, event::HandlersDone{1},
      event::RetireOver{1},       event::Retry{}};
  for (const MoveEvent& answer : answers) {
    Move move({}, At(kA1));
    CHECK(move.Apply(answer).empty());
    CHECK(move == Move({}, At(kA1)));
  }
}

TEST_CASE("equal states have equal hashes, and records tell them apart") {
  CHECK(absl::Hash<Move>()(Draining()) == absl::Hash<Move>()(Draining()));
  CHECK_FALSE(Draining() == Proved());
  CHECK_FALSE(Draining().record() == Proved().record());
  CHECK(absl::Hash<MoveRecord>()(Draining().record()) !=
        absl::Hash<MoveRecord>()(Proved().record()));
}

TEST_CASE("every state and refusal has a name") {
  for (const MoveState state :
       {MoveState::kJoining, MoveState::kActive, MoveState::kPreparing,
        MoveState::kSwitching, MoveState::kDraining, MoveState::kRetiring}) {
    CHECK(MoveStateName(state) != "unknown");
  }
  for (const MoveRefusal refusal :
       {MoveRefusal::kMalformed, MoveRefusal::kOlder, MoveRefusal::kContradicts,
        MoveRefusal::kStillUndrained, MoveRefusal::kTooLong,
        MoveRefusal::kCommitted, MoveRefusal::kNothingToUndo}) {
    CHECK(MoveRefusalName(refusal) != "unknown");
  }
}

}  // namespace
}  // namespace tieline
