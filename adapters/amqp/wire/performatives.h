// The performatives of the hot path, transfer, flow and disposition (AMQP 1.0
// sections 2.7.4 to 2.7.6), and what the frame layer must know of begin and
// attach, which Proton makes and takes (2.7.2, 2.7.3).
//
// Decoding checks form and bounds: false means that the bytes are malformed or
// that a mandatory field is missing. Views point into the input. Fields that
// are missing keep the defaults below, which are the specification's.
#ifndef TIELINE_ADAPTERS_AMQP_WIRE_PERFORMATIVES_H_
#define TIELINE_ADAPTERS_AMQP_WIRE_PERFORMATIVES_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "adapters/amqp/wire/condition.h"
#include "adapters/amqp/wire/writer.h"

namespace tieline::inline v0::amqp::wire {

enum PerformativeCode : uint64_t {
  kOpen = 0x10,
  kBegin = 0x11,
  kAttach = 0x12,
  kFlow = 0x13,
  kTransfer = 0x14,
  kDisposition = 0x15,
  kDetach = 0x16,
  kEnd = 0x17,
  kClose = 0x18,
};

inline constexpr size_t kFrameHeaderSize = 8;
// The least that a peer may ask for (section 2.4.1).
inline constexpr uint32_t kMinMaxFrame = 512;

struct Transfer {
  uint32_t handle = 0;
  std::optional<uint32_t> delivery_id;
  std::string_view tag;  // up to 32 bytes (section 2.8.7)
  uint32_t message_format = 0;
  std::optional<bool> settled;
  bool more = false;
  bool resume = false;
  bool aborted = false;
  bool batchable = false;
  std::string_view payload;
};

struct Flow {
  std::optional<uint32_t> next_incoming_id;
  uint32_t incoming_window = 0;
  uint32_t next_outgoing_id = 0;
  uint32_t outgoing_window = 0;
  std::optional<uint32_t> handle;
  std::optional<uint32_t> delivery_count;
  std::optional<uint32_t> link_credit;
  bool drain = false;
  bool echo = false;
};

// What became of a delivery (section 3.4).
struct DeliveryState {
  enum class Kind : uint8_t {
    kNone,
    kReceived,
    kAccepted,
    kRejected,
    kReleased,
    kModified,
    kOther,
  };
  Kind kind = Kind::kNone;
  bool delivery_failed = false;     // of kModified
  bool undeliverable_here = false;  // of kModified
  Condition condition;              // of kRejected
  // Encoded maps, constructor included, or empty: the condition's info, the
  // annotations of kModified. Views into the input while decoding.
  std::string_view info;
  std::string_view annotations;

  bool is_outcome() const {
    return kind != Kind::kNone && kind != Kind::kReceived;
  }
};

struct Disposition {
  bool receiver = false;  // role: true when the sender of this is a receiver
  uint32_t first = 0;
  uint32_t last = 0;
  bool settled = false;
  DeliveryState state;
};

struct BeginFields {
  std::optional<uint32_t> remote_channel;
  uint32_t next_outgoing_id = 0;
  uint32_t incoming_window = 0;
};

struct AttachFields {
  std::string_view name;
  uint32_t handle = 0;
  bool receiver = false;
  uint32_t initial_delivery_count = 0;
};

// `text` begins at the performative's list, behind its descriptor; a transfer's
// payload is what follows the list.
bool Decode(std::string_view text, Transfer* out);
bool Decode(std::string_view text, Flow* out);
bool Decode(std::string_view text, Disposition* out);
bool Decode(std::string_view text, BeginFields* out);
bool Decode(std::string_view text, AttachFields* out);
// A described state as it stands in a disposition.
bool DecodeState(std::string_view text, DeliveryState* out);

// Whole frames, appended to `out`.
void AppendFrame(uint16_t channel, const Flow& flow, Writer* out);
void AppendFrame(uint16_t channel, const Disposition& disposition, Writer* out);
// A transfer frame's header and performative, without its payload. Returns
// where the frame begins; FinishFrame then sets its size. With delivery_id and
// tag absent it is a continuation.
size_t BeginTransferFrame(uint16_t channel, const Transfer& transfer,
                          Writer* out);
inline constexpr size_t kMaxTransferHead = 96;  // with a tag of 32 bytes
void FinishFrame(size_t begin, size_t frame_size, Writer* out);
void AppendEmptyFrame(Writer* out);  // a heartbeat

}  // namespace tieline::inline v0::amqp::wire

#endif  // TIELINE_ADAPTERS_AMQP_WIRE_PERFORMATIVES_H_
