// Disk: where a process has its state file. It keeps what was synced; what was
// not may be there, or torn, or gone, once the process has ended.
//
// While one lives, SQLite opens files on these disks alone.
#ifndef TIELINE_TESTS_SIM_DISK_H_
#define TIELINE_TESTS_SIM_DISK_H_

#include <cstdint>
#include <map>
#include <string>

#include "tests/store/fault_vfs.h"
#include "tests/store/temp_folder.h"

namespace tieline::sim {

class Disk {
 public:
  Disk();
  // In memory where there is such a place: what lasts is the VFS's business.
  static std::string MemoryFolder();
  // Where the disks of this program are; empty: in MemoryFolder.
  static inline std::string parent;

  // The state file's.
  const std::string& path() const { return path_; }

  // Nothing is written from the n-th change on (1: the next): its process ends
  // there.
  void CutAt(int64_t n) { vfs_.CutPowerAt(n); }
  // Not after all, if it has not come to that.
  void DoNotCut() { vfs_.CutPowerAt(0); }
  bool is_cut() const { return vfs_.power_is_off(); }
  // The process has ended; `seed` says what of the rest is there.
  void Recover(uint64_t seed) { vfs_.PowerCut(seed); }

  // Nothing grows any more, until Free.
  void Fill();
  void Free() { vfs_.LimitSpace(path_, -1); }

  // No sync succeeds any more, until it is false.
  void Fail(bool fails) { vfs_.FailSyncs(fails); }

  // Keeps a copy of what is there for certain.
  void Remember();
  // The copy takes the place of what is there; without one nothing does. Of a
  // process that has ended.
  void BringBack();
  void Erase();

 private:
  const testing::TempFolder folder_;
  const std::string path_;
  testing::FaultVfs vfs_;
  std::map<std::string, std::string> copy_;  // by path
};

}  // namespace tieline::sim

#endif  // TIELINE_TESTS_SIM_DISK_H_
