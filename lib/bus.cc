#include "tieline/bus.h"

#include <utility>

#include "lib/base/status.h"
#include "lib/engine/bus_core.h"
#include "lib/engine/check_config.h"

namespace tieline::inline v0 {

absl::Status BusOptions::Validate() const {
  if (reconnect.min_delay <= absl::ZeroDuration() ||
      reconnect.max_delay < reconnect.min_delay || reconnect.jitter < 0 ||
      reconnect.jitter > 1) {
    return InvalidArgument(
        "BusOptions: reconnect needs 0 < min_delay <= max_delay and jitter "
        "from 0 to 1");
  }
  if (retry_budget.ratio < 0 || retry_budget.per_second < 0) {
    return InvalidArgument(
        "BusOptions: retry_budget.ratio and per_second must not be negative");
  }
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<Bus>> Bus::Open(Config config,
                                               BusOptions options) {
  TIELINE_RETURN_IF_ERROR(options.Validate());
  TIELINE_RETURN_IF_ERROR(CheckConfig(config));
  auto core = std::make_shared<BusCore>(std::move(config), std::move(options));
  TIELINE_RETURN_IF_ERROR(core->Start());
  return std::unique_ptr<Bus>(new Bus(std::move(core)));
}

absl::StatusOr<std::unique_ptr<Bus>> Bus::Open(absl::StatusOr<Config> config,
                                               BusOptions options) {
  TIELINE_RETURN_IF_ERROR(config.status());
  return Open(*std::move(config), std::move(options));
}

Bus::Bus(std::shared_ptr<BusCore> core) : core_(std::move(core)) {}

Bus::~Bus() { core_->Close(absl::Seconds(5)).IgnoreError(); }

absl::StatusOr<std::unique_ptr<Sender>> Bus::OpenSender(std::string_view queue,
                                                        SenderOptions options) {
  TIELINE_ASSIGN_OR_RETURN(
      std::shared_ptr<SenderCore> core,
      core_->OpenSender(queue, std::move(options), Spool::kMay));
  return std::make_unique<Sender>(std::move(core));
}

absl::StatusOr<std::unique_ptr<Receiver>> Bus::OpenReceiver(
    std::string_view queue, ReceiverOptions options) {
  TIELINE_ASSIGN_OR_RETURN(std::shared_ptr<ReceiverCore> core,
                           core_->OpenReceiver(queue, std::move(options)));
  return std::make_unique<Receiver>(std::move(core));
}

absl::StatusOr<std::unique_ptr<Route>> Bus::StartRoute(RouteConfig config,
                                                       Transform transform) {
  TIELINE_ASSIGN_OR_RETURN(
      std::shared_ptr<RouteCore> core,
      core_->StartRoute(std::move(config), std::move(transform)));
  return std::make_unique<Route>(std::move(core));
}

absl::StatusOr<driver::Reply> Bus::Ask(std::string_view queue,
                                       driver::Request request,
                                       absl::Duration timeout) {
  TIELINE_ASSIGN_OR_RETURN(request.queue, core_->FindQueue(queue));
  TIELINE_ASSIGN_OR_RETURN(BrokerConfig broker,
                           core_->FindBroker(request.queue.broker));
  return core_->Ask(broker, std::move(request), timeout);
}

absl::StatusOr<int64_t> Bus::Depth(std::string_view queue,
                                   absl::Duration timeout) {
  driver::Request request;
  request.op = driver::Request::Op::kDepth;
  TIELINE_ASSIGN_OR_RETURN(driver::Reply reply,
                           Ask(queue, std::move(request), timeout));
  return reply.count;
}

absl::StatusOr<std::vector<Message>> Bus::Peek(std::string_view queue,
                                               int64_t from, uint32_t max,
                                               absl::Duration timeout) {
  driver::Request request;
  request.op = driver::Request::Op::kPeek;
  request.from = from;
  request.max = max;
  TIELINE_ASSIGN_OR_RETURN(driver::Reply reply,
                           Ask(queue, std::move(request), timeout));
  std::vector<Message> messages;
  for (driver::Inbound& inbound : reply.inbound) {
    messages.push_back(std::move(inbound.message));
  }
  return messages;
}

absl::StatusOr<std::vector<driver::EntityInfo>> Bus::ListEntities(
    std::string_view broker, absl::Duration timeout) {
  std::string name(broker);
  // A broker that AddBrokerUrl made is called like a URL.
  if (broker.find("://") != std::string_view::npos &&
      !core_->FindBroker(name).ok()) {
    TIELINE_ASSIGN_OR_RETURN(QueueConfig queue, core_->FindQueue(broker));
    name = queue.broker;
  }
  TIELINE_ASSIGN_OR_RETURN(BrokerConfig config, core_->FindBroker(name));
  driver::Request request;
  request.op = driver::Request::Op::kListEntities;
  TIELINE_ASSIGN_OR_RETURN(driver::Reply reply,
                           core_->Ask(config, std::move(request), timeout));
  return std::move(reply.entities);
}

absl::Status Bus::CreateEntity(std::string_view queue, absl::Duration timeout) {
  driver::Request request;
  request.op = driver::Request::Op::kCreateEntity;
  return Ask(queue, std::move(request), timeout).status();
}

absl::StatusOr<ChangePlan> Bus::Plan(const Config& config) const {
  return core_->Plan(config);
}

absl::StatusOr<std::unique_ptr<Moving>> Bus::Apply(const ChangePlan& plan) {
  return core_->Apply(plan);
}

std::vector<MoveReport> Bus::moves() const { return core_->moves(); }

absl::StatusOr<std::vector<JournalRecord>> Bus::ReadJournal(
    uint64_t from, int64_t limit) const {
  return core_->ReadJournal(from, limit);
}

MetricsSnapshot Bus::metrics() const { return core_->metrics(); }

Config Bus::config() const { return core_->config(); }

int Bus::fd() const { return core_->runner().fd(); }

absl::Time Bus::RunOnce() {
  return core_->runner().RunOnce(absl::ZeroDuration());
}

absl::Status Bus::Close(absl::Duration timeout) {
  return core_->Close(timeout);
}

}  // namespace tieline::inline v0
