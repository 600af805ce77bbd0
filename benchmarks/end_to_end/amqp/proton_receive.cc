// The yardstick: a plain Proton C++ receiver.
#include <optional>

#include "benchmarks/end_to_end/amqp/proton.h"

namespace {

using namespace tieline::bench;

class Handler final : public proton::messaging_handler {
 public:
  explicit Handler(const Flags& flags) : flags_(flags), content_(flags) {}
  void on_container_start(proton::container& container) override {
    connection_ = container.connect(AddressOf(flags_), Options());
    connection_.open_receiver(
        flags_.queue, proton::receiver_options()
                          .credit_window(static_cast<int>(flags_.credit))
                          .auto_accept(true));
    watch_.emplace();
  }
  void on_message(proton::delivery&, proton::message& message) override {
    content_.Take(message);
    if (content_.received() < flags_.count) return;
    code = Report("proton", flags_, content_.received(), 0, *watch_);
    connection_.close();
  }
  int code = 1;

 private:
  const Flags flags_;
  ProtonReceiver content_;
  proton::connection connection_;
  std::optional<Stopwatch> watch_;
};

}  // namespace

int main(int argc, char** argv) {
  Handler handler(Flags::Parse(argc, argv));
  proton::container(handler).run();
  return handler.code;
}
