#include "tests/store/fault_vfs.h"

#include <sqlite3.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <map>
#include <mutex>
#include <random>
#include <vector>

#include "fmt/format.h"
#include "tests/store/temp_folder.h"

namespace tieline::testing {
namespace {

constexpr size_t kSector = 512;

struct Write {
  sqlite3_int64 at = 0;
  std::string bytes;
  bool truncates = false;  // to `at`
};

// What a file holds for certain, and what was done since.
struct Tracked {
  std::string durable;
  std::vector<Write> pending;
};

void Apply(const Write& write, std::string* to) {
  const auto at = static_cast<size_t>(write.at);
  if (write.truncates) {
    if (to->size() > at) to->resize(at);
    return;
  }
  if (to->size() < at + write.bytes.size()) to->resize(at + write.bytes.size());
  to->replace(at, write.bytes.size(), write.bytes);
}

}  // namespace

struct FaultVfs::State {
  static int64_t SizeOf(const std::string& path) {
    struct stat found;
    return stat(path.c_str(), &found) == 0 ? int64_t{found.st_size} : 0;
  }
  static int64_t SpaceOf(const std::string& path) {
    return SizeOf(path) + SizeOf(path + "-wal") + SizeOf(path + ".reserve");
  }

  mutable std::mutex mu;
  std::string name;    // of a VFS of its own
  std::string folder;  // or of which it has the files
  sqlite3_vfs vfs{};
  std::map<std::string, Tracked> files;
  int64_t changes = 0;
  int64_t syncs = 0;
  int64_t cut_at = 0;
  bool off = false;
  int64_t fail_write = 0;
  int64_t fail_sync = 0;
  bool fail_syncs = false;
  std::string space_path;
  int64_t space = -1;
  std::function<void()> on_sync;

