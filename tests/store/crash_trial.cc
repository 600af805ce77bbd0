#include "tests/store/crash_trial.h"

#include <filesystem>
#include <memory>
#include <random>
#include <utility>

#include "fmt/format.h"
#include "lib/base/status.h"
#include "lib/store/store.h"
#include "tests/store/crash_script.h"
#include "tests/store/fault_vfs.h"
#include "tests/store/temp_folder.h"

namespace tieline::testing {
namespace {

constexpr int kLives = 4;
constexpr int kSteps = 25;
constexpr uint64_t kKeep = 5;

class Trial {
 public:
  Trial(CrashKind kind, uint64_t seed, const std::string& folder,
        CrashTally* tally)
      : kind_(kind), random_(seed), tally_(tally) {
    options_ = SmallStore(folder + "/s.db");
    options_.commit_bytes = 16 << 10;
    options_.segment_bytes = 2 << 10;
    options_.vfs = vfs_.name();
  }

  void Run() {
    for (int life = 0; life < kLives && tally_->fault.empty(); ++life) {
      if (life > 0) Plan();
      Live();
      store_.reset();
      vfs_.PowerCut(random_());
      vfs_.LimitSpace(options_.path, -1);
      ++tally_->crashes;
    }
    // The last look at what is left.
    if (tally_->fault.empty() && OpenAndVerify()) store_.reset();
  }

 private:
  uint64_t Below(uint64_t n) { return random_() % n; }

  void Fault(const absl::Status& status) {
    tally_->fault = status.ToString();
    if (absl::IsDataLoss(status)) ++tally_->lost;
  }

  // The fault of the next life.
  void Plan() {
    const auto at = static_cast<int64_t>(1 + Below(80));
    if (kind_ == CrashKind::kPower || Below(4) == 0) vfs_.CutPowerAt(at);
    if (kind_ == CrashKind::kError) {
      if (Below(2) == 0) {
        vfs_.FailWrite(at);
      } else {
        vfs_.FailSync(1 + at / 6);
      }
    }
    if (kind_ == CrashKind::kFull) FillDisk();
  }

  // Leaves little more space than what is there takes.
  void FillDisk() {
    int64_t used = 0;
    for (const char* suffix : {"", "-wal"}) used += SizeOf(suffix);
    // Others may have taken the space that a trim gave back to the disk: then
    // the reserve can't be had, and a trim may be refused as well.
    const int64_t reserve = SizeOf(".reserve");
    if (reserve > 0) reserve_bytes_ = reserve;
    has_reserve_ = reserve > 0 || Below(4) != 0;
    if (has_reserve_) used += reserve_bytes_;
    vfs_.LimitSpace(options_.path,
                    used + static_cast<int64_t>(Below(60 << 10)));
  }

  int64_t SizeOf(const char* suffix) const {
    const std::string file = options_.path + suffix;
    if (!std::filesystem::exists(file)) return 0;
    return static_cast<int64_t>(std::filesystem::file_size(file));
  }

  // False when the power went off meanwhile, or on a fault.
  bool OpenAndVerify() {
    absl::StatusOr<std::unique_ptr<Store>> opened = Store::Open(options_);
    if (!opened.ok()) {
      if (!Excused(opened.status())) Fault(opened.status());
      return false;
    }
    store_ = *std::move(opened);
    return Verify();
  }

  bool Verify() {
    const absl::StatusOr<uint64_t> there =
        script_.Verify(store_.get(), acknowledged_, asked_);
    if (!there.ok()) {
      if (!Excused(there.status())) Fault(there.status());
      return false;
    }
    acknowledged_ = *there;
    asked_ = *there;
    return true;
  }

  // Whether an error comes from the fault of this life; a damaged file never
  // does.
  bool Excused(const absl::Status& status) const {
    if (vfs_.power_is_off()) return true;
    if (kind_ == CrashKind::kError) return absl::IsUnavailable(status);
    return kind_ == CrashKind::kFull && absl::IsResourceExhausted(status);
  }

  void Live() {
    if (!OpenAndVerify()) return;
    for (int step = 0; step < kSteps && !vfs_.power_is_off(); ++step) {
      Step();
      if (!tally_->fault.empty()) return;
      if (store_->state().failure.ok()) continue;
      // Nothing is acknowledged until the file was looked at again, and then
      // it has just what was acknowledged.
      if (vfs_.power_is_off()) return;
      const absl::Status reopened = store_->Reopen();
      if (!reopened.ok()) {
        if (!Excused(reopened)) Fault(reopened);
        return;
      }
      if (!Verify()) return;
    }
  }

  void Step() {
    const uint64_t first = acknowledged_ + 1;
    const uint64_t last = acknowledged_ + 1 + Below(4);
    bool refused = false;
    for (uint64_t k = first; k <= last; ++k) {
      const absl::Status taken =
          store_->Submit(script_.Batch(k), [&, k](const auto& result) {
            if (!result.ok()) {
              refused = true;
              ++tally_->errors;
              return;
            }
            ++tally_->acknowledged;
            acknowledged_ = k;
          });
      if (!taken.ok()) break;
      asked_ = k;
    }
    while (store_->RunOnce() > 0) {
    }
    // What was answered with an error is not in the file, unless the power
    // went off: then nobody knows.
    if (!vfs_.power_is_off()) asked_ = acknowledged_;
    if (refused || Below(6) == 0) TrimAll();
  }

  void TrimAll() {
    const uint64_t at = acknowledged_;
    const absl::StatusOr<StoreCommitted> trimmed =
        store_->Commit(script_.Trim(at, kKeep));
    if (trimmed.ok()) {
      script_.Trimmed(at, kKeep);
    } else if (!vfs_.power_is_off() && has_reserve_ &&
               absl::IsResourceExhausted(trimmed.status())) {
      ++tally_->refused_trims;
      Fault(trimmed.status());
    }
  }

  const CrashKind kind_;
  std::mt19937_64 random_;
  CrashTally* tally_;
  FaultVfs vfs_;
  StoreOptions options_;
  CrashScript script_;
  std::unique_ptr<Store> store_;
  uint64_t acknowledged_ = 0;
  uint64_t asked_ = 0;
  int64_t reserve_bytes_ = 0;
  bool has_reserve_ = true;
};

}  // namespace

void RunCrashTrial(CrashKind kind, uint64_t seed, const std::string& folder,
                   CrashTally* tally) {
  {
    Trial trial(kind, seed, folder, tally);
    trial.Run();
  }
  for (const auto& file : std::filesystem::directory_iterator(folder)) {
    std::filesystem::remove(file.path());
  }
}

}  // namespace tieline::testing
