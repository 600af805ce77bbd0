// TempFolder and what tests of the store do again and again.
#ifndef TIELINE_TESTS_STORE_TEMP_STORE_H_
#define TIELINE_TESTS_STORE_TEMP_STORE_H_

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "lib/store/store.h"

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

// Opens a store that has to open.
std::unique_ptr<Store> OpenStore(StoreOptions options);

// A queue that has to be there or to be added.
QueueId QueueOf(Store* store, std::string_view name);

// Appends one entry and commits it.
absl::Status AppendOne(Store* store, QueueId queue, std::string_view bytes);

// The bytes of all entries of a queue, in their order.
std::vector<std::string> Drain(Store* store, QueueId queue);

std::string ReadWholeFile(const std::string& path);
void WriteWholeFile(const std::string& path, std::string_view bytes);

}  // namespace tieline::testing

#endif  // TIELINE_TESTS_STORE_TEMP_STORE_H_
