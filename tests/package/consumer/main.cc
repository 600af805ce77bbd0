// A program that uses an installed Tieline: one message through a memory queue.
#include <tieline/bus.h>
#include <tieline/config.h>
#include <tieline/memory.h>
#include <tieline/message.h>
#ifdef CONSUMER_KAFKA
#include <tieline/kafka.h>
#endif
#ifdef CONSUMER_AMQP
#include <tieline/amqp.h>
#endif

#include <cstdio>
#include <cstdlib>
#include <memory>

namespace {

void Check(const absl::Status& status, const char* what) {
  if (status.ok()) return;
  std::fprintf(stderr, "%s: %s\n", what, status.ToString().c_str());
  std::exit(1);
}

}  // namespace

int main() {
  tieline::memory::Register();
#ifdef CONSUMER_KAFKA
  tieline::kafka::Register();
#endif
#ifdef CONSUMER_AMQP
  tieline::amqp::Register();
#endif
  auto bus = tieline::Bus::Open(tieline::Config());
  Check(bus.status(), "open");
  auto sender = (*bus)->OpenSender("memory://package/greetings");
  Check(sender.status(), "sender");
  Check((*sender)->Send(tieline::Message("hello")).status, "send");
  auto receiver = (*bus)->OpenReceiver("memory://package/greetings");
  Check(receiver.status(), "receiver");
  auto delivery = (*receiver)->Receive(absl::Seconds(10));
  Check(delivery.status(), "receive");
  Check(delivery->CompleteConfirmed(absl::Seconds(10)), "complete");
  std::printf("received %.*s\n",
              static_cast<int>(delivery->message().body_view().size()),
              delivery->message().body_view().data());
  return 0;
}
