#include "lib/store/store.h"

#include "lib/base/deadline.h"
#include "lib/base/mutex.h"
#include "lib/base/status.h"
#include "lib/store/store_core.h"
#include "lib/store/store_file.h"

namespace tieline::inline v0 {
namespace {

absl::Status UnknownQueue(QueueId queue) {
  return MakeStatus(absl::StatusCode::kNotFound,
                    "store: it knows no queue number {}",
                    static_cast<uint32_t>(queue));
}

// The answer that a thread waits for.
class Answer {
 public:
  void Set(const absl::StatusOr<StoreCommitted>& answer) {
    const MutexLock lock(&mu_);
    answer_ = answer;
    set_.NotifyAll();
  }
  std::optional<absl::StatusOr<StoreCommitted>> WaitFor(
      absl::Duration timeout) {
    const Deadline deadline(timeout);
    const MutexLock lock(&mu_);
    while (!answer_.has_value() && !deadline.Passed()) {
      set_.WaitFor(&mu_, deadline.Left());
    }
    return answer_;
  }

 private:
  Mutex mu_;
  Condition set_;
  std::optional<absl::StatusOr<StoreCommitted>> answer_ ABSL_GUARDED_BY(mu_);
};

}  // namespace

absl::StatusOr<std::unique_ptr<Store>> Store::Open(StoreOptions options) {
  TIELINE_RETURN_IF_ERROR(options.Validate());
  TIELINE_ASSIGN_OR_RETURN(std::string path, store::ResolvePath(options.path));
  TIELINE_ASSIGN_OR_RETURN(store::StoreLock lock, store::StoreLock::Take(path));
  auto core = std::make_shared<store::StoreCore>(
      std::move(options), std::move(path), std::move(lock));
  TIELINE_RETURN_IF_ERROR(core->Start());
  return std::unique_ptr<Store>(new Store(std::move(core)));
}

Store::Store(std::shared_ptr<store::StoreCore> core) : core_(std::move(core)) {}

Store::~Store() {
  // When the disk does not answer, the core lives on until it does.
  [[maybe_unused]] const absl::Status late =
      core_->Close(core_->options().stop_within);
}

absl::StatusOr<QueueId> Store::AddQueue(std::string_view name) {
  return core_->AddQueue(name);
}

std::vector<std::pair<QueueId, std::string>> Store::Queues() const {
  return core_->WithIndex(
      [](const store::Index& index) { return index.Queues(); });
}

absl::Status Store::Submit(StoreBatch batch, Done done) {
  return core_->Submit(std::move(batch), std::move(done));
}

absl::StatusOr<StoreCommitted> Store::Commit(StoreBatch batch,
                                             absl::Duration timeout) {
  if (core_->OnOwnThread()) {
    return MakeStatus(absl::StatusCode::kFailedPrecondition,
                      "store: a callback must not wait for a commit; Submit");
  }
  const auto answer = std::make_shared<Answer>();
  TIELINE_RETURN_IF_ERROR(core_->Submit(
      std::move(batch), [answer](const absl::StatusOr<StoreCommitted>& result) {
        answer->Set(result);
      }));
  if (core_->options().drive == StoreDrive::kCaller) {
    while (!answer->WaitFor(absl::ZeroDuration()).has_value()) {
      core_->RunOnce();
    }
  }
  std::optional<absl::StatusOr<StoreCommitted>> result =
      answer->WaitFor(timeout);
  if (result.has_value()) return *std::move(result);
  return MakeStatus(absl::StatusCode::kDeadlineExceeded,
                    "store: not durable within {}, and it may still become so",
                    absl::FormatDuration(timeout));
}

absl::StatusOr<SpoolChunk> Store::ReadSpool(QueueId queue, uint64_t from,
                                            int64_t max_bytes) {
  return core_->ReadSpool(queue, from, max_bytes);
}

absl::StatusOr<Store::SpoolRange> Store::RangeOf(QueueId queue) const {
  const auto range = core_->WithIndex(
      [queue](const store::Index& index) { return index.SpoolRange(queue); });
  if (!range.has_value()) return UnknownQueue(queue);
  return SpoolRange{.trimmed = range->trimmed, .last = range->last};
}

std::optional<uint64_t> Store::FindInInbox(QueueId queue,
                                           std::string_view id) const {
  return core_->WithIndex([queue, id](const store::Index& index) {
    return index.FindId(queue, id);
  });
}

absl::StatusOr<GenerationRecord> Store::Generation(QueueId queue) const {
  auto found = core_->WithIndex(
      [queue](const store::Index& index) { return index.Generation(queue); });
  if (!found.has_value()) return UnknownQueue(queue);
  return *std::move(found);
}

absl::StatusOr<std::vector<JournalEntry>> Store::ReadJournal(uint64_t from,
                                                             int64_t limit) {
  return core_->ReadJournal(from, limit);
}

std::string Store::producer() const { return core_->producer(); }

StoreState Store::state() const { return core_->state(); }

absl::Status Store::Reopen() { return core_->Reopen(); }

size_t Store::RunOnce() { return core_->RunOnce(); }

absl::Time Store::NextRun() const { return core_->NextRun(); }

absl::Status Store::Close(absl::Duration within) {
  return core_->Close(within);
}

}  // namespace tieline::inline v0
