// Opening, closing and reading; committer.cc has what commits.
#include "lib/store/store_core.h"

#include <pthread.h>

#include <algorithm>

#include "lib/base/deadline.h"
#include "lib/base/status.h"
#include "lib/store/load.h"
#include "lib/store/packing.h"
#include "lib/store/schema.h"

namespace tieline::inline v0::store {
namespace {

// Times what one transaction may write: the log, the file's growth, a trim.
constexpr int64_t kReserveCommits = 3;
constexpr int64_t kReserveLeast = 256 << 10;

// Adds a segment's entries from `from` on, with places in the data for now.
void AddEntries(const SpoolSegment& segment, uint64_t from,
                std::string_view data, SpoolChunk* chunk) {
  uint64_t key_hash = 0;
  std::string_view bytes;
  for (uint64_t i = 0; i < segment.count; ++i) {
    if (!UnpackSpool(&data, &key_hash, &bytes)) return;
    if (segment.first + i < from) continue;
    chunk->entries.push_back(
        {.sequence = segment.first + i, .key_hash = key_hash, .bytes = bytes});
  }
}

}  // namespace

StoreCore::StoreCore(StoreOptions options, std::string path, StoreLock lock)
    : options_(std::move(options)),
      path_(std::move(path)),
      lock_(std::move(lock)),
      reserve_(path_, kReserveCommits * options_.commit_bytes + kReserveLeast),
      opened_at_(options_.clock->Steady()) {}

absl::Status StoreCore::Start() {
  {
    const MutexLock db(&db_mu_);
    TIELINE_ASSIGN_OR_RETURN(const bool there, CheckFile(path_, lock_->mark()));
    if (!there) TIELINE_RETURN_IF_ERROR(MakeStore(path_, options_.vfs));
    auto index = std::make_unique<Index>(options_);
    TIELINE_ASSIGN_OR_RETURN(
        tables_, LoadStore(path_, options_.vfs, lock_->mark(), index.get()));
    lock_->SetMark(tables_->meta().commits);
    const bool reserved = reserve_.Take();
    const MutexLock lock(&mu_);
    age_base_ = index->greatest_age();
    index_ = std::move(index);
    commits_ = tables_->meta().commits;
    disk_full_ = !reserved;
  }
  if (options_.drive == StoreDrive::kThread) {
    // It keeps the core alive should the disk not answer at the end.
    thread_ = std::thread([self = shared_from_this()] { self->Loop(); });
    pthread_setname_np(thread_.native_handle(), "tieline-store");
  }
  return absl::OkStatus();
}

absl::Status StoreCore::Usable() const {
  if (closing_) {
    return MakeStatus(absl::StatusCode::kFailedPrecondition,
                      "store {}: it is closed", path_);
  }
  if (!failure_.ok()) {
    return MakeStatus(failure_.code(),
                      "{}; nothing is written until Reopen has checked it",
                      MessageOf(failure_));
  }
  return absl::OkStatus();
}

absl::StatusOr<QueueId> StoreCore::AddQueue(std::string_view name) {
  if (OnOwnThread()) {
    return MakeStatus(absl::StatusCode::kFailedPrecondition,
                      "store: a callback must not add a queue");
  }
  const MutexLock db(&db_mu_);
  QueueId queue{};
  {
    const MutexLock lock(&mu_);
    absl::StatusOr<QueueId> found = index_->FindQueue(name);
    if (found.ok()) return found;
    TIELINE_RETURN_IF_ERROR(Usable());
    TIELINE_ASSIGN_OR_RETURN(queue, index_->NextQueue(name));
  }
  QueueRow row;
  row.name = std::string(name);
  const absl::Status written = tables_->AddQueue(queue, row);
  if (!written.ok()) {
    if (written.code() != absl::StatusCode::kResourceExhausted) Fail(written);
    return written;
  }
  lock_->SetMark(tables_->meta().commits);
  const MutexLock lock(&mu_);
  commits_ = tables_->meta().commits;
  TIELINE_RETURN_IF_ERROR(index_->AddQueue(queue, std::move(row)));
  return queue;
}

absl::Status StoreCore::Submit(StoreBatch batch, Store::Done done) {
  absl::Status taken;
  {
    const MutexLock lock(&mu_);
    taken = Usable();
    if (taken.ok()) taken = index_->Admit(batch);
    if (taken.ok()) {
      waiting_.push_back({.batch = std::move(batch),
                          .done = std::move(done),
                          .status = {},
                          .committed = {}});
    }
  }
  // Also when it is refused: what failed is to be opened again.
  wake_.NotifyOne();
  if (options_.drive == StoreDrive::kCaller && options_.on_work != nullptr) {
    options_.on_work();
  }
  return taken;
}

absl::StatusOr<SpoolChunk> StoreCore::ReadSpool(QueueId queue, uint64_t from,
                                                int64_t max_bytes) {
  SpoolChunk chunk;
  chunk.data = std::make_unique<std::string>();
  const std::vector<SpoolSegment> segments = WithIndex([&](const Index& index) {
    // Where the spool begins, should `from` be trimmed already.
    const auto range = index.SpoolRange(queue);
    if (range.has_value()) from = std::max(from, range->trimmed + 1);
    return index.Spooled(queue, from, max_bytes);
  });
  std::vector<std::pair<SpoolSegment, size_t>> read;
  {
    const MutexLock db(&db_mu_);
    if (tables_ == nullptr) {
      const MutexLock lock(&mu_);
      TIELINE_RETURN_IF_ERROR(Usable());
    }
    for (const SpoolSegment& segment : segments) {
      const size_t begin = chunk.data->size();
      const absl::Status status =
          tables_->ReadSpool(queue, segment, chunk.data.get());
      // Trimmed meanwhile.
      if (absl::IsNotFound(status)) continue;
      TIELINE_RETURN_IF_ERROR(status);
      read.emplace_back(segment, begin);
    }
  }
  const std::string_view data = *chunk.data;
  for (const auto& [segment, begin] : read) {
    AddEntries(segment, from, data.substr(begin), &chunk);
  }
  return chunk;
}

absl::StatusOr<std::vector<JournalEntry>> StoreCore::ReadJournal(
    uint64_t from, int64_t limit) {
  std::vector<JournalEntry> entries;
  const MutexLock db(&db_mu_);
  if (tables_ == nullptr) {
    const MutexLock lock(&mu_);
    TIELINE_RETURN_IF_ERROR(Usable());
  }
  TIELINE_RETURN_IF_ERROR(tables_->ReadJournal(
      from, std::max<int64_t>(limit, 0), [&entries](const JournalRow& row) {
        entries.push_back({.number = row.id,
                           .time = absl::FromUnixMicros(row.time),
                           .kind = std::string(row.kind),
                           .json = std::string(row.json)});
        return absl::OkStatus();
      }));
  return entries;
}

std::string StoreCore::producer() {
  const MutexLock db(&db_mu_);
  return tables_ == nullptr ? std::string() : tables_->meta().producer;
}

StoreState StoreCore::state() {
  const MutexLock lock(&mu_);
  const Holdings held = index_->holdings();
  return {.spool_bytes = held.spool_bytes,
          .spool_entries = held.spool_entries,
          .inbox_ids = held.inbox_ids,
          .journal_bytes = held.journal_bytes,
          .waiting_bytes = held.waiting_bytes,
          .journal_first = held.journal_first,
          .journal_last = held.journal_last,
          .commits = commits_,
          .disk_full = disk_full_,
          .failure = failure_};
}

absl::Status StoreCore::Reopen() {
  const MutexLock db(&db_mu_);
  {
    const MutexLock lock(&mu_);
    if (closing_) return Usable();
    if (failure_.ok()) return absl::OkStatus();
  }
  tables_.reset();
  auto index = std::make_unique<Index>(options_);
  absl::StatusOr<std::unique_ptr<Tables>> loaded =
      LoadStore(path_, options_.vfs, lock_->mark(), index.get());
  const MutexLock lock(&mu_);
  if (!loaded.ok()) {
    NoteFailure(loaded.status());
    return failure_;
  }
  tables_ = *std::move(loaded);
  index_ = std::move(index);
  commits_ = tables_->meta().commits;
  failure_ = absl::OkStatus();
  reopen_at_ = absl::InfiniteFuture();
  return absl::OkStatus();
}

void StoreCore::NoteFailure(const absl::Status& why) {
  failure_ = why;
  reopen_at_ = options_.clock->Steady() + options_.reopen_every;
}

void StoreCore::ReopenIfDue() {
  {
    const MutexLock lock(&mu_);
    if (closing_ || options_.clock->Steady() < reopen_at_) return;
  }
  // Another try follows.
  Reopen().IgnoreError();
}

bool StoreCore::WorkWaits() const {
  return !waiting_.empty() ||
         (failure_.ok() && !drops_wait_ && index_->HasDrops());
}

absl::Time StoreCore::NextRun() const {
  const MutexLock lock(&mu_);
  return WorkWaits() ? absl::InfinitePast() : reopen_at_;
}

void StoreCore::Loop() {
  committing_.store(std::this_thread::get_id(), std::memory_order_relaxed);
  while (true) {
    {
      const MutexLock lock(&mu_);
      while (!WorkWaits() && !closing_ &&
             options_.clock->Steady() < reopen_at_) {
        if (failure_.ok()) {
          wake_.Wait(&mu_);
        } else {
          wake_.WaitFor(&mu_, options_.reopen_every);
        }
      }
      if (waiting_.empty() && closing_) break;
    }
    RunOnce();
  }
  CloseFile();
}

void StoreCore::CloseFile() {
  {
    const MutexLock db(&db_mu_);
    tables_.reset();
    lock_.reset();
  }
  // Under the lock: who waits may go on, and away, once it is let go.
  const MutexLock lock(&mu_);
  done_ = true;
  closed_.NotifyAll();
}

absl::Status StoreCore::Close(absl::Duration within) {
  if (OnOwnThread()) {
    return MakeStatus(absl::StatusCode::kFailedPrecondition,
                      "store: a callback must not close the store");
  }
  const Deadline deadline(within);
  bool first = false;
  {
    const MutexLock lock(&mu_);
    first = !closing_;
    closing_ = true;
  }
  wake_.NotifyAll();
  if (options_.drive == StoreDrive::kCaller && first) {
    while (!deadline.Passed() && RunOnce() > 0) {
    }
  }
  Group late;
  bool done = false;
  {
    const MutexLock lock(&mu_);
    while (options_.drive == StoreDrive::kThread && !done_ &&
           !deadline.Passed()) {
      closed_.WaitFor(&mu_, deadline.Left());
    }
    done = done_;
    for (Waiting& waiting : waiting_) {
      index_->Refuse(waiting.batch);
      waiting.status = MakeStatus(absl::StatusCode::kCancelled,
                                  "store {}: it was closed first", path_);
      late.push_back(std::move(waiting));
    }
    waiting_.clear();
  }
  wake_.NotifyAll();
  Answer(std::move(late));
  if (options_.drive == StoreDrive::kCaller) {
    if (first) CloseFile();
    return absl::OkStatus();
  }
  if (done) {
    if (first && thread_.joinable()) thread_.join();
    return absl::OkStatus();
  }
  if (first && thread_.joinable()) thread_.detach();
  return MakeStatus(absl::StatusCode::kDeadlineExceeded,
                    "store {}: the disk did not answer within {}", path_,
                    absl::FormatDuration(within));
}

}  // namespace tieline::inline v0::store
