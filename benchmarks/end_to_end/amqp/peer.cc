// The other end for the clients, on our frame layer in the server's role: takes
// and accepts what is sent to it, or sends and counts what is settled. Listens
// at the port of --url, serves one connection, and ends.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <optional>
#include <string>

#include "adapters/amqp/engine/engine.h"
#include "adapters/amqp/wire/message_codec.h"
#include "benchmarks/end_to_end/amqp/content.h"
#include "benchmarks/end_to_end/bench.h"
#include "tieline/url.h"

namespace {

using namespace tieline;
namespace wire = tieline::amqp::wire;

int Accept(int port) {
  const int listener = socket(AF_INET, SOCK_STREAM, 0);
  const int one = 1;
  setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (bind(listener, reinterpret_cast<sockaddr*>(&address), sizeof(address)) !=
          0 ||
      listen(listener, 1) != 0) {
    std::perror("bench_amqp_peer: listen");
    std::exit(1);
  }
  const int fd = accept(listener, nullptr, nullptr);
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
  close(listener);
  return fd;
}

class Peer final : public wire::EngineHandler, public wire::LinkHandler {
 public:
  explicit Peer(const bench::Flags& flags)
      : flags_(flags),
        body_(bench::FirstBody(flags.size)),
        engine_(Options(), this) {}

  void OnOpened() override {}
  void OnAttach(wire::Link* link) override {
    link->set_handler(this);
    link->Accept();
    watch_.emplace();
    if (!link->is_sender()) {
      link->AddCredit(static_cast<uint32_t>(flags_.credit));
    } else {
      sender_ = link;
    }
  }
  void OnClosed(const wire::Condition&) override { closed_ = true; }
  void OnAttached(wire::Link*) override {}
  void OnDetached(wire::Link* link, const wire::Condition&) override {
    if (link == sender_) sender_ = nullptr;
    link->Release();
  }
  void OnSendable(wire::Link*) override {}
  void OnOutcome(wire::Link*, uint64_t, const wire::DeliveryState&) override {
    ++done_;
  }
  void OnDelivery(wire::Link* link, wire::Delivery delivery) override {
    absl::StatusOr<Message> message =
        wire::DecodeMessage(std::move(delivery.payload), nullptr);
    if (!message.ok()) std::exit(1);
    bench::CheckBody(done_++, message->body_view(), flags_.size);
    if (flags_.headers > 0) {
      const Properties& all = message->properties();
      const Value* tenant = all.Find("tenant");
      const Value* seq = all.Find("seq");
      bench::CheckProperties(tenant && seq &&
                             tenant->AsString() == bench::kTenant &&
                             seq->AsInt64().has_value());
    }
    wire::DeliveryState accepted;
    accepted.kind = wire::DeliveryState::Kind::kAccepted;
    link->Settle(delivery.id, accepted, true);
    link->AddCredit(1);
  }
  void OnSettled(wire::Link*, uint32_t, uint64_t,
                 const wire::DeliveryState&) override {}
  void OnDrained(wire::Link*) override {}

  int Serve(int fd) {
    while (!closed_) {
      std::span<char> room = engine_.InputRoom();
      const ssize_t n = recv(fd, room.data(), room.size(), MSG_DONTWAIT);
      if (n > 0) engine_.Consume(static_cast<size_t>(n));
      if (n == 0) engine_.CloseInput();
      if (sender_ != nullptr) SendAll();
      engine_.Flush();
      const bool written = Write(fd);
      if (n > 0 || closed_) continue;
      pollfd ready{fd, static_cast<short>(POLLIN | (written ? 0 : POLLOUT)), 0};
      poll(&ready, 1, -1);
    }
    if (!watch_.has_value()) return 1;
    return bench::Report("tieline-peer", flags_, done_, flags_.count - done_,
                         *watch_);
  }

 private:
  static wire::EngineOptions Options() {
    wire::EngineOptions options;
    options.server = true;
    options.container_id = "peer";
    return options;
  }

  void SendAll() {
    while (sent_ < flags_.count && sender_->CanSend() &&
           engine_.output()->size() < (256 << 10)) {
      bench::NumberBody(sent_, body_.data());
      Message message(body_);
      if (flags_.headers > 0) {
        message.set_property("tenant", Value(bench::kTenant));
        message.set_property("type", Value(bench::kType));
        message.set_property("seq", Value(static_cast<int64_t>(sent_)));
      }
      Bytes rest;
      wire::Writer* out = sender_->Begin(sent_++, false, 0);
      if (!wire::EncodeMessage(message, encode_, out, &rest).ok()) {
        std::exit(1);
      }
      sender_->End(rest);
    }
  }

  // True when nothing is left.
  bool Write(int fd) {
    wire::Output* output = engine_.output();
    while (!output->empty()) {
      iovec pieces[16];
      msghdr message{};
      message.msg_iov = pieces;
      message.msg_iovlen = output->Gather(pieces, 16);
      const ssize_t n = sendmsg(fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
      if (n <= 0) return false;
      output->Written(static_cast<size_t>(n));
    }
    return true;
  }

  const bench::Flags flags_;
  std::string body_;
  wire::EncodeOptions encode_;
  wire::Link* sender_ = nullptr;
  size_t sent_ = 0;
  size_t done_ = 0;
  bool closed_ = false;
  std::optional<bench::Stopwatch> watch_;
  wire::Engine engine_;
};

}  // namespace

int main(int argc, char** argv) {
  const bench::Flags flags = bench::Flags::Parse(argc, argv);
  const absl::StatusOr<Url> url = Url::Parse(flags.url);
  if (!url.ok() || url->hosts.empty()) return 2;
  const int fd = Accept(url->hosts[0].port);
  return Peer(flags).Serve(fd);
}
