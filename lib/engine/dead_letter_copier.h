// DeadLetterCopier: dead-letters where the broker does not: sends a copy, with
// its reason, to the dead-letter entity.
//
// Threads: any.
#ifndef TIELINE_LIB_ENGINE_DEAD_LETTER_COPIER_H_
#define TIELINE_LIB_ENGINE_DEAD_LETTER_COPIER_H_

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "lib/base/mutex.h"
#include "lib/engine/sender_core.h"

namespace tieline::inline v0 {

class DeadLetterCopier {
 public:
  // Null when the bus is closed.
  using MakeSender = std::function<std::shared_ptr<SenderCore>()>;
  using Done = std::function<void(const SendResult&)>;

  // `source` is the entity that the messages come from.
  DeadLetterCopier(MakeSender make_sender, std::string source)
      : make_sender_(std::move(make_sender)), source_(std::move(source)) {}

  // `done` is called with the copy's result, on the runner's thread or the
  // executor. False, and no call, when this or the bus is closed.
  bool Send(const Message& message, std::string_view reason,
            std::string_view detail, Done done);
  // As Sender::Close.
  absl::Status Close(absl::Duration timeout);

 private:
  std::shared_ptr<SenderCore> Sender();

  const MakeSender make_sender_;
  const std::string source_;
  Mutex mu_;
  std::shared_ptr<SenderCore> sender_ ABSL_GUARDED_BY(mu_);
  bool closed_ ABSL_GUARDED_BY(mu_) = false;
};

}  // namespace tieline::inline v0

#endif  // TIELINE_LIB_ENGINE_DEAD_LETTER_COPIER_H_
