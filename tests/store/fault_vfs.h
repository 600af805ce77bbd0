// FaultVfs: a disk for SQLite that fails when it is told to, and forgets what
// was not synced.
//
// It stands before SQLite's own VFS, with real files. What was written since
// the last sync of a file is remembered; PowerCut() gives each such write a
// fate by the seed: kept, lost, or torn at a sector, also out of order.
//
// Threads: any; one lock around all.
#ifndef TIELINE_TESTS_STORE_FAULT_VFS_H_
#define TIELINE_TESTS_STORE_FAULT_VFS_H_

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>

namespace tieline::testing {

class FaultVfs {
 public:
  // For files that are opened by its name.
  FaultVfs();
  // For those of `folder`, as long as it lives: SQLite opens every other file
  // by such a VFS, or not at all.
  explicit FaultVfs(const std::string& folder);
  // No file may be open.
  ~FaultVfs();
  FaultVfs(const FaultVfs&) = delete;
  FaultVfs& operator=(const FaultVfs&) = delete;

  // For StoreOptions::vfs.
  const std::string& name() const;

  // From the n-th of what changes something on (writes, syncs, truncations,
  // removals; 1: the next), everything fails: the power is off. 0: never.
  void CutPowerAt(int64_t n);
  bool power_is_off() const;
  // What the files hold after it, as of `seed`. Then the power is on again. No
  // file may be open.
  void PowerCut(uint64_t seed);

  // The n-th write from now on fails with an I/O error, having written a part
  // of it; the n-th sync. Once; 0: never.
  void FailWrite(int64_t n);
  void FailSync(int64_t n);
  // Every sync fails until this is false.
  void FailSyncs(bool fail);
  // The files, and FILE.reserve of `path`, may have so many bytes together;
  // negative: any number.
  void LimitSpace(const std::string& path, int64_t bytes);
  // What they have now.
  int64_t SpaceUsed(const std::string& path) const;
  // Called in each sync, before it happens.
  void OnSync(std::function<void()> call);

  // What each file holds for certain, by path.
  std::map<std::string, std::string> Durable() const;
  int64_t syncs() const;
  // What changed something so far, as CutPowerAt counts.
  int64_t changes() const;

  struct State;

 private:
  std::unique_ptr<State> state_;
};

}  // namespace tieline::testing

#endif  // TIELINE_TESTS_STORE_FAULT_VFS_H_
