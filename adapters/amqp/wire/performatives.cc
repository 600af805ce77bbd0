#include "adapters/amqp/wire/performatives.h"

#include <cstddef>

#include "adapters/amqp/wire/cursor.h"

namespace tieline::inline v0::amqp::wire {
namespace {

enum StateCode : uint64_t {
  kReceivedCode = 0x23,
  kAcceptedCode = 0x24,
  kRejectedCode = 0x25,
  kReleasedCode = 0x26,
  kModifiedCode = 0x27,
};
constexpr uint64_t kErrorCode = 0x1d;

std::optional<uint32_t> OptionalUInt(ListReader* in) {
  if (!in->Has()) return std::nullopt;
  return in->Take()->UInt();
}

// A string or a symbol: peers mix them up.
std::string_view Text(ListReader* in) {
  if (!in->Has()) return {};
  Cursor* item = in->Take();
  int code = item->Peek();
  bool symbol = code == kCodeSymbol8 || code == kCodeSymbol32;
  return symbol ? item->Symbol() : item->String();
}

bool DecodeError(std::string_view text, DeliveryState* out) {
  Cursor cursor(text);
  if (cursor.Descriptor() != kErrorCode || !cursor.ok()) return false;
  ListReader in(&cursor);
  out->condition.name = Text(&in);
  out->condition.description = Text(&in);
  out->info = in.Skip();
  return in.ok() && cursor.ok();
}

// Writes the fields of one performative's list, in place, into room made for
// the largest: lists of numbers and short tags.
class FrameWriter {
 public:
  FrameWriter(uint16_t channel, PerformativeCode code, Writer* out)
      : out_(out), begin_(out->Room(kMaxTransferHead)), p_(begin_ + 14) {
    begin_[4] = 2;
    begin_[5] = 0;
    Store16(begin_ + 6, channel);
    PutDescriptor(begin_ + kFrameHeaderSize, static_cast<uint8_t>(code));
    PutByte(begin_ + 11, kCodeList8);
  }

  void Null() { Done(PutNull(p_)); }
  void Bool(bool v) { Done(PutBool(p_, v)); }
  void UInt(uint32_t v) { Done(PutUInt(p_, v)); }
  void UInt(const std::optional<uint32_t>& v) {
    Done(v.has_value() ? PutUInt(p_, *v) : PutNull(p_));
  }
  void Binary(std::string_view v) { Done(PutBinary(p_, v)); }
  // A described empty list.
  void State(StateCode code) {
    Done(PutByte(PutDescriptor(p_, static_cast<uint8_t>(code)), kCodeList0));
  }
  // Completes the list, and the frame for the case that nothing follows.
  void Finish() {
    PutByte(begin_ + 12, static_cast<uint8_t>(p_ - begin_ - 13));
    PutByte(begin_ + 13, count_);
    Store32(begin_, static_cast<uint32_t>(p_ - begin_));
    out_->SetEnd(p_);
  }

 private:
  void Done(char* end) {
    p_ = end;
    ++count_;
  }

