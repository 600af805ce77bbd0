// Engine: one AMQP 1.0 connection's protocol, without socket, thread or clock.
//
// Split by performative. Proton's engine makes and takes what is rare: SASL,
// open, begin, attach, detach, end, close. This layer makes and takes transfer,
// flow and disposition, on the same bytes, and with them session windows, link
// credit, delivery ids, drain, settlement, and the idle time-out (Proton does
// not see most frames). It serves clients and servers alike.
//
// Every byte from the peer is untrusted. A fault closes the connection with an
// error (amqp:connection:framing-error, amqp:session:window-violation, ...), or
// the link alone where the fault is the link's. Memory is bounded by the
// options and by the credit that was granted.
//
// A turn: read into InputRoom, Consume, act, Flush, write output(). Threads:
// one at a time.
#ifndef TIELINE_ADAPTERS_AMQP_ENGINE_ENGINE_H_
#define TIELINE_ADAPTERS_AMQP_ENGINE_ENGINE_H_

#include <proton/connection_driver.h>

#include <algorithm>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/time/time.h"
#include "adapters/amqp/engine/handlers.h"
#include "adapters/amqp/engine/link.h"
#include "adapters/amqp/engine/session.h"
#include "adapters/amqp/wire/input.h"
#include "adapters/amqp/wire/output.h"
#include "tieline/secret.h"

namespace tieline::inline v0::amqp::wire {

struct EngineOptions {
  bool server = false;
  std::string container_id;
  std::string hostname;  // clients: the virtual host asked for
  uint32_t max_frame = 64 << 10;
  // Transfers that each session lets the peer send ahead.
  uint32_t incoming_window = 2048;
  // The connection is given up after so long without a frame; the peer is asked
  // for one twice as often. Zero: never.
  absl::Duration idle_timeout = absl::ZeroDuration();
  uint16_t channel_max = 32767;
  uint32_t max_links = 65536;  // of the connection
  // Clients: none when empty, else the mechanisms allowed, by name ("PLAIN").
  std::string sasl_mechanisms;
  std::string user;
  Secret password;
};

struct LinkSpec {
  bool sender = false;
  std::string name;     // unique for the connection and direction
  std::string address;  // of the peer's node; empty with `dynamic`
  bool dynamic = false;
  bool durable = false;  // the node's terminus: unsettled state
  bool browse = false;   // receivers: distribution-mode copy
  std::vector<std::string> capabilities;  // of the peer's node
  bool confirm = false;                   // receivers: settle second (2.8.3)
  uint64_t max_message_bytes = 0;
  bool overdraft = false;  // receivers: Link::set_overdraft
};

class Engine {
 public:
  Engine(EngineOptions options, EngineHandler* handler);
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;
  ~Engine();

  // ---- Bytes
  std::span<char> InputRoom() { return input_.Room(); }
  // Takes `n` bytes that were read.
  void Consume(size_t n);
  // The peer will send no more.
  void CloseInput();
  // Ends a turn: what is due at `now` goes to the output; all of it, unless
  // told. Tick says when the rest is.
  void Flush(absl::Time now = absl::InfiniteFuture());
  Output* output() { return &output_; }
  const Output* output() const { return &output_; }
  // Nothing more is to be read or written: hang up once the output is empty.
  bool finished() const { return closed_; }
  // Notes the time (steady), gives up a silent peer, and keeps ours from
  // giving us up. Returns when to call again.
  absl::Time Tick(absl::Time now);

  // ---- Connection
  bool opened() const { return opened_; }
  // The peer's Open: its container id, and text properties of it.
  std::string remote_container() const;
  std::string remote_property(std::string_view name) const;
  uint32_t remote_max_frame() const { return remote_max_frame_; }
  // Attaches a link in a session of its own. Once opened(), and until closed.
  Link* Attach(const LinkSpec& spec, LinkHandler* handler);
  // Asks for a sign of life, by a session that begins and ends; OnPong follows.
  // Once opened(), and until closed.
  void Ping();
  // Closes the connection, with an error if there is one; OnClosed follows.
  void Close(const Condition& why = {});

