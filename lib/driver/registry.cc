#include <map>
#include <string>

#include "lib/base/mutex.h"
#include "tieline/driver/driver.h"

namespace tieline::inline v0 {
namespace driver {
namespace {

struct Registry {
  Mutex mu;
  std::map<std::string, std::shared_ptr<Driver>, std::less<>> drivers
      ABSL_GUARDED_BY(mu);
};

Registry& TheRegistry() {
  static auto* registry = new Registry;  // outlives every static destructor
  return *registry;
}

}  // namespace

void Register(std::string_view scheme, std::shared_ptr<Driver> driver) {
  Registry& r = TheRegistry();
  MutexLock lock(&r.mu);
  r.drivers.emplace(std::string(scheme), std::move(driver));
}

std::shared_ptr<Driver> Find(std::string_view scheme) {
  Registry& r = TheRegistry();
  MutexLock lock(&r.mu);
  auto it = r.drivers.find(scheme);
  return it == r.drivers.end() ? nullptr : it->second;
}

std::vector<std::string> Schemes() {
  Registry& r = TheRegistry();
  MutexLock lock(&r.mu);
  std::vector<std::string> schemes;
  for (const auto& [scheme, driver] : r.drivers) schemes.push_back(scheme);
  return schemes;
}

absl::Status SenderDriver::Join(ReceiverDriver* /*receiver*/) {
  return absl::UnimplementedError("this backend has no transactions");
}

absl::Status ReceiverDriver::AcceptLane(std::string_view /*name*/) {
  return absl::UnimplementedError("this backend has no sessions");
}

}  // namespace driver
}  // namespace tieline::inline v0
