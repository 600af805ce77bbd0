// The file-backed queue under the conformance suite.
#include <cstdlib>
#include <filesystem>
#include <string>

#include "adapters/conformance/harness.h"
#include "examples/file_queue/file_queue.h"

namespace {

namespace fs = std::filesystem;
using tieline::conformance::Limits;
using tieline::conformance::Shape;

class FileHarness final : public tieline::conformance::Harness {
 public:
  absl::Status Start() override {
    std::string name = (fs::temp_directory_path() / "file-queue-XXXXXX");
    if (mkdtemp(name.data()) == nullptr) {
      return absl::InternalError("cannot make a directory");
    }
    directory_ = name;
    tieline::driver::Register("file", driver_);
    return absl::OkStatus();
  }
  ~FileHarness() override {
    if (!directory_.empty()) fs::remove_all(directory_);
  }

  tieline::driver::Driver& driver() override { return *driver_; }

  tieline::BrokerConfig broker() override {
    tieline::BrokerConfig config;
    config.name = "file";
    config.url = *tieline::Url::Parse("file://conformance");
    config.allow_plaintext = true;  // nothing goes over a network
    config.settings["directory"] = directory_.string();
    return config;
  }

  absl::StatusOr<tieline::QueueConfig> NewQueue(const Shape& shape) override {
    if (shape.lock > absl::ZeroDuration() || shape.sessions ||
        shape.partitions > 1 || shape.max_depth > 0 ||
        shape.duplicate_window > absl::ZeroDuration()) {
      return absl::UnimplementedError("folders have only one shape");
    }
    tieline::QueueConfig queue = *UnknownQueue();
    fs::create_directory(directory_ / queue.entity);
    fs::create_directory(directory_ / (queue.entity + ".dead-letter"));
    return queue;
  }
  absl::StatusOr<tieline::QueueConfig> UnknownQueue() override {
    tieline::QueueConfig queue;
    queue.name = queue.entity = "queue-" + std::to_string(++queues_);
    return queue;
  }
  absl::StatusOr<tieline::BrokerConfig> Unreachable() override {
    return Cannot();
  }
  Limits limits() override {
    Limits limits;
    limits.quiet = absl::Milliseconds(20);
    return limits;
  }

 private:
  std::shared_ptr<tieline::driver::Driver> driver_ = file_queue::MakeDriver();
  fs::path directory_;
  int queues_ = 0;
};

TIELINE_CONFORMANCE("file", FileHarness);

}  // namespace