  // ---- For session and link
  // Closes the connection for a fault of the peer. Returns false.
  bool Fail(const char* name, std::string_view description);
  Bytes Slice(std::string_view part) const { return input_.Slice(part); }
  const EngineOptions& options() const { return options_; }
  void AddDirty(Link* link) { dirty_links_.push_back(link); }
  // In its flush: a dirty link holds something back until `due`, and is asked
  // again with each turn.
  void FlushAgain(Link* link, absl::Time due) {
    held_links_.push_back(link);
    held_until_ = std::min(held_until_, due);
  }
  void AddDirty(Session* session) { dirty_sessions_.push_back(session); }
  void OpenLink(Link* link);
  void CloseLink(Link* link, const Condition& why);
  void SweepSoon() { sweep_ = true; }

 private:
  void OnFrame(std::string_view frame);
  bool OnHotFrame(uint64_t code, uint16_t channel, std::string_view text);
  // Whether a frame for Proton fits the state that the connection is in: not
  // all that is out of place does Proton notice. False when Proton is not to
  // see it, mostly after Fail.
  bool CheckRareFrame(uint64_t code, uint16_t channel, std::string_view text);
  bool CheckBegin(uint16_t channel, std::string_view text);
  bool CheckAttach(const Session& session, std::string_view text);
  void ToProton(std::string_view bytes);
  // Ends the connection when the peer has refused the credentials.
  void CheckSasl();
  // Takes Proton's frames into the output.
  void Pull();
  void OnProtonFrame(std::string_view frame);
  void DrainEvents();
  void OnEvent(pn_event_t* event);
  void OnRemoteOpen();
  void OnSessionOpen(pn_session_t* session);
  void OnSessionEnd(pn_session_t* session);
  void OnLinkOpen(pn_link_t* link);
  void OnLinkDetach(pn_link_t* link);
  void Lost(const Condition& why);
  Session* AddSession(pn_session_t* session, bool own);
  // A session of ours; begun now, or once the peer has confirmed the ends that
  // it owes us, so that no channel is begun again before it was ended.
  Session* BeginSession();
  void StartSession(Session* session);
  void StartWaiting();
  void EndSession(Session* session);
  // RabbitMQ loses an End now and then: after a while it is taken as said.
  void GiveUpEnds();
  // Frees what both sides are done with.
  void Sweep();
  Session* FindSession(uint16_t remote_channel) const {
    return remote_channel < by_channel_.size() ? by_channel_[remote_channel]
                                               : nullptr;
  }

  const EngineOptions options_;
  EngineHandler* const handler_;
  pn_connection_driver_t driver_ = {};
  Input input_;
  Output output_;
  std::string proton_out_;  // less than a frame, usually
  std::vector<std::unique_ptr<Session>> sessions_;
  std::vector<Session*> by_channel_;  // by the peer's channel
  std::vector<Link*> dirty_links_;
  std::vector<Link*> held_links_;
  absl::Time held_until_ = absl::InfiniteFuture();
  std::vector<Session*> dirty_sessions_;
  size_t ends_owed_ = 0;  // sessions that we ended and the peer has not yet
  absl::Time ends_due_ = absl::InfiniteFuture();
  std::vector<Session*> waiting_;   // to begin after that
  std::vector<uint16_t> given_up_;  // channels whose End may come all the same
  Session* opening_session_ = nullptr;
  Link* opening_link_ = nullptr;
  std::string_view frame_;  // the one being handled
  size_t links_ = 0;
  uint32_t remote_max_frame_ = kMinMaxFrame;
  bool opened_ = false;
  bool failed_ = false;
  bool closed_ = false;
  bool lost_ = false;  // OnClosed was called
  bool sweep_ = false;
  bool heard_ = false;    // bytes came since the last Tick
  bool written_ = false;  // bytes went since the last Tick
  uint64_t written_bytes_ = 0;
  absl::Time heard_at_ = absl::InfinitePast();
  absl::Time written_at_ = absl::InfinitePast();
  Condition local_error_;
};

}  // namespace tieline::inline v0::amqp::wire

#endif  // TIELINE_ADAPTERS_AMQP_ENGINE_ENGINE_H_
