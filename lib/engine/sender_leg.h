// SenderLeg: a sender at one broker: its link there and the driver's handle. A
// sender has one; while its queue moves, one at each broker.
//
// Threads: what is called by the endpoint and the driver, in that endpoint's
// strand; the rest on any.
#ifndef TIELINE_LIB_ENGINE_SENDER_LEG_H_
#define TIELINE_LIB_ENGINE_SENDER_LEG_H_

#include <memory>
#include <span>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "lib/engine/endpoint.h"
#include "lib/engine/link.h"
#include "tieline/driver/driver.h"
#include "tieline/sender.h"

namespace tieline::inline v0 {

class SenderCore;

class SenderLeg final : public EndpointUser, public driver::SenderSink {
 public:
  // The core outlives the leg's time at the endpoint.
  SenderLeg(SenderCore* core, std::shared_ptr<Endpoint> endpoint,
            QueueConfig queue, const SenderOptions& options);
  ~SenderLeg() override;

  Endpoint& endpoint() const { return *endpoint_; }
  const QueueConfig& queue() const { return queue_; }
  Link& link() { return link_; }
  const Link& link() const { return link_; }
  // Closes the link, and then leaves the endpoint.
  void Leave();

  // ---- In the strand.
  // Open, and what was asked of it is there.
  bool ready() const { return link_.open() && refused_.ok(); }
  // Why nothing can be sent until the link opens again; permanent, or OK.
  const absl::Status& refused() const { return refused_; }
  // The broker keeps the order of what was submitted though it refuses an
  // earlier one.
  bool pipelines() const { return pipelines_; }
  driver::SenderDriver* driver() const { return driver_.get(); }
  void OpenLink(absl::Time now);
  void CloseLink();

  // EndpointUser.
  void OnUp(driver::Connection* connection) override;
  void OnDown(const absl::Status& why) override;
  absl::Time Pump(absl::Time now) override;
  // driver::SenderSink.
  void OnOpened(const Capabilities& capabilities) override;
  void OnSendable() override;
  void OnOutcomes(std::span<const driver::Outcome> outcomes) override;
  void OnClosed(const absl::Status& why) override;

 private:
  SenderCore* const core_;
  const std::shared_ptr<Endpoint> endpoint_;
  const QueueConfig queue_;
  Link link_;
  std::atomic<bool> leaves_{false};

  // In the strand.
  std::unique_ptr<driver::SenderDriver> driver_;
  absl::Status refused_;
  bool pipelines_ = false;
};

}  // namespace tieline::inline v0

#endif  // TIELINE_LIB_ENGINE_SENDER_LEG_H_
