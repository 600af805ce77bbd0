// Link: one direction of messages between us and the peer, as sender or as
// receiver, with its credit (AMQP 1.0 section 2.6).
//
// Made by Engine::Attach, or by the peer (EngineHandler::OnAttach). It belongs
// to the engine; its user gives it back with Release.
// Threads: those of the engine.
#ifndef TIELINE_ADAPTERS_AMQP_ENGINE_LINK_H_
#define TIELINE_ADAPTERS_AMQP_ENGINE_LINK_H_

#include <proton/types.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/time/time.h"
#include "adapters/amqp/engine/handlers.h"
#include "adapters/amqp/engine/session.h"
#include "adapters/amqp/engine/settling.h"
#include "adapters/amqp/wire/performatives.h"
#include "adapters/amqp/wire/writer.h"
#include "tieline/bytes.h"

namespace tieline::inline v0::amqp::wire {

class Link {
 public:
  Link(Session* session, pn_link_t* link, LinkHandler* handler);
  Link(const Link&) = delete;
  Link& operator=(const Link&) = delete;
  ~Link();

  bool is_sender() const { return is_sender_; }
  // Both sides have attached, and neither has detached.
  bool attached() const { return attached_ && !closing_; }
  // For termini, properties and modes; never for transfers or credit.
  pn_link_t* proton() const { return link_; }
  // The peer's limit for one message; 0: none was said.
  uint64_t remote_max_message_size() const;
  // The peer may count its credit late: between two grants it may send as many
  // deliveries beyond it as the first grant allowed.
  void set_overdraft(bool on) { overdraft_ = on; }
  void set_handler(LinkHandler* handler) { handler_ = handler; }
  LinkHandler* handler() const { return handler_; }
  // Messages larger than this detach the link (message-size-exceeded).
  void set_max_message_bytes(uint64_t n) { max_message_bytes_ = n; }

  // In OnAttach: attaches our side, mirroring the peer's termini, or refuses.
  void Accept();
  void Refuse(const Condition& why);
  // Detaches, with an error if there is one; OnDetached follows once the peer
  // has answered. What was settled or sent before goes out first.
  void Detach(const Condition& why = {});
  // Gives the link back: detaches it if need be and calls its handler no more.
  // It is gone once the peer has answered.
  void Release(const Condition& why = {});

  // ---- Senders
  uint32_t credit() const { return credit_; }
  // True when a whole delivery may be begun now.
  bool CanSend() const {
    return credit_ > 0 && !sending_ && attached() && session_->CanTransfer();
  }
  // A delivery is begun, its payload's first part appended to what Begin
  // returns, and ended with the rest, or cancelled. Needs CanSend(). An empty
  // tag stands for the delivery id. The cookie comes back with OnOutcome,
  // which follows unless it is sent settled.
  Writer* Begin(uint64_t cookie, bool settled, uint32_t message_format,
                std::string_view tag = {});
  void End(const Bytes& rest);
  void Cancel();
  // Bytes of payload appended since Begin.
  size_t begun_size() const { return frame_->size() - payload_begin_; }

  // ---- Receivers
  // More messages that may come; sent with the turn's flush.
  void AddCredit(uint32_t messages);
  // Credit that the peer has, and that it will be given at the next flush.
  uint32_t granted() const { return credit_ + more_credit_; }
  // Asks for what credit there is, now; OnDrained follows.
  void Drain();
  // Settles for good, or (`settled` false) provisionally: OnSettled follows
  // once the peer has settled. False when there is no such unsettled delivery.
  // The cookie comes back with OnSettled and TakeUnsettled; not 0.
  bool Settle(uint32_t id, const DeliveryState& state, bool settled,
              uint64_t cookie = 1);

  // What was sent and not answered, or received and not settled, when the link
  // or the connection is over; forgets it.
  struct Unsettled {
    uint64_t cookie = 0;  // 0: received, and Settle was not called
    uint32_t id = 0;
    bool may_have_left = false;  // a byte of it was written
  };
  std::vector<Unsettled> TakeUnsettled();

  // ---- For session and engine
  void OnAttached(uint32_t remote_handle, uint32_t initial_delivery_count);
  bool OnTransfer(const Transfer& transfer);
  bool OnFlow(const Flow& flow);
  // The window has room again: goes on with a delivery that had stopped.
  void OnWindow();
  void OnRemoteDetach(const Condition& why);
  void SetLocalHandle(uint32_t handle);
  // What is due at `now` goes to the output; all of it, unless told.
  void Flush(absl::Time now = absl::InfiniteFuture());

 private:
  friend class Session;
  friend class Engine;

  // ---- Senders
  Transfer Head() const;
  void SendWhole(size_t frame, size_t size, const Bytes& rest);
  void SendChunks();
  void Sent();
  void AnswerDrain();
  // ---- Receivers
  bool BeginIncoming(const Transfer& transfer);
  void EndIncoming(const Transfer& transfer);
  void FlushCredit();
  // Detaches with an error and drops what comes later.
  void Fail(const char* name, std::string_view description);
  void MarkDirty();

  Session* const session_;
  pn_link_t* const link_;
  LinkHandler* handler_;
  const bool is_sender_;
  bool has_local_handle_ = false;
  bool has_remote_handle_ = false;
  bool attached_ = false;       // by both
  bool closing_ = false;        // detached by us
  bool remote_closed_ = false;  // detached by the peer
  bool dirty_ = false;
  uint32_t local_handle_ = 0;
  uint32_t remote_handle_ = 0;
  uint32_t delivery_count_ = 0;
  uint32_t credit_ = 0;
  uint64_t max_message_bytes_ = uint64_t{256} << 20;

  // The delivery being sent, or received in several transfers.
  struct Current {
    uint64_t cookie = 0;
    uint32_t id = 0;
    uint32_t message_format = 0;
    bool settled = false;
    bool begun = false;  // its first transfer is written
    char tag[32] = {};
    uint8_t tag_size = 0;
    std::string_view tag_view() const { return {tag, tag_size}; }
  };
  Current current_;
  // ---- Senders
  bool sending_ = false;  // chunks of current_ wait for the window
  bool drain_asked_ = false;
  size_t frame_begin_ = 0;
  size_t payload_begin_ = 0;
  Writer* frame_ = nullptr;
  Bytes chunk_head_;
  Bytes chunk_rest_;
  // ---- Receivers
  bool receiving_ = false;
  bool draining_ = false;
  bool flow_due_ = false;
  uint32_t more_credit_ = 0;
  bool overdraft_ = false;
  uint32_t overdraft_left_ = 0;
  std::string assembly_;
  Settling settling_;
};

}  // namespace tieline::inline v0::amqp::wire

#endif  // TIELINE_ADAPTERS_AMQP_ENGINE_LINK_H_
