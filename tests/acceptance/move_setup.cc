#include "tests/acceptance/move_setup.h"

#include <algorithm>
#include <utility>

#ifdef TIELINE_HAS_AMQP
#include "tieline/amqp.h"
#endif
#ifdef TIELINE_HAS_KAFKA
#include "tieline/kafka.h"
#endif
#ifdef TIELINE_HAS_MEMORY
#include "tieline/memory.h"
#endif

namespace tieline::move_check {

void RegisterBackends() {
#ifdef TIELINE_HAS_AMQP
  amqp::Register();
#endif
#ifdef TIELINE_HAS_KAFKA
  kafka::Register();
#endif
#ifdef TIELINE_HAS_MEMORY
  memory::Register();
#endif
}

absl::StatusOr<Setup> Setup::Make(const SetupOptions& options) {
  Setup setup;
  Config& config = setup.config_;
  QueueConfig moving;
  size_t place = 0;
  for (const std::string& url : {options.from, options.to}) {
    absl::StatusOr<std::string> name = config.AddUrl(url);
    if (!name.ok()) return name.status();
    const QueueConfig made = config.queues.extract(*name).mapped();
    setup.places_[place++] = {made.broker, made.entity};
    // What one of the two needs does not hurt the other.
    moving.create = moving.create || made.create;
    moving.partitions = std::max(moving.partitions, made.partitions);
    if (!made.group.empty()) moving.group = made.group;
    if (!made.member.empty()) moving.member = made.member;
  }
  moving.name = kQueue;
  moving.ordered = Order::kPerKey;
  config.queues[kQueue] = std::move(moving);
  config.state_file = options.state_file;
  config.move.quiet_period = absl::Seconds(options.quiet_s);
  config.move.retire_time = absl::Seconds(1);
  return setup;
}

Config Setup::At(uint64_t generation) const {
  Config config = config_;
  QueueConfig& queue = config.queues[kQueue];
  const Place& now = PlaceAt(generation);
  queue.broker = now.broker;
  queue.entity = now.entity;
  queue.generation = generation;
  if (generation > 1) {
    const Place& before = PlaceAt(generation - 1);
    queue.was.push_back({before.broker, generation - 1, before.entity});
  }
  return config;
}

}  // namespace tieline::move_check