  Writer* out_;
  char* begin_;
  char* p_;
  uint8_t count_ = 0;
};

void AppendSymbol(std::string_view v, Writer* out) {
  out->SetEnd(PutSymbol(out->Room(v.size() + kMaxVariableHead), v));
}

void AppendRejected(const DeliveryState& state, Writer* out) {
  out->SetEnd(PutDescriptor(out->Room(kDescriptorSize), kRejectedCode));
  size_t rejected = out->Begin();
  if (state.condition.is_set()) {
    out->SetEnd(PutDescriptor(out->Room(kDescriptorSize), kErrorCode));
    size_t error = out->Begin();
    AppendSymbol(state.condition.name, out);
    const std::string& text = state.condition.description;
    out->SetEnd(PutString(out->Room(text.size() + kMaxVariableHead), text));
    out->Append(state.info);
    out->EndList(error, state.info.empty() ? 2 : 3);
  }
  out->EndList(rejected, state.condition.is_set() ? 1 : 0);
}

void AppendModified(const DeliveryState& state, Writer* out) {
  out->SetEnd(PutDescriptor(out->Room(kDescriptorSize), kModifiedCode));
  size_t modified = out->Begin();
  char* p = PutBool(out->Room(2), state.delivery_failed);
  out->SetEnd(PutBool(p, state.undeliverable_here));
  out->Append(state.annotations);
  out->EndList(modified, state.annotations.empty() ? 2 : 3);
}

// Dispositions whose state has fields of any size.
void AppendLongDisposition(uint16_t channel, const Disposition& d,
                           Writer* out) {
  size_t begin = out->size();
  char* p = out->Room(kFrameHeaderSize + kDescriptorSize);
  p[5] = 0;
  Store16(p + 6, channel);
  out->SetEnd(PutDescriptor(p + kFrameHeaderSize, kDisposition));
  size_t list = out->Begin();
  p = out->Room(4 * kMaxFixed);
  p = PutUInt(PutBool(p, d.receiver), d.first);
  out->SetEnd(PutBool(PutUInt(p, d.last), d.settled));
  if (d.state.kind == DeliveryState::Kind::kRejected) {
    AppendRejected(d.state, out);
  } else {
    AppendModified(d.state, out);
  }
  out->EndList(list, 5);
  FinishFrame(begin, out->size() - begin, out);
}

}  // namespace

bool Decode(std::string_view text, Transfer* out) {
  Cursor cursor(text);
  ListReader in(&cursor);
  if (!in.Has()) return false;
  out->handle = in.UInt(0);
  out->delivery_id = OptionalUInt(&in);
  out->tag = in.Binary();
  out->message_format = in.UInt(0);
  if (in.Has()) out->settled = in.Bool(false);
  if (!in.SkipDefaults()) {
    out->more = in.Bool(false);
    in.Skip();  // rcv-settle-mode
    in.Skip();  // state: of resumed deliveries, which are not used
    out->resume = in.Bool(false);
    out->aborted = in.Bool(false);
    out->batchable = in.Bool(false);
  }
  if (!in.ok() || !cursor.ok()) return false;
  out->payload = {cursor.position(), cursor.left()};
  return true;
}

bool Decode(std::string_view text, Flow* out) {
  Cursor cursor(text);
  ListReader in(&cursor);
  out->next_incoming_id = OptionalUInt(&in);
  if (!in.Has()) return false;
  out->incoming_window = in.UInt(0);
  if (!in.Has()) return false;
  out->next_outgoing_id = in.UInt(0);
  if (!in.Has()) return false;
  out->outgoing_window = in.UInt(0);
  out->handle = OptionalUInt(&in);
  out->delivery_count = OptionalUInt(&in);
  out->link_credit = OptionalUInt(&in);
  in.Skip();  // available
  out->drain = in.Bool(false);
  out->echo = in.Bool(false);
  return in.ok() && cursor.ok();
}

bool Decode(std::string_view text, Disposition* out) {
  Cursor cursor(text);
  ListReader in(&cursor);
  if (!in.Has()) return false;
  out->receiver = in.Bool(false);
  if (!in.Has()) return false;
  out->first = in.UInt(0);
  out->last = in.UInt(out->first);
  out->settled = in.Bool(false);
  std::string_view state = in.Skip();
  if (!in.ok() || !cursor.ok()) return false;
  return state.empty() || DecodeState(state, &out->state);
}

bool DecodeState(std::string_view text, DeliveryState* out) {
  using Kind = DeliveryState::Kind;
  Cursor cursor(text);
  uint64_t code = cursor.Descriptor();
  if (!cursor.ok()) return false;
  switch (code) {
    case kAcceptedCode:
      out->kind = Kind::kAccepted;
      return true;
    case kReleasedCode:
      out->kind = Kind::kReleased;
      return true;
    case kReceivedCode:
      out->kind = Kind::kReceived;
      return true;
    case kRejectedCode: {
      out->kind = Kind::kRejected;
      ListReader in(&cursor);
      std::string_view error = in.Skip();
      if (!in.ok() || !cursor.ok()) return false;
      return error.empty() || DecodeError(error, out);
    }
    case kModifiedCode: {
      out->kind = Kind::kModified;
      ListReader in(&cursor);
      out->delivery_failed = in.Bool(false);
      out->undeliverable_here = in.Bool(false);
      out->annotations = in.Skip();
      return in.ok() && cursor.ok();
    }
    default:
      out->kind = Kind::kOther;
      return true;
  }
}

bool Decode(std::string_view text, BeginFields* out) {
  Cursor cursor(text);
  ListReader in(&cursor);
  if (in.Has()) out->remote_channel = in.UShort(0);
  if (!in.Has()) return false;
  out->next_outgoing_id = in.UInt(0);
  if (!in.Has()) return false;
  out->incoming_window = in.UInt(0);
  return in.ok() && cursor.ok();
}

bool Decode(std::string_view text, AttachFields* out) {
  Cursor cursor(text);
  ListReader in(&cursor);
  out->name = Text(&in);
  if (!in.Has()) return false;
  out->handle = in.UInt(0);
  if (!in.Has()) return false;
  out->receiver = in.Bool(false);
  for (int i = 0; i < 6; ++i) in.Skip();  // modes, termini, unsettled, flag
  out->initial_delivery_count = in.UInt(0);
  return in.ok() && cursor.ok();
}

void AppendFrame(uint16_t channel, const Flow& flow, Writer* out) {
  FrameWriter w(channel, kFlow, out);
  w.UInt(flow.next_incoming_id);
  w.UInt(flow.incoming_window);
  w.UInt(flow.next_outgoing_id);
  w.UInt(flow.outgoing_window);
  if (flow.handle.has_value()) {
    w.UInt(flow.handle);
    w.UInt(flow.delivery_count);
    w.UInt(flow.link_credit);
    w.Null();
    w.Bool(flow.drain);
    if (flow.echo) w.Bool(true);
  } else if (flow.echo) {
    for (int i = 0; i < 5; ++i) w.Null();
    w.Bool(true);
  }
  w.Finish();
}

void AppendFrame(uint16_t channel, const Disposition& d, Writer* out) {
  using Kind = DeliveryState::Kind;
  if (d.state.kind == Kind::kRejected || d.state.kind == Kind::kModified) {
    AppendLongDisposition(channel, d, out);
    return;
  }
  FrameWriter w(channel, kDisposition, out);
  w.Bool(d.receiver);
  w.UInt(d.first);
  w.UInt(d.last);
  w.Bool(d.settled);
  if (d.state.kind == Kind::kAccepted) w.State(kAcceptedCode);
  if (d.state.kind == Kind::kReleased) w.State(kReleasedCode);
  w.Finish();
}

size_t BeginTransferFrame(uint16_t channel, const Transfer& t, Writer* out) {
  size_t begin = out->size();
  FrameWriter w(channel, kTransfer, out);
  w.UInt(t.handle);
  if (t.delivery_id.has_value()) {
    w.UInt(*t.delivery_id);
    w.Binary(t.tag.substr(0, 32));
    w.UInt(t.message_format);
  } else {
    w.Null();
    w.Null();
    w.Null();
  }
  if (t.settled.has_value()) {
    w.Bool(*t.settled);
  } else {
    w.Null();
  }
  w.Bool(t.more);
  if (t.aborted) {
    w.Null();
    w.Null();
    w.Bool(false);
    w.Bool(true);
  } else if (t.batchable) {
    w.Null();
    w.Null();
    w.Bool(false);
    w.Bool(false);
    w.Bool(true);
  }
  w.Finish();
  return begin;
}

void FinishFrame(size_t begin, size_t frame_size, Writer* out) {
  char* frame = out->data() + begin;
  Store32(frame, static_cast<uint32_t>(frame_size));
  frame[4] = 2;
}

void AppendEmptyFrame(Writer* out) {
  out->Append(std::string_view("\x00\x00\x00\x08\x02\x00\x00\x00", 8));
}

}  // namespace tieline::inline v0::amqp::wire
