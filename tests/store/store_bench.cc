// store_bench: what the spool takes and gives, for scripts/accept bench-spool.
//
// Prints a line of JSON: durable messages a second in batches, messages a
// second drained in order and trimmed, and how long one blocking durable send
// takes. The file lies where it is told to: on the disk that is measured.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <atomic>
#include <cstdint>
#include <filesystem>
#include <iostream>
#include <nlohmann/json.hpp>
#include <string>
#include <thread>
#include <vector>

#include "fmt/format.h"
#include "lib/store/store.h"

namespace tieline {
namespace {

struct Arguments {
  std::string folder = ".";
  uint64_t messages = 1'000'000;
  uint64_t batch = 1000;
  size_t bytes = 100;
  uint64_t singles = 1000;
};

[[noreturn]] void Fail(const absl::Status& status) {
  std::cerr << "store_bench: " << status.ToString() << "\n";
  std::exit(1);
}

void Must(const absl::Status& status) {
  if (!status.ok()) Fail(status);
}

class Watch {
 public:
  double Seconds() const {
    return absl::ToDoubleSeconds(Clock::System()->Steady() - start_);
  }

 private:
  absl::Time start_ = Clock::System()->Steady();
};

// Body number i: its number, then filling.
std::string Body(const Arguments& arguments, uint64_t i) {
  std::string body = fmt::format("{:012}", i);
  body.resize(arguments.bytes, 'x');
  return body;
}

double Append(const Arguments& arguments, Store* store, QueueId queue) {
  std::atomic<uint64_t> durable{0};
  const Watch watch;
  for (uint64_t i = 0; i < arguments.messages;) {
    StoreBatch batch;
    const uint64_t end = std::min(arguments.messages, i + arguments.batch);
    for (; i < end; ++i) batch.Append(queue, i, Body(arguments, i));
    absl::Status taken;
    do {
      // At the bound of what waits the producer waits too.
      taken = store->Submit(
          batch, [&durable](const absl::StatusOr<StoreCommitted>& result) {
            if (!result.ok()) Fail(result.status());
            durable += result->appended[0].count;
          });
      if (absl::IsResourceExhausted(taken)) std::this_thread::yield();
    } while (absl::IsResourceExhausted(taken));
    Must(taken);
  }
  while (durable < arguments.messages) std::this_thread::yield();
  return static_cast<double>(arguments.messages) / watch.Seconds();
}

double Drain(const Arguments& arguments, Store* store, QueueId queue) {
  uint64_t next = 1;
  const Watch watch;
  while (next <= arguments.messages) {
    const absl::StatusOr<SpoolChunk> chunk =
        store->ReadSpool(queue, next, 1 << 20);
    Must(chunk.status());
    for (const SpoolChunk::Entry& entry : chunk->entries) {
      if (entry.sequence != next || entry.key_hash != next - 1 ||
          entry.bytes != Body(arguments, next - 1)) {
        Fail(absl::DataLossError(fmt::format("message {} is not there", next)));
      }
      ++next;
    }
    StoreBatch trim;
    trim.Trim(queue, next - 1);
    Must(store->Submit(std::move(trim), nullptr));
  }
  while (store->state().spool_bytes > 0) std::this_thread::yield();
  return static_cast<double>(arguments.messages) / watch.Seconds();
}

std::vector<double> Singles(const Arguments& arguments, Store* store,
                            QueueId queue) {
  std::vector<double> ms;
  for (uint64_t i = 0; i < arguments.singles; ++i) {
    StoreBatch batch;
    batch.Append(queue, i, Body(arguments, i));
    const Watch watch;
    Must(store->Commit(std::move(batch)).status());
    ms.push_back(watch.Seconds() * 1e3);
  }
  std::sort(ms.begin(), ms.end());
  return ms;
}

int Run(const Arguments& arguments) {
  StoreOptions options;
  options.path = arguments.folder + "/store_bench.db";
  options.spool_bytes = int64_t{4} << 30;
  nlohmann::json report;
  {
    auto store = Store::Open(options);
    Must(store.status());
    const absl::StatusOr<QueueId> queue = (*store)->AddQueue("bench");
    const absl::StatusOr<QueueId> single = (*store)->AddQueue("single");
    Must(queue.status());
    Must(single.status());
    report["append_per_s"] = Append(arguments, store->get(), *queue);
    report["drain_per_s"] = Drain(arguments, store->get(), *queue);
    const std::vector<double> ms = Singles(arguments, store->get(), *single);
    if (!ms.empty()) {
      report["single_p50_ms"] = ms[ms.size() / 2];
      report["single_p99_ms"] = ms[ms.size() * 99 / 100];
      report["single_max_ms"] = ms.back();
    }
    Must((*store)->Close(absl::Seconds(30)));
  }
  for (const char* suffix : {"", "-wal", ".lock", ".reserve"}) {
    std::filesystem::remove(options.path + suffix);
  }
  std::cout << report.dump() << "\n";
  return 0;
}

}  // namespace
}  // namespace tieline

int main(int argc, char** argv) {
  tieline::Arguments arguments;
  CLI::App app("Measures the spool.");
  app.add_option("--folder", arguments.folder, "where the file is made");
  app.add_option("--messages", arguments.messages);
  app.add_option("--batch", arguments.batch, "messages in a batch");
  app.add_option("--bytes", arguments.bytes, "of a message, at least 12");
  app.add_option("--singles", arguments.singles, "blocking sends of one");
  CLI11_PARSE(app, argc, argv);
  return tieline::Run(arguments);
}
