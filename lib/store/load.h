// LoadStore: opens a store's file and checks all of it.
#ifndef TIELINE_LIB_STORE_LOAD_H_
#define TIELINE_LIB_STORE_LOAD_H_

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "lib/store/index.h"
#include "lib/store/tables.h"

namespace tieline::inline v0::store {

// Fills `*index`. Checked are SQLite's structures, the checksum of every row,
// that rows follow each other, and that none of the `mark` commits that were
// acknowledged is missing. kDataLoss says what is wrong.
absl::StatusOr<std::unique_ptr<Tables>> LoadStore(const std::string& path,
                                                  const std::string& vfs,
                                                  uint64_t mark, Index* index);

}  // namespace tieline::inline v0::store

#endif  // TIELINE_LIB_STORE_LOAD_H_
