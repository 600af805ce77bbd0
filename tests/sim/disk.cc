#include "tests/sim/disk.h"

#include <unistd.h>

#include <cerrno>
#include <system_error>

namespace tieline::sim {

std::string Disk::MemoryFolder() {
  constexpr const char* kMemory = "/dev/shm";
  return access(kMemory, W_OK) == 0 ? kMemory : "";
}

Disk::Disk()
    : folder_(parent.empty() ? MemoryFolder() : parent),
      path_(folder_.File("state")),
      vfs_(folder_.path()) {}

void Disk::Fill() { vfs_.LimitSpace(path_, vfs_.SpaceUsed(path_)); }

void Disk::Remember() {
  copy_ = vfs_.Durable();
  // The store has this one for itself.
  const std::string lock = path_ + ".lock";
  copy_[lock] = testing::ReadWholeFile(lock);
}

void Disk::BringBack() {
  Erase();
  for (const auto& [path, bytes] : copy_) {
    testing::WriteWholeFile(path, bytes);
  }
}

void Disk::Erase() {
  for (const char* suffix : {"", "-wal", "-journal", ".lock", ".reserve"}) {
    const std::string name = path_ + suffix;
    if (unlink(name.c_str()) != 0 && errno != ENOENT) {
      throw std::system_error(errno, std::generic_category(), name);
    }
  }
}

}  // namespace tieline::sim
