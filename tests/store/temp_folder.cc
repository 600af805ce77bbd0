#include "tests/store/temp_folder.h"

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <system_error>

namespace tieline::testing {

TempFolder::TempFolder(const std::string& parent) {
  path_ =
      parent.empty() ? std::filesystem::temp_directory_path().string() : parent;
  path_ += "/tieline-store-XXXXXX";
  if (mkdtemp(path_.data()) == nullptr) {
    throw std::system_error(errno, std::generic_category(), path_);
  }
}

TempFolder::~TempFolder() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

std::string TempFolder::File(std::string_view name) const {
  return path_ + "/" + std::string(name);
}

StoreOptions SmallStore(const std::string& path) {
  StoreOptions options;
  options.path = path;
  options.spool_bytes = 1 << 20;
  options.commit_bytes = 64 << 10;
  options.segment_bytes = 4 << 10;
  options.waiting_bytes = 1 << 20;
  options.drive = StoreDrive::kCaller;
  return options;
}

std::string ReadWholeFile(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

void WriteWholeFile(const std::string& path, std::string_view bytes) {
  std::ofstream file(path, std::ios::binary | std::ios::trunc);
  file << bytes;
}

}  // namespace tieline::testing
