// Inboxes: those of a bus's queues.
//
// Threads: Open first; then any.
#ifndef TIELINE_LIB_ENGINE_INBOXES_H_
#define TIELINE_LIB_ENGINE_INBOXES_H_

#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>

#include "absl/status/status.h"
#include "lib/base/mutex.h"
#include "lib/engine/inbox.h"
#include "tieline/config.h"

namespace tieline::inline v0 {

class Inboxes {
 public:
  // How many ids the store has to have room for: while queues move, none is
  // taken out.
  static int64_t IdsOf(const Config& config);

  // One for each queue of the config whose second copies are suppressed. The
  // store outlives Close.
  absl::Status Open(Store* store, const Config& config, Clock* clock);
  // Null where second copies are delivered.
  std::shared_ptr<Inbox> Find(const std::string& queue) const;
  // Ids are kept while the queue moves.
  void SetMoving(const std::string& queue, bool moves);
  // Second copies so far.
  uint64_t SuppressedOf(const std::string& queue) const;
  void Close();

 private:
  std::map<std::string, std::shared_ptr<Inbox>> inboxes_;
  Mutex mu_;
  std::set<std::string> moving_ ABSL_GUARDED_BY(mu_);
};

}  // namespace tieline::inline v0

#endif  // TIELINE_LIB_ENGINE_INBOXES_H_
