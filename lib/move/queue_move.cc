#include "lib/move/queue_move.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "lib/base/mutant.h"
#include "lib/base/status.h"
#include "lib/control/move_json.h"
#include "lib/engine/generation_stamp.h"

namespace tieline::inline v0 {
namespace {

using Step = move_action::Report::Step;

constexpr int kRounds = 16;

std::string_view StepName(Step step) {
  switch (step) {
    case Step::kPlanned:
      return "planned";
    case Step::kUndone:
      return "undone";
    case Step::kPrepareFailed:
      return "preparation failed";
    case Step::kMoved:
      return "moved";
    case Step::kSwitched:
      return "switched";
    case Step::kProved:
      return "proved empty";
    case Step::kDrained:
      return "drained";
    case Step::kGivenUp:
      return "given up";
    case Step::kHeld:
      return "held";
    case Step::kLateSeen:
      return "late";
    case Step::kLetGo:
      return "let go";
    case Step::kCommitFailed:
      return "commit failed";
    case Step::kCommitInDoubt:
      return "commit in doubt";
    case Step::kRefused:
      return "refused";
  }
  return "";
}

absl::Status Refusal(std::string_view queue, MoveRefusal why) {
  return MakeStatus(absl::StatusCode::kFailedPrecondition,
                    "queue {}: the move is refused: {}", queue,
                    MoveRefusalName(why));
}

MoveOptions OptionsOf(const QueueConfig& queue) {
  MoveOptions options;
  options.ordered = queue.ordered == Order::kPerKey;
  return options;
}

}  // namespace

QueueMove::QueueMove(MoveHost* host, const QueueConfig& queue,
                     const MoveConfig& options)
    : host_(host), name_(queue.name), clock_(host->runner().clock()) {
  options_ = options;
  digest_ = DigestOf(queue);
  report_.queue = queue.name;
}

QueueMove::~QueueMove() = default;

absl::StatusOr<std::shared_ptr<QueueMove>> QueueMove::Make(
    MoveHost* host, const QueueConfig& queue, const MoveConfig& options,
    const std::optional<SavedMove>& saved) {
  std::shared_ptr<QueueMove> made(new QueueMove(host, queue, options));
  {
    MutexLock lock(&made->mu_);
    const MovePlan plan = made->places_.PlanOf(queue);
    if (!plan.IsValid()) return Refusal(queue.name, MoveRefusal::kMalformed);
    if (saved.has_value() && !Mutant(99)) {
      TIELINE_ASSIGN_OR_RETURN(MoveRecord record,
                               made->places_.Decode(saved->record, queue));
      made->move_.emplace(OptionsOf(queue), std::move(record));
    } else {
      made->move_.emplace(OptionsOf(queue), plan);
    }
    made->first_ = plan.target();
    Bindings bindings = plan.bindings;
    if (saved.has_value()) {
      // The file may be behind, or ahead by a move that is planned below.
      const MoveRecord& record = made->move_->record();
      bindings.clear();
      for (const Retired& retired : record.retired) {
        bindings.push_back(retired.binding);
      }
      for (const Undrained& undrained : record.undrained) {
        bindings.push_back(undrained.binding);
      }
      bindings.push_back(record.present);
    }
    MoveReport& report = made->report_;
    report.generation = bindings.back().generation;
    report.to = made->places_.NameOf(bindings.back().place);
    if (bindings.size() > 1) {
      report.from = made->places_.NameOf(bindings[bindings.size() - 2].place);
    }
  }
  // What the file says now differs from what was applied last.
  const bool changed = saved.has_value() && saved->digest != DigestOf(queue);
  made->Post([move = made.get(), queue, changed] {
    move->NoteState();
    if (!changed) return;
    MovePlan plan;
    {
      MutexLock lock(&move->mu_);
      plan = move->places_.PlanOf(queue);
    }
    move->Feed(move_event::Plan{std::move(plan), true});
  });
  return made;
}

void QueueMove::Post(std::function<void()> work) {
  MutexLock lock(&mu_);
  if (stopped_) return;
  posted_.push_back(std::move(work));
  host_->runner().Schedule(this);
}

void QueueMove::Stop() {
  MutexLock lock(&mu_);
  stopped_ = true;
  posted_.clear();
  senders_.clear();
  receivers_.clear();
  asked_at_.clear();
}

// ---- Handles.

Binding QueueMove::PresentBinding() const {
  const Binding& present = move_->record().present;
  return present.generation != 0 ? present : first_;
}

QueueConfig QueueMove::Present() const {
  MutexLock lock(&mu_);
  return places_.at(PresentBinding().place);
}

QueueConfig QueueMove::Known() const {
  MutexLock lock(&mu_);
  const Binding present = PresentBinding();
  QueueConfig known = places_.at(present.place);
  known.generation = present.generation;
  known.was.clear();
  for (const Undrained& undrained : move_->record().undrained) {
    const QueueConfig& then = places_.at(undrained.binding.place);
    known.was.push_back(
        {then.broker, undrained.binding.generation, then.entity});
  }
  return known;
}

void QueueMove::AddSender(const std::shared_ptr<SenderCore>& sender) {
  sender->SetMover(shared_from_this());
  // Until it is known where to send.
  sender->Hold(true);
  Post([this, sender] {
    SenderEntry entry;
    entry.core = sender;
    const std::shared_ptr<SenderLeg> leg = sender->home();
    {
      MutexLock lock(&mu_);
      entry.legs[places_.Add(leg->queue())] = leg;
    }
    senders_.push_back(std::move(entry));
  });
}

void QueueMove::AddReceiver(const std::shared_ptr<ReceiverCore>& receiver,
                            bool is_new) {
  const std::shared_ptr<ReceiverLeg> leg = receiver->home();
  PlaceId place = 0;
  {
    MutexLock lock(&mu_);
    place = places_.Add(leg->queue());
  }
  if (is_new) leg->SetCredit(false);
  leg->SetGate(std::static_pointer_cast<QueueMove>(shared_from_this()), place);
  Post([this, receiver, leg, place] {
    ReceiverEntry entry;
    entry.core = receiver;
    entry.legs[place] = leg;
    receivers_.push_back(std::move(entry));
  });
}

Judgement QueueMove::Judge(uint64_t stamp, PlaceId place) {
  MutexLock lock(&mu_);
  const Judgement judgement = move_->JudgeDelivery(stamp, place);
  if (judgement == Judgement::kDeliver &&
      place != move_->record().present.place) {
    ++report_.drained;
  }
  return judgement;
}

void QueueMove::OnHeld(uint64_t count) {
  MutexLock lock(&mu_);
  report_.held += count;
}

void QueueMove::OnLate(uint64_t stamp, PlaceId place) {
  uint64_t generation = stamp;
  {
    MutexLock lock(&mu_);
    ++report_.late;
    for (const Retired& retired : move_->record().retired) {
      if (stamp == 0 && retired.binding.place == place) {
        generation = retired.binding.generation;
      }
    }
  }
  Post([this, generation] { Feed(move_event::LateSeen{generation}); });
}

// ---- Plans.

namespace {

absl::Status Try(Move trial, Places places, const QueueConfig& queue) {
  for (const MoveAction& action :
       trial.Apply(move_event::Plan{places.PlanOf(queue)})) {
    const auto* report = std::get_if<move_action::Report>(&action);
    if (report != nullptr && report->step == Step::kRefused) {
      return Refusal(queue.name, report->refusal);
    }
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status QueueMove::Check(const QueueConfig& queue) const {
  MutexLock lock(&mu_);
  return Try(*move_, places_, queue);
}

absl::Status QueueMove::CheckFirst(const QueueConfig& now,
                                   const QueueConfig& next) {
  Places places;
  const MovePlan plan = places.PlanOf(now);
  if (!plan.IsValid()) return Refusal(now.name, MoveRefusal::kMalformed);
  return Try(Move(OptionsOf(now), RecordOf(plan)), std::move(places), next);
}

void QueueMove::Apply(const QueueConfig& queue, const MoveConfig& options,
                      bool accepts_existing, std::shared_ptr<MoveGroup> group) {
  {
    MutexLock lock(&mu_);
    report_.status = absl::OkStatus();
  }
  Post([this, queue, options, accepts_existing, group = std::move(group)] {
    if (group != nullptr) groups_[queue.generation] = group;
    MovePlan plan;
    {
      MutexLock lock(&mu_);
      plan = places_.PlanOf(queue);
      options_ = options;
      digest_ = DigestOf(queue);
      accepts_existing_ = accepts_existing;
    }
    Feed(move_event::Plan{std::move(plan)});
  });
}

void QueueMove::SetOptions(const MoveConfig& options) {
  Post([this, options] {
    MutexLock lock(&mu_);
    options_ = options;
  });
}

absl::Status QueueMove::Undo() {
  MoveActions actions;
  {
    MutexLock lock(&mu_);
    actions = move_->Apply(move_event::Undo{});
  }
  absl::Status status;
  for (const MoveAction& action : actions) {
    const auto* report = std::get_if<move_action::Report>(&action);
    if (report != nullptr && report->step == Step::kRefused) {
      status = Refusal(name_, report->refusal);
    }
  }
  Post([this, actions, undone = status.ok()] {
    Follow(actions);
    if (!undone) return;
    for (const auto& [generation, group] : std::exchange(groups_, {})) {
      group->Fail(name_, {});
    }
  });
  return status;
}

void QueueMove::Proceed() {
  Post([this] {
    uint64_t generation = 0;
    {
      MutexLock lock(&mu_);
      const MoveRecord& record = move_->record();
      if (!record.undrained.empty()) {
        generation = record.undrained.back().binding.generation;
      }
    }
    if (generation == 0) return;
    using Decision = move_event::Word::Decision;
    Feed(move_event::Word{Decision::kProceed, generation});
  });
}

MoveReport QueueMove::report() const {
  MutexLock lock(&mu_);
  return report_;
}

// ---- The runner's thread.

void QueueMove::Feed(const MoveEvent& event) {
  MoveActions actions;
  {
    MutexLock lock(&mu_);
    actions = move_->Apply(event);
  }
  Follow(actions);
}

void QueueMove::Follow(const MoveActions& actions) {
  const absl::Time now = clock_->Steady();
  for (const MoveAction& action : actions) {
    if (const auto* step = std::get_if<move_action::Report>(&action)) {
      Note(*step);
    } else if (const auto* wait =
                   std::get_if<move_action::AwaitRetired>(&action)) {
      {
        MutexLock lock(&mu_);
        retiring_[wait->binding.generation] = {wait->binding,
                                               now + options_.retire_time};
      }
      AskLeft(wait->binding);
    }
  }
  NoteState();
}

void QueueMove::Note(const move_action::Report& step) {
  // Counted; there may be many.
  if (step.step == Step::kLateSeen) return;
  nlohmann::json entry = {{"queue", name_},
                          {"step", StepName(step.step)},
                          {"generation", step.binding.generation}};
  if (step.step == Step::kMoved) {
    suppressed_before_ = host_->SuppressedOf(name_);
  }
  if (step.step == Step::kGivenUp) ReplayLate(step.binding.generation);
  {
    MutexLock lock(&mu_);
    if (step.binding.place != 0) {
      entry["broker"] = places_.NameOf(step.binding.place);
    }
    switch (step.step) {
      case Step::kPlanned:
        report_ = {};
        report_.queue = name_;
        report_.from = places_.NameOf(PresentBinding().place);
        report_.to = places_.NameOf(step.binding.place);
        report_.generation = step.binding.generation;
        break;
      case Step::kMoved:
        report_.status = absl::OkStatus();
        cut_at_ = clock_->Steady() + options_.fence_timeout;
        break;
      case Step::kGivenUp:
        report_.proof = "given up";
        report_.status = absl::OkStatus();
        break;
      case Step::kRefused:
        report_.status = Refusal(name_, step.refusal);
        entry["reason"] = MoveRefusalName(step.refusal);
        break;
      default:
        break;
    }
    if (!report_.proof.empty() && step.step == Step::kProved) {
      entry["proof"] = report_.proof;
    }
    if (!report_.status.ok()) {
      entry["status"] = std::string(MessageOf(report_.status));
    }
  }
  host_->store().Journal("move", entry.dump());
  const bool is_trouble =
      step.step == Step::kRefused || step.step == Step::kPrepareFailed ||
      step.step == Step::kCommitFailed || step.step == Step::kCommitInDoubt;
  host_->Log(is_trouble ? LogLevel::kWarning : LogLevel::kInfo,
             fmt::format("move: {}", entry.dump()));
  host_->OnReport();
}

void QueueMove::NoteState() {
  const uint64_t suppressed = host_->SuppressedOf(name_) - suppressed_before_;
  uint64_t replayed = 0;
  for (const SenderEntry& entry : senders_) {
    const std::shared_ptr<SenderCore> core = entry.core.lock();
    if (core != nullptr) replayed += core->TakeReplayed();
  }
  MoveState now = MoveState::kJoining;
  std::string ended;
  {
    MutexLock lock(&mu_);
    now = move_->state();
    const bool has_left = now == MoveState::kSwitching ||
                          now == MoveState::kDraining ||
                          now == MoveState::kRetiring;
    if (has_left) report_.suppressed = suppressed;
    report_.replayed += replayed;
    report_.state = MoveStateName(now);
    const bool settled =
        now == MoveState::kActive || now == MoveState::kRetiring;
    report_.drained_all =
        settled && report_.generation == move_->record().present.generation;
    report_.over = report_.drained_all && now == MoveState::kActive;
    const absl::Time wall = clock_->Now();
    if (!report_.stages.empty() && state_ != MoveState::kActive) {
      MoveReport::Stage& last = report_.stages.back();
      last.took = wall - last.began;
    }
    const bool begins = std::exchange(state_, now) != now;
    if (begins && now != MoveState::kActive) {
      report_.stages.push_back(
          {std::string(MoveStateName(now)), wall, absl::ZeroDuration()});
    }
    if (begins && report_.over) {
      ended = control::ToLine(control::ToJson(report_));
    }
  }
  if (!ended.empty()) host_->store().Journal("report", ended);
  // From before the record of the switch is on disk.
  host_->SetMoving(name_, now != MoveState::kActive);
  host_->OnReport();
}

void QueueMove::SetStatus(absl::Status status) {
  {
    MutexLock lock(&mu_);
    if (report_.status == status) return;
    report_.status = std::move(status);
  }
  host_->OnReport();
}

void QueueMove::RunFromRunner(absl::Time /*now*/) {
  for (int i = 0; i < kRounds; ++i) {
    std::vector<std::function<void()>> work;
    {
      MutexLock lock(&mu_);
      if (stopped_) return;
      work.swap(posted_);
    }
    for (const std::function<void()>& each : work) each();
    next_ = absl::InfiniteFuture();
    const absl::Time now = clock_->Steady();
    Reconcile(now);
    if (!Work(now)) {
      if (next_ != absl::InfiniteFuture()) {
        host_->runner().ScheduleAt(this, next_);
      }
      return;
    }
  }
  host_->runner().Schedule(this);
}

}  // namespace tieline::inline v0
