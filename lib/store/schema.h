// The tables of a store's file, and how it is made and opened.
#ifndef TIELINE_LIB_STORE_SCHEMA_H_
#define TIELINE_LIB_STORE_SCHEMA_H_

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "lib/store/database.h"

namespace tieline::inline v0::store {

// The store's one row of `meta`.
struct Meta {
  uint64_t commits = 0;  // grows by one with every transaction
  std::string producer;  // 16 random bytes, made with the file
};

// Makes a store without contents at `path`, in the place of what is there: a
// crash leaves either that or the whole store. A producer is made if `meta` has
// none.
absl::Status MakeStore(const std::string& path, const std::string& vfs,
                       Meta meta = {});

// Opens a store's file: write-ahead log, synced at each commit, and the whole
// file locked for the time that it is open.
//   kFailedPrecondition  another program has it open
//   kDataLoss            its tables are not a store's
// and what SqliteStatus gives. Until KeepLogOnClose(false) closing it changes
// nothing.
absl::StatusOr<std::unique_ptr<Database>> OpenDatabase(const std::string& path,
                                                       const std::string& vfs);

// What SQLite's own check finds wrong: OK, or kDataLoss with the first fault.
absl::Status CheckStructure(Database* database);

absl::StatusOr<Meta> ReadMeta(Database* database);
uint32_t CheckOf(const Meta& meta);

// kDataLoss with what is wrong and what to do about it.
absl::Status Damaged(const Database& database, std::string_view what);

}  // namespace tieline::inline v0::store

#endif  // TIELINE_LIB_STORE_SCHEMA_H_
