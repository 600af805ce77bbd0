// The committer: what waits becomes one transaction, then it is answered.
#include <utility>

#include "lib/base/mutant.h"
#include "lib/base/status.h"
#include "lib/store/store_core.h"

namespace tieline::inline v0::store {
namespace {

// Pages that a transaction changes beside those of its bytes, and what is left
// for trims.
constexpr int64_t kPagesApart = 64;

int64_t Pages(int64_t bytes) { return bytes / Database::kPageBytes + 1; }

bool IsFull(const absl::Status& status) {
  return absl::IsResourceExhausted(status);
}

}  // namespace

size_t StoreCore::RunOnce() {
  ReopenIfDue();
  Group group;
  {
    const MutexLock db(&db_mu_);
    {
      const MutexLock lock(&mu_);
      group = NextGroup();
      if (group.empty() && (!failure_.ok() || !index_->HasDrops())) return 0;
    }
    CommitGroup(&group);
  }
  const size_t answered = group.size();
  Answer(std::move(group));
  const MutexLock db(&db_mu_);
  Checkpoint();
  return answered;
}

StoreCore::Group StoreCore::NextGroup() {
  Group group;
  int64_t bytes = 0;
  while (!waiting_.empty()) {
    bytes += waiting_.front().batch.bytes();
    if (bytes > options_.commit_bytes && !group.empty()) break;
    group.push_back(std::move(waiting_.front()));
    waiting_.pop_front();
  }
  return group;
}

void StoreCore::Answer(Group group) {
  for (Waiting& waiting : group) {
    if (waiting.done == nullptr) continue;
    if (waiting.status.ok()) {
      waiting.done(std::move(waiting.committed));
    } else {
      waiting.done(waiting.status);
    }
  }
}

void StoreCore::CommitGroup(Group* group) {
  // Messages need room; what frees it, or records a decision, does not wait
  // for that.
  std::vector<Waiting*> all;
  std::vector<Waiting*> rest;
  std::vector<Waiting*> messages;
  for (Waiting& waiting : *group) {
    all.push_back(&waiting);
    (waiting.batch.frees_or_records() ? rest : messages).push_back(&waiting);
  }
  {
    const MutexLock lock(&mu_);
    if (const absl::Status failure = failure_; !failure.ok()) {
      for (Waiting* waiting : all) {
        index_->Refuse(waiting->batch);
        waiting->status = failure;
      }
      return;
    }
  }
  absl::Status status;
  if (messages.empty() || HasRoomFor(messages)) {
    status = Write(all);
    if (status.ok()) return;
  } else {
    status = MakeStatus(absl::StatusCode::kResourceExhausted,
                        "store {}: no space is left on the disk; what it holds "
                        "can be drained and trimmed",
                        path_);
  }
  if (!IsFull(status)) {
    Refuse(all, status);
    Fail(status);
    return;
  }
  Refuse(messages, status);
  status = WriteOnFullDisk(rest);
  if (status.ok()) return;
  {
    const MutexLock lock(&mu_);
    drops_wait_ = true;
  }
  Refuse(rest, status);
  if (!IsFull(status)) Fail(status);
}

absl::Status StoreCore::Write(const std::vector<Waiting*>& part) {
  std::vector<const StoreBatch*> batches;
  batches.reserve(part.size());
  for (const Waiting* waiting : part) batches.push_back(&waiting->batch);
  const int64_t age = age_base_ + absl::ToInt64Milliseconds(
                                      options_.clock->Steady() - opened_at_);
  const int64_t now = absl::ToUnixMicros(options_.clock->Now());
  Change change = WithIndex(
      [&](const Index& index) { return index.Plan(batches, age, now); });
  if (!change.empty()) {
    TIELINE_RETURN_IF_ERROR(tables_->Write(&change));
    lock_->SetMark(tables_->meta().commits);
  }
  for (size_t i = 0; i < part.size(); ++i) {
    part[i]->committed = std::move(change.results[i]);
  }
  const MutexLock lock(&mu_);
  index_->Take(std::move(change), batches);
  drops_wait_ = false;
  commits_ = tables_->meta().commits;
  return absl::OkStatus();
}

absl::Status StoreCore::WriteOnFullDisk(const std::vector<Waiting*>& part) {
  const bool drops =
      WithIndex([](const Index& index) { return index.HasDrops(); });
  if (part.empty() && !drops) return absl::OkStatus();
  absl::Status status = Write(part);
  if (!IsFull(status) || !reserve_.Release()) return status;
  return Write(part);
}

void StoreCore::Refuse(const std::vector<Waiting*>& part,
                       const absl::Status& why) {
  const MutexLock lock(&mu_);
  for (Waiting* waiting : part) {
    index_->Refuse(waiting->batch);
    waiting->status = Mutant(98) ? absl::OkStatus() : why;
  }
}

bool StoreCore::HasRoomFor(const std::vector<Waiting*>& part) {
  if (reserve_.Take()) return true;
  // The file must not grow: what is left of the disk is for trims. Its free
  // pages will do.
  int64_t bytes = 0;
  for (const Waiting* waiting : part) bytes += waiting->batch.bytes();
  const absl::StatusOr<int64_t> pages = tables_->FreePages();
  return pages.ok() &&
         *pages >= Pages(bytes) + kPagesApart +
                       2 * static_cast<int64_t>(part.size()) &&
         tables_->database()->log_frames() == 0;
}

void StoreCore::Checkpoint() {
  if (tables_ == nullptr) return;
  const bool held = reserve_.held();
  const int64_t logged =
      int64_t{tables_->database()->log_frames()} * Database::kPageBytes;
  if (logged > 0 && (!held || logged >= options_.commit_bytes)) {
    {
      const MutexLock lock(&mu_);
      if (!failure_.ok()) return;
    }
    absl::Status status = tables_->database()->Checkpoint();
    if (IsFull(status) && reserve_.Release()) {
      status = tables_->database()->Checkpoint();
    }
    if (!status.ok() && !IsFull(status)) Fail(status);
  }
  const MutexLock lock(&mu_);
  disk_full_ = !reserve_.held();
}

void StoreCore::Fail(const absl::Status& why) {
  const MutexLock lock(&mu_);
  if (failure_.ok()) NoteFailure(why);
  wake_.NotifyOne();
}

}  // namespace tieline::inline v0::store
