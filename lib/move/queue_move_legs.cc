// What a QueueMove's machine wants, and what there is, made one.
#include <algorithm>
#include <set>
#include <utility>

#include "lib/base/mutant.h"
#include "lib/base/status.h"
#include "lib/move/queue_move.h"

namespace tieline::inline v0 {
namespace {

// Keeps those of `tasks` that are wanted; `make` begins one that is new.
template <typename Task, typename Make>
void KeepWanted(const Bindings& wanted, std::map<uint64_t, Task>& tasks,
                Make make) {
  std::erase_if(tasks, [&](const auto& task) {
    return std::none_of(wanted.begin(), wanted.end(), [&](const Binding& b) {
      return b.generation == task.first;
    });
  });
  for (const Binding& binding : wanted) {
    if (!tasks.contains(binding.generation)) {
      tasks.emplace(binding.generation, make(binding));
    }
  }
}

constexpr absl::Duration kPrepareTime = absl::Seconds(15);

}  // namespace

void QueueMove::Reconcile(absl::Time now) {
  MoveWants wants;
  bool waits = false;
  {
    MutexLock lock(&mu_);
    wants = move_->Wants();
    waits = move_->SendNow(false).waits;
  }
  ReconcileTasks(wants, now);
  std::erase_if(senders_, [](const SenderEntry& entry) {
    const std::shared_ptr<SenderCore> core = entry.core.lock();
    return core == nullptr || core->ended();
  });
  std::erase_if(receivers_, [](const ReceiverEntry& entry) {
    const std::shared_ptr<ReceiverCore> core = entry.core.lock();
    return core == nullptr || core->closed();
  });
  for (SenderEntry& entry : senders_) ReconcileSender(entry, wants, waits);
  for (ReceiverEntry& entry : receivers_) ReconcileReceiver(entry, wants);
  std::erase_if(asked_at_, [&](const auto& asked) {
    const auto used_by = [&](const auto& tasks) {
      return std::any_of(tasks.begin(), tasks.end(), [&](const auto& task) {
        return task.second.binding.place == asked.first;
      });
    };
    const bool used = used_by(proofs_) || used_by(retiring_) ||
                      (preparing_ && preparing_->binding.place == asked.first);
    // An inline one is this one's own.
    if (!used && asked.second->runs_inline()) {
      asked.second->Close(absl::ZeroDuration()).IgnoreError();
    }
    return !used;
  });
}

void QueueMove::ReconcileTasks(const MoveWants& wants, absl::Time now) {
  if (!wants.prepare) {
    preparing_.reset();
  } else if (!preparing_ || preparing_->binding != *wants.prepare) {
    // It goes somewhere else.
    if (preparing_) FailGroup(preparing_->binding.generation, {});
    preparing_ = Preparing();
    preparing_->binding = *wants.prepare;
    preparing_->give_up_at = now + kPrepareTime;
  }
  if (!wants.commit) {
    // One that failed waits for its next try.
    if (committing_ && committing_->again_at == absl::InfiniteFuture()) {
      committing_.reset();
    }
  } else if (!committing_ || !(committing_->record == *wants.commit)) {
    committing_ = Committing();
    committing_->record = *wants.commit;
  }
  KeepWanted(wants.prove, proofs_, [&](const Binding& binding) {
    Proof proof;
    proof.binding = binding;
    proof.next_ask = now;
    return proof;
  });
  KeepWanted(wants.ask, asks_, [&](const Binding& binding) {
    Asking ask;
    ask.binding = binding;
    ask.next_ask = now;
    return ask;
  });
  absl::Duration retire;
  absl::Duration handlers;
  {
    MutexLock lock(&mu_);
    retire = options_.retire_time;
    handlers = options_.fence_timeout;
  }
  KeepWanted(wants.finish, finishing_, [&](const Binding& binding) {
    return Waiting{binding, now + handlers};
  });
  KeepWanted(wants.retire, retiring_, [&](const Binding& binding) {
    AskLeft(binding);
    return Waiting{binding, now + retire};
  });
  // Nobody is waited for any more.
  if (proofs_.empty() && asks_.empty() && retiring_.empty()) {
    NoteMembers({}, nullptr);
  }
}

std::shared_ptr<Endpoint> QueueMove::EndpointAt(PlaceId place,
                                                QueueConfig* queue) {
  {
    MutexLock lock(&mu_);
    *queue = places_.at(place);
  }
  auto endpoint = host_->EndpointAt(*queue);
  if (endpoint.ok()) return *std::move(endpoint);
  SetStatus(endpoint.status());
  return nullptr;
}

void QueueMove::ReconcileSender(SenderEntry& entry, const MoveWants& wants,
                                bool waits) {
  const std::shared_ptr<SenderCore> core = entry.core.lock();
  if (core == nullptr) return;
  Binding present;
  std::set<PlaceId> wanted(wants.senders.begin(), wants.senders.end());
  {
    MutexLock lock(&mu_);
    present = move_->record().present;
    if (present.generation == 0) return;
  }
  wanted.insert(present.place);
  if (wants.prepare) wanted.insert(wants.prepare->place);
  if (wants.commit) wanted.insert(wants.commit->present.place);
  for (const PlaceId place : wanted) {
    if (entry.legs.contains(place)) continue;
    QueueConfig queue;
    const std::shared_ptr<Endpoint> endpoint = EndpointAt(place, &queue);
    if (endpoint == nullptr) continue;
    std::shared_ptr<SenderLeg> leg = core->AddLeg(endpoint, std::move(queue));
    if (leg != nullptr) entry.legs[place] = std::move(leg);
  }
  const auto at_present = entry.legs.find(present.place);
  if (entry.generation != present.generation &&
      at_present != entry.legs.end()) {
    entry.generation = present.generation;
    entry.fenced = core->retains() && !core->IsAt(*at_present->second);
    entry.cut = false;
    if (!Mutant(82)) core->GoTo(at_present->second, present.generation);
  }
  waits = waits || entry.fenced;
  if (waits || !Mutant(77)) core->Hold(waits);
  std::erase_if(entry.legs, [&](const auto& leg) {
    if (wanted.contains(leg.first) || core->IsAt(*leg.second)) return false;
    if (Mutant(80)) return false;
    leg.second->Leave();
    return true;
  });
}

void QueueMove::ReconcileReceiver(ReceiverEntry& entry,
                                  const MoveWants& wants) {
  const std::shared_ptr<ReceiverCore> core = entry.core.lock();
  if (core == nullptr) return;
  PlaceId present = 0;
  {
    MutexLock lock(&mu_);
    present = move_->record().present.place;
    if (move_->record().present.generation == 0) return;
  }
  std::map<PlaceId, bool> wanted;  // whether it has credit
  wanted[present] = false;
  if (wants.prepare) wanted[wants.prepare->place] = false;
  if (wants.commit) wanted[wants.commit->present.place] = false;
  for (const Binding& binding : wants.finish) wanted[binding.place] = false;
  for (const move_action::Receive& receive : wants.receivers) {
    wanted[receive.place] = true;
  }
  for (const auto& [place, has_credit] : wanted) {
    std::shared_ptr<ReceiverLeg>& leg = entry.legs[place];
    if (leg == nullptr) {
      QueueConfig queue;
      const std::shared_ptr<Endpoint> endpoint = EndpointAt(place, &queue);
      if (endpoint == nullptr) {
        entry.legs.erase(place);
        continue;
      }
      leg = host_->MakeReceiverLeg(endpoint, std::move(queue), core->options(),
                                   core->NextNumber());
      if (!Mutant(78)) {
        leg->SetGate(std::static_pointer_cast<QueueMove>(shared_from_this()),
                     place);
      }
      if (!core->AddLeg(leg)) continue;
    }
    leg->SetCredit(has_credit && !(Mutant(79) && place != present));
    leg->JudgeAgain();
  }
  if (const auto home = entry.legs.find(present); home != entry.legs.end()) {
    core->SetHome(home->second);
  }
  std::erase_if(entry.legs, [&](const auto& leg) {
    if (wanted.contains(leg.first) || Mutant(81)) return false;
    core->DropLeg(leg.second);
    return true;
  });
}

}  // namespace tieline::inline v0