  // Counts a change; false when the power is off.
  bool Change() {
    if (off) return false;
    ++changes;
    if (cut_at != 0 && changes >= cut_at) off = true;
    return !off;
  }
  // Whether a file may end at `end` now.
  bool HasSpace(const std::string& path, sqlite3_int64 end) const {
    if (space < 0 || end <= SizeOf(path)) return true;
    return SpaceOf(space_path) + end - SizeOf(path) <= space;
  }
};

namespace {

using State = FaultVfs::State;

struct File {
  sqlite3_file base;
  State* state;
  const char* path;     // a key of State::files
  sqlite3_file* below;  // in the memory behind this
};

File* Of(sqlite3_file* file) { return reinterpret_cast<File*>(file); }

int Close(sqlite3_file* file) {
  return Of(file)->below->pMethods->xClose(Of(file)->below);
}

int Read(sqlite3_file* file, void* to, int amount, sqlite3_int64 at) {
  return Of(file)->below->pMethods->xRead(Of(file)->below, to, amount, at);
}

int WriteTo(sqlite3_file* file, const void* from, int amount,
            sqlite3_int64 at) {
  File* of = Of(file);
  State* state = of->state;
  const std::lock_guard<std::mutex> lock(state->mu);
  if (!state->Change()) return SQLITE_IOERR_WRITE;
  if (!state->HasSpace(of->path, at + amount)) return SQLITE_FULL;
  const bool fails = state->fail_write > 0 && --state->fail_write == 0;
  if (fails) amount /= 2;
  state->files[of->path].pending.push_back(
      {.at = at,
       .bytes = std::string(static_cast<const char*>(from),
                            static_cast<size_t>(amount)),
       .truncates = false});
  const int code = of->below->pMethods->xWrite(of->below, from, amount, at);
  return fails ? SQLITE_IOERR_WRITE : code;
}

int Truncate(sqlite3_file* file, sqlite3_int64 size) {
  File* of = Of(file);
  const std::lock_guard<std::mutex> lock(of->state->mu);
  if (!of->state->Change()) return SQLITE_IOERR_TRUNCATE;
  of->state->files[of->path].pending.push_back(
      {.at = size, .bytes = {}, .truncates = true});
  return of->below->pMethods->xTruncate(of->below, size);
}

int Sync(sqlite3_file* file, int) {
  File* of = Of(file);
  State* state = of->state;
  std::function<void()> call;
  {
    const std::lock_guard<std::mutex> lock(state->mu);
    call = state->on_sync;
  }
  if (call != nullptr) call();
  const std::lock_guard<std::mutex> lock(state->mu);
  if (!state->Change()) return SQLITE_IOERR_FSYNC;
  ++state->syncs;
  if (state->fail_syncs || (state->fail_sync > 0 && --state->fail_sync == 0)) {
    // As Linux does it: what could not be written back counts as clean from
    // then on, is seen by who reads the file, and is written by no later sync.
    state->files[of->path].pending.clear();
    return SQLITE_IOERR_FSYNC;
  }
  // No real sync: what is durable here is what PowerCut leaves.
  Tracked& tracked = state->files[of->path];
  for (const Write& write : tracked.pending) Apply(write, &tracked.durable);
  tracked.pending.clear();
  return SQLITE_OK;
}

int FileSize(sqlite3_file* file, sqlite3_int64* size) {
  return Of(file)->below->pMethods->xFileSize(Of(file)->below, size);
}

int Lock(sqlite3_file* file, int level) {
  return Of(file)->below->pMethods->xLock(Of(file)->below, level);
}

int Unlock(sqlite3_file* file, int level) {
  return Of(file)->below->pMethods->xUnlock(Of(file)->below, level);
}

int CheckReserved(sqlite3_file* file, int* out) {
  return Of(file)->below->pMethods->xCheckReservedLock(Of(file)->below, out);
}

int Control(sqlite3_file* file, int what, void* with) {
  // It would grow the file behind our back.
  if (what == SQLITE_FCNTL_SIZE_HINT) return SQLITE_OK;
  return Of(file)->below->pMethods->xFileControl(Of(file)->below, what, with);
}

int SectorSize(sqlite3_file* file) {
  return Of(file)->below->pMethods->xSectorSize(Of(file)->below);
}

int Characteristics(sqlite3_file* file) {
  return Of(file)->below->pMethods->xDeviceCharacteristics(Of(file)->below);
}

// Version 1: without shared memory, which an exclusive store does not need.
const sqlite3_io_methods kMethods = {1,
                                     Close,
                                     Read,
                                     WriteTo,
                                     Truncate,
                                     Sync,
                                     FileSize,
                                     Lock,
                                     Unlock,
                                     CheckReserved,
                                     Control,
                                     SectorSize,
                                     Characteristics,
                                     nullptr,
                                     nullptr,
                                     nullptr,
                                     nullptr,
                                     nullptr,
                                     nullptr};

// SQLite's own.
sqlite3_vfs* Below() {
  static sqlite3_vfs* const below = sqlite3_vfs_find(nullptr);
  return below;
}

// Those that have the files of a folder, and the VFS that finds them.
struct Folders {
  std::mutex mu;
  std::vector<State*> states;
  sqlite3_vfs vfs{};
};

Folders& AllFolders() {
  static Folders folders;
  return folders;
}

State* StateOf(sqlite3_vfs* vfs, const char* path) {
  if (vfs->pAppData != nullptr) return static_cast<State*>(vfs->pAppData);
  const std::lock_guard<std::mutex> lock(AllFolders().mu);
  for (State* state : AllFolders().states) {
    const std::string& folder = state->folder;
    if (path != nullptr &&
        std::strncmp(path, folder.c_str(), folder.size()) == 0)
      return state;
  }
  return nullptr;
}

int Open(sqlite3_vfs* vfs, const char* path, sqlite3_file* file, int flags,
         int* out) {
  State* state = StateOf(vfs, path);
  File* of = Of(file);
  *of = {};
  if (state == nullptr) return SQLITE_CANTOPEN;
  const std::lock_guard<std::mutex> lock(state->mu);
  if (state->off) return SQLITE_CANTOPEN;
  of->state = state;
  of->below = reinterpret_cast<sqlite3_file*>(of + 1);
  const int code = Below()->xOpen(Below(), path, of->below, flags, out);
  if (code != SQLITE_OK) return code;
  const auto [it, fresh] =
      state->files.try_emplace(path == nullptr ? "" : path);
  if (fresh) it->second.durable = ReadWholeFile(it->first);
  of->path = it->first.c_str();
  of->base.pMethods = &kMethods;
  return SQLITE_OK;
}

int Delete(sqlite3_vfs* vfs, const char* path, int sync) {
  State* state = StateOf(vfs, path);
  if (state == nullptr) return SQLITE_IOERR_DELETE;
  const std::lock_guard<std::mutex> lock(state->mu);
  if (!state->Change()) return SQLITE_IOERR_DELETE;
  const auto it = state->files.find(path);
  if (it != state->files.end()) {
    it->second.durable.clear();
    it->second.pending.clear();
  }
  return Below()->xDelete(Below(), path, sync);
}

int Access(sqlite3_vfs*, const char* path, int flags, int* out) {
  return Below()->xAccess(Below(), path, flags, out);
}

int FullPath(sqlite3_vfs*, const char* path, int size, char* out) {
  return Below()->xFullPathname(Below(), path, size, out);
}

int Randomness(sqlite3_vfs*, int size, char* out) {
  return Below()->xRandomness(Below(), size, out);
}

int Sleep(sqlite3_vfs*, int microseconds) {
  return Below()->xSleep(Below(), microseconds);
}

int CurrentTime(sqlite3_vfs*, double* out) {
  return Below()->xCurrentTime(Below(), out);
}

int LastError(sqlite3_vfs*, int size, char* out) {
  return Below()->xGetLastError(Below(), size, out);
}

// The part of a write that reaches the disk: some of its sectors.
void ApplyTorn(const Write& write, std::mt19937_64* random, std::string* to) {
  size_t from = 0;
  while (from < write.bytes.size()) {
    const size_t sector =
        (static_cast<size_t>(write.at) + from) / kSector * kSector;
    const size_t end = std::min(
        write.bytes.size(), sector + kSector - static_cast<size_t>(write.at));
    if ((*random)() % 2 == 0) {
      Apply({.at = write.at + static_cast<sqlite3_int64>(from),
             .bytes = write.bytes.substr(from, end - from),
             .truncates = false},
            to);
    }
    from = end;
  }
}

// Registers a VFS of this name; `state`: whose, or null for the folders'.
void Register(sqlite3_vfs* vfs, const char* name, State* state) {
  *vfs = *Below();
  vfs->iVersion = 1;
  vfs->szOsFile = static_cast<int>(sizeof(File)) + Below()->szOsFile;
  vfs->pNext = nullptr;
  vfs->zName = name;
  vfs->pAppData = state;
  vfs->xOpen = Open;
  vfs->xDelete = Delete;
  vfs->xAccess = Access;
  vfs->xFullPathname = FullPath;
  vfs->xRandomness = Randomness;
  vfs->xSleep = Sleep;
  vfs->xCurrentTime = CurrentTime;
  vfs->xGetLastError = LastError;
  sqlite3_vfs_register(vfs, state == nullptr ? 1 : 0);
}

}  // namespace

FaultVfs::FaultVfs() : state_(std::make_unique<State>()) {
  static std::atomic<int> made{0};
  state_->name = fmt::format("tieline-fault-{}", ++made);
  Register(&state_->vfs, state_->name.c_str(), state_.get());
}

FaultVfs::FaultVfs(const std::string& folder)
    : state_(std::make_unique<State>()) {
  state_->folder = folder + "/";
  Below();
  const std::lock_guard<std::mutex> lock(AllFolders().mu);
  if (AllFolders().states.empty()) {
    Register(&AllFolders().vfs, "tieline-fault-folders", nullptr);
  }
  AllFolders().states.push_back(state_.get());
}

FaultVfs::~FaultVfs() {
  if (state_->folder.empty()) {
    sqlite3_vfs_unregister(&state_->vfs);
    return;
  }
  const std::lock_guard<std::mutex> lock(AllFolders().mu);
  std::erase(AllFolders().states, state_.get());
  if (AllFolders().states.empty()) sqlite3_vfs_unregister(&AllFolders().vfs);
}

const std::string& FaultVfs::name() const { return state_->name; }

void FaultVfs::CutPowerAt(int64_t n) {
  const std::lock_guard<std::mutex> lock(state_->mu);
  state_->cut_at = n == 0 ? 0 : state_->changes + n;
}

bool FaultVfs::power_is_off() const {
  const std::lock_guard<std::mutex> lock(state_->mu);
  return state_->off;
}

void FaultVfs::PowerCut(uint64_t seed) {
  const std::lock_guard<std::mutex> lock(state_->mu);
  std::mt19937_64 random(seed);
  for (auto& [path, tracked] : state_->files) {
    if (tracked.pending.empty()) continue;
    // Of some cuts everything that was written came through, of some nothing.
    const uint64_t mood = random() % 4;
    for (const Write& write : tracked.pending) {
      const uint64_t fate = mood == 0 ? 0 : mood == 1 ? 1 : random() % 3;
      if (fate == 0) Apply(write, &tracked.durable);
      if (fate == 2 && !write.truncates) {
        ApplyTorn(write, &random, &tracked.durable);
      }
    }
    tracked.pending.clear();
    if (access(path.c_str(), F_OK) == 0) WriteWholeFile(path, tracked.durable);
  }
  state_->files.clear();
  state_->off = false;
  state_->cut_at = 0;
  state_->fail_write = 0;
  state_->fail_sync = 0;
  state_->fail_syncs = false;
}

void FaultVfs::FailWrite(int64_t n) {
  const std::lock_guard<std::mutex> lock(state_->mu);
  state_->fail_write = n;
}

void FaultVfs::FailSync(int64_t n) {
  const std::lock_guard<std::mutex> lock(state_->mu);
  state_->fail_sync = n;
}

void FaultVfs::FailSyncs(bool fail) {
  const std::lock_guard<std::mutex> lock(state_->mu);
  state_->fail_syncs = fail;
}

void FaultVfs::LimitSpace(const std::string& path, int64_t bytes) {
  const std::lock_guard<std::mutex> lock(state_->mu);
  state_->space_path = path;
  state_->space = bytes;
}

int64_t FaultVfs::SpaceUsed(const std::string& path) const {
  return State::SpaceOf(path);
}

std::map<std::string, std::string> FaultVfs::Durable() const {
  const std::lock_guard<std::mutex> lock(state_->mu);
  std::map<std::string, std::string> files;
  for (const auto& [path, tracked] : state_->files) {
    files[path] = tracked.durable;
  }
  return files;
}

void FaultVfs::OnSync(std::function<void()> call) {
  const std::lock_guard<std::mutex> lock(state_->mu);
  state_->on_sync = std::move(call);
}

int64_t FaultVfs::syncs() const {
  const std::lock_guard<std::mutex> lock(state_->mu);
  return state_->syncs;
}

int64_t FaultVfs::changes() const {
  const std::lock_guard<std::mutex> lock(state_->mu);
  return state_->changes;
}

}  // namespace tieline::testing
