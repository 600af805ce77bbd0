#include "lib/move/move_store.h"

#include <map>
#include <utility>

#include "lib/base/mutex.h"
#include "lib/base/status.h"

namespace tieline::inline v0 {
namespace {

class ForgetfulStore final : public MoveStore {
 public:
  absl::StatusOr<std::optional<SavedMove>> Load(
      std::string_view /*queue*/) override {
    return std::nullopt;
  }
  void Commit(std::vector<std::pair<std::string, SavedMove>> /*moves*/,
              Done done) override {
    done(absl::OkStatus());
  }
  void Journal(std::string_view /*kind*/, std::string_view /*json*/) override {}
};

class FileStore final : public MoveStore {
 public:
  FileStore(Store* store, int64_t journal_bytes)
      : store_(store), most_(journal_bytes / 4 * 3) {}

  absl::StatusOr<std::optional<SavedMove>> Load(
      std::string_view queue) override {
    TIELINE_ASSIGN_OR_RETURN(const QueueId id, IdOf(queue));
    TIELINE_ASSIGN_OR_RETURN(GenerationRecord saved, store_->Generation(id));
    if (saved.generation == 0) return std::nullopt;
    return SavedMove{saved.generation, std::move(saved.digest),
                     std::move(saved.record)};
  }

  void Commit(std::vector<std::pair<std::string, SavedMove>> moves,
              Done done) override {
    StoreBatch batch;
    for (auto& [queue, move] : moves) {
      const absl::StatusOr<QueueId> id = IdOf(queue);
      if (!id.ok()) {
        done(id.status());
        return;
      }
      batch.SetGeneration(*id, {move.generation, std::move(move.digest),
                                std::move(move.record)});
    }
    const absl::Status submitted = store_->Submit(
        std::move(batch), [done](const absl::StatusOr<StoreCommitted>& result) {
          done(result.status());
        });
    if (!submitted.ok()) done(submitted);
  }

  void Journal(std::string_view kind, std::string_view json) override {
    StoreBatch batch;
    batch.AddToJournal(kind, json);
    const StoreState now = store_->state();
    if (now.journal_bytes > most_) {
      // The older half.
      batch.TrimJournal(now.journal_first +
                        (now.journal_last - now.journal_first) / 2);
    }
    store_
        ->Submit(std::move(batch), [](const absl::StatusOr<StoreCommitted>&) {})
        .IgnoreError();  // a full journal stops no move
  }

 private:
  // Asked of the store once: it may wait for the disk there.
  absl::StatusOr<QueueId> IdOf(std::string_view queue) {
    {
      MutexLock lock(&mu_);
      const auto it = ids_.find(queue);
      if (it != ids_.end()) return it->second;
    }
    TIELINE_ASSIGN_OR_RETURN(const QueueId id, store_->AddQueue(queue));
    MutexLock lock(&mu_);
    ids_.emplace(queue, id);
    return id;
  }

  Store* const store_;
  const int64_t most_;  // bytes of the journal, before it is trimmed
  Mutex mu_;
  std::map<std::string, QueueId, std::less<>> ids_ ABSL_GUARDED_BY(mu_);
};

}  // namespace

std::unique_ptr<MoveStore> MakeForgetfulStore() {
  return std::make_unique<ForgetfulStore>();
}

std::unique_ptr<MoveStore> MakeMoveStore(Store* store, int64_t journal_bytes) {
  return std::make_unique<FileStore>(store, journal_bytes);
}

}  // namespace tieline::inline v0
