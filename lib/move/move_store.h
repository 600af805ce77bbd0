// MoveStore: where the records of moves are kept, and their journal.
#ifndef TIELINE_LIB_MOVE_MOVE_STORE_H_
#define TIELINE_LIB_MOVE_MOVE_STORE_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "lib/store/store.h"

namespace tieline::inline v0 {

struct SavedMove {
  uint64_t generation = 0;
  std::string digest;  // DigestOf the config that was last applied
  std::string record;  // Places::Encode
};

// Threads: any.
class MoveStore {
 public:
  // OK: it is durable. kAborted: it may be, nobody can say. Anything else:
  // certainly not.
  using Done = std::function<void(const absl::Status&)>;

  virtual ~MoveStore() = default;
  // Nothing where the queue has none.
  virtual absl::StatusOr<std::optional<SavedMove>> Load(
      std::string_view queue) = 0;
  // Each queue's, in one transaction. `done` is called once, on any thread, or
  // within the call.
  virtual void Commit(std::vector<std::pair<std::string, SavedMove>> moves,
                      Done done) = 0;
  // For people to read later; a loss is logged by whoever owns the store.
  virtual void Journal(std::string_view kind, std::string_view json) = 0;
};

// Keeps nothing: a process without a state file.
std::unique_ptr<MoveStore> MakeForgetfulStore();
// `store` outlives it, and bounds its journal to `journal_bytes`: what is older
// goes before that is reached.
std::unique_ptr<MoveStore> MakeMoveStore(Store* store, int64_t journal_bytes);

}  // namespace tieline::inline v0

#endif  // TIELINE_LIB_MOVE_MOVE_STORE_H_
