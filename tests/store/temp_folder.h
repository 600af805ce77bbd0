// TempFolder, and what else the store's tests and programs do with files.
#ifndef TIELINE_TESTS_STORE_TEMP_FOLDER_H_
#define TIELINE_TESTS_STORE_TEMP_FOLDER_H_

#include <string>
#include <string_view>

#include "lib/store/store_options.h"

namespace tieline::testing {

// A folder that goes with its owner.
class TempFolder {
 public:
  // Below `parent`; empty: where temporary files are.
  explicit TempFolder(const std::string& parent = "");
  ~TempFolder();
  TempFolder(const TempFolder&) = delete;
  TempFolder& operator=(const TempFolder&) = delete;

  const std::string& path() const { return path_; }
  std::string File(std::string_view name) const;

 private:
  std::string path_;
};

// Options for a small store that the test drives.
StoreOptions SmallStore(const std::string& path);

std::string ReadWholeFile(const std::string& path);
void WriteWholeFile(const std::string& path, std::string_view bytes);

}  // namespace tieline::testing

#endif  // TIELINE_TESTS_STORE_TEMP_FOLDER_H_
