// The yardstick: a plain Proton C++ sender.
#include <optional>

#include "benchmarks/end_to_end/amqp/proton.h"

namespace {

using namespace tieline::bench;

class Handler final : public proton::messaging_handler {
 public:
  explicit Handler(const Flags& flags) : flags_(flags), content_(flags) {}
  void on_container_start(proton::container& container) override {
    connection_ = container.connect(AddressOf(flags_), Options());
    connection_.open_sender(flags_.queue);
  }
  void on_sendable(proton::sender& sender) override {
    if (!watch_.has_value()) watch_.emplace();
    content_.Send(sender);
  }
  void on_tracker_accept(proton::tracker&) override {
    if (++accepted_ < flags_.count) return;
    code = Report("proton", flags_, accepted_, 0, *watch_);
    connection_.close();
  }
  int code = 1;

 private:
  const Flags flags_;
  ProtonSender content_;
  proton::connection connection_;
  std::optional<Stopwatch> watch_;
  size_t accepted_ = 0;
};

}  // namespace

int main(int argc, char** argv) {
  Handler handler(Flags::Parse(argc, argv));
  proton::container(handler).run();
  return handler.code;
}
