#include "lib/engine/dead_letter_copier.h"

#include <utility>

#include "lib/dead_letters.h"

namespace tieline::inline v0 {
namespace {

// How long one copy is tried before its message is tried again itself.
constexpr absl::Duration kTimeout = absl::Seconds(30);

}  // namespace

std::shared_ptr<SenderCore> DeadLetterCopier::Sender() {
  {
    MutexLock lock(&mu_);
    if (closed_ || sender_ != nullptr) return sender_;
  }
  std::shared_ptr<SenderCore> made = make_sender_();
  {
    MutexLock lock(&mu_);
    if (!closed_ && sender_ == nullptr) sender_ = made;
    if (sender_ == made) return made;
  }
  // Another thread was faster, or it was closed meanwhile.
  if (made != nullptr) made->Close(absl::ZeroDuration()).IgnoreError();
  MutexLock lock(&mu_);
  return sender_;
}

bool DeadLetterCopier::Send(const Message& message, std::string_view reason,
                            std::string_view detail, Done done) {
  const std::shared_ptr<SenderCore> sender = Sender();
  if (sender == nullptr) return false;
  Message copy = message;
  MarkCopy({std::string(reason), std::string(detail), source_, ""}, &copy);
  copy.clear(Field::kPartition);
  auto* batch = new SendBatchState(std::move(copy));
  batch->callback = [done =
                         std::move(done)](std::span<const SendResult> results) {
    done(results.front());
  };
  if (!sender->GiveUnbounded(batch, kTimeout).ok()) {
    batch->Unref();
    batch->Unref();
    return false;
  }
  return true;
}

absl::Status DeadLetterCopier::Close(absl::Duration timeout) {
  std::shared_ptr<SenderCore> sender;
  {
    MutexLock lock(&mu_);
    closed_ = true;
    sender = sender_;
  }
  return sender == nullptr ? absl::OkStatus() : sender->Close(timeout);
}

}  // namespace tieline::inline v0
