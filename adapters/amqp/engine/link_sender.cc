// The sending half of Link.
#include <algorithm>
#include <cstring>

#include "adapters/amqp/engine/engine.h"
#include "adapters/amqp/engine/link.h"

namespace tieline::inline v0::amqp::wire {
namespace {

// Slices shorter than this are copied behind the frame's head: cheaper than a
// piece of their own.
constexpr size_t kCopyLimit = 1024;

}  // namespace

Transfer Link::Head() const {
  Transfer head;
  head.handle = local_handle_;
  if (!current_.begun) {
    head.delivery_id = current_.id;
    head.tag = current_.tag_view();
    head.message_format = current_.message_format;
    if (current_.settled) head.settled = true;
  }
  return head;
}

Writer* Link::Begin(uint64_t cookie, bool settled, uint32_t message_format,
                    std::string_view tag) {
  current_.cookie = cookie;
  current_.id = session_->outgoing()->next();
  current_.message_format = message_format;
  current_.settled = settled;
  current_.begun = false;
  if (tag.empty()) {
    Store32(current_.tag, current_.id);
    current_.tag_size = 4;
  } else {
    current_.tag_size =
        static_cast<uint8_t>(std::min(tag.size(), sizeof(current_.tag)));
    std::memcpy(current_.tag, tag.data(), current_.tag_size);
  }
  frame_ = session_->engine()->output()->tail();
  frame_begin_ = BeginTransferFrame(session_->channel(), Head(), frame_);
  payload_begin_ = frame_->size();
  return frame_;
}

void Link::Cancel() { frame_->Truncate(frame_begin_); }

void Link::End(const Bytes& rest) {
  Output* output = session_->engine()->output();
  size_t text = frame_->size() - frame_begin_;
  uint64_t position = output->appended() - text;
  if (current_.settled) {
    session_->outgoing()->Skip();
  } else {
    session_->outgoing()->Add(this, current_.cookie, position);
  }
  ++delivery_count_;
  --credit_;
  if (text + rest.size() <= session_->engine()->remote_max_frame()) {
    FinishFrame(frame_begin_, text + rest.size(), frame_);
    output->Append(rest);
    session_->TakeTransfer();
    return;
  }
  chunk_head_ = Bytes::Copy(
      {frame_->data() + payload_begin_, frame_->size() - payload_begin_});
  chunk_rest_ = rest;
  frame_->Truncate(frame_begin_);
  sending_ = true;
  SendChunks();
}

void Link::SendChunks() {
  Output* output = session_->engine()->output();
  const size_t most = session_->engine()->remote_max_frame() - kMaxTransferHead;
  while (sending_ && session_->CanTransfer()) {
    size_t left = chunk_head_.size() + chunk_rest_.size();
    size_t size = std::min(left, most);
    Transfer head = Head();
    head.more = size < left;
    Writer* out = output->tail();
    size_t begin = BeginTransferFrame(session_->channel(), head, out);
    current_.begun = true;
    FinishFrame(begin, out->size() - begin + size, out);
    size_t from_head = std::min(size, chunk_head_.size());
    out->Append(chunk_head_.view().substr(0, from_head));
    chunk_head_ = chunk_head_.Slice(from_head);
    size_t from_rest = size - from_head;
    if (from_rest < kCopyLimit) {
      out->Append(chunk_rest_.view().substr(0, from_rest));
    } else {
      output->Append(chunk_rest_.Slice(0, from_rest));
    }
    chunk_rest_ = chunk_rest_.Slice(from_rest);
    session_->TakeTransfer();
    sending_ = head.more;
  }
  if (!sending_) chunk_head_ = chunk_rest_ = Bytes();
}

void Link::AnswerDrain() {
  drain_asked_ = false;
  if (!attached()) return;
  delivery_count_ += credit_;
  credit_ = 0;
  session_->SendFlow(this, true, false);
}

}  // namespace tieline::inline v0::amqp::wire
