// What the AMQP codec costs: messages of 100 bytes, without and with three
// properties, sent, received, read whole and passed on.
#include <benchmark/benchmark.h>

#include <string>
#include <utility>

#include "adapters/amqp/wire/message_codec.h"

namespace tieline {
namespace {

using amqp::wire::DecodeMessage;
using amqp::wire::DeliveryFacts;
using amqp::wire::EncodeMessage;
using amqp::wire::EncodeToBytes;
using amqp::wire::Writer;

Message Sample(int64_t properties) {
  Message m(std::string(100, 'x'));
  if (properties > 0) m.set_property("tenant", Value("acme-corp"));
  if (properties > 1) m.set_property("type", Value("order.created"));
  if (properties > 2) m.set_property("seq", Value(int64_t{123456}));
  return m;
}

Bytes Encoded(int64_t properties) {
  return *EncodeToBytes(Sample(properties), {});
}

// The cost of a message of its own, which decoding pays too.
void BM_MakeMessage(benchmark::State& state) {
  const Bytes bytes = Encoded(0);
  for (auto _ : state) {
    driver::NativeParts parts;
    parts.source = amqp::wire::Source();
    parts.native.encoded = bytes;
    parts.body = bytes.view();
    benchmark::DoNotOptimize(driver::MakeMessage(std::move(parts)));
  }
}
BENCHMARK(BM_MakeMessage);

void BM_Encode(benchmark::State& state) {
  const Message message = Sample(state.range(0));
  Writer writer;
  Bytes rest;
  for (auto _ : state) {
    writer.Clear();
    benchmark::DoNotOptimize(EncodeMessage(message, {}, &writer, &rest));
  }
}
BENCHMARK(BM_Encode)->Arg(0)->Arg(3);

void BM_EncodeWithKey(benchmark::State& state) {
  Message message = Sample(0);
  message.set_key("charger-17");
  Writer writer;
  Bytes rest;
  for (auto _ : state) {
    writer.Clear();
    benchmark::DoNotOptimize(EncodeMessage(message, {}, &writer, &rest));
  }
}
BENCHMARK(BM_EncodeWithKey);

void BM_Decode(benchmark::State& state) {
  const Bytes bytes = Encoded(state.range(0));
  DeliveryFacts facts;
  for (auto _ : state) {
    benchmark::DoNotOptimize(DecodeMessage(bytes, &facts));
  }
}
BENCHMARK(BM_Decode)->Arg(0)->Arg(3);

void BM_DecodeAndReadAll(benchmark::State& state) {
  const Bytes bytes = Encoded(state.range(0));
  for (auto _ : state) {
    const auto message = DecodeMessage(bytes, nullptr);
    benchmark::DoNotOptimize(message->properties().size());
  }
}
BENCHMARK(BM_DecodeAndReadAll)->Arg(0)->Arg(3);

void BM_PassOn(benchmark::State& state) {
  const Message message = *DecodeMessage(Encoded(state.range(0)), nullptr);
  Writer writer;
  Bytes rest;
  for (auto _ : state) {
    writer.Clear();
    benchmark::DoNotOptimize(EncodeMessage(message, {}, &writer, &rest));
  }
}
BENCHMARK(BM_PassOn)->Arg(0)->Arg(3);

}  // namespace
}  // namespace tieline
