// The other end for the Proton programs, written in the same way. Listens at
// --url, serves one connection, and ends.
#include <optional>
#include <proton/listen_handler.hpp>
#include <proton/listener.hpp>
#include <proton/sender_options.hpp>
#include <proton/source.hpp>
#include <proton/target.hpp>
#include <proton/transport.hpp>

#include "benchmarks/end_to_end/amqp/proton.h"

namespace {

using namespace tieline::bench;

class Handler final : public proton::messaging_handler,
                      public proton::listen_handler {
 public:
  explicit Handler(const Flags& flags)
      : flags_(flags), sending_(flags), receiving_(flags) {}
  void on_container_start(proton::container& container) override {
    listener_ = container.listen(AddressOf(flags_), *this);
  }
  proton::connection_options on_accept(proton::listener&) override {
    return Options().handler(*this);
  }
  void on_receiver_open(proton::receiver& receiver) override {
    watch_.emplace();
    receiver.open(proton::receiver_options()
                      .credit_window(static_cast<int>(flags_.credit))
                      .auto_accept(true));
  }
  void on_sender_open(proton::sender& sender) override {
    watch_.emplace();
    sender.open();
  }
  void on_sendable(proton::sender& sender) override { sending_.Send(sender); }
  void on_tracker_accept(proton::tracker&) override { ++accepted_; }
  void on_message(proton::delivery&, proton::message& message) override {
    receiving_.Take(message);
  }
  void on_connection_close(proton::connection&) override { Finish(); }
  void on_transport_close(proton::transport&) override { Finish(); }
  int code = 1;

 private:
  void Finish() {
    if (!watch_.has_value()) return;
    const size_t done = accepted_ + receiving_.received();
    code = Report("proton-peer", flags_, done, flags_.count - done, *watch_);
    watch_.reset();
    listener_.stop();
  }

  const Flags flags_;
  ProtonSender sending_;
  ProtonReceiver receiving_;
  proton::listener listener_;
  std::optional<Stopwatch> watch_;
  size_t accepted_ = 0;
};

}  // namespace

int main(int argc, char** argv) {
  Handler handler(Flags::Parse(argc, argv));
  proton::container(handler).run();
  return handler.code;
}
