// AmqpConnection: a connection to an AMQP 1.0 broker, as the SPI's Connection.
//
// Each handle has a link in a session of its own. Threads: as the SPI says.
#ifndef TIELINE_ADAPTERS_AMQP_CONNECTION_H_
#define TIELINE_ADAPTERS_AMQP_CONNECTION_H_

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "adapters/amqp/engine/engine.h"
#include "adapters/amqp/gathering.h"
#include "adapters/amqp/product.h"
#include "adapters/amqp/settings.h"
#include "adapters/amqp/transport.h"
#include "tieline/driver/driver.h"

namespace tieline::inline v0::amqp {

class AmqpReceiver;
class AmqpSender;
class Requests;

// A handle, as its connection sees it.
class Handle {
 public:
  virtual ~Handle() = default;
  // The connection is up: attach.
  virtual void OnUp() = 0;
  // Gives the core what has gathered. Called in Run, after frames were read and
  // before output is written.
  virtual void Deliver() = 0;
  // The connection is over: answers what is open.
  virtual void OnLost(const absl::Status& why) = 0;
  virtual void BeginClose() = 0;
  virtual bool closed() const = 0;
  // Adds what may still come on its link.
  virtual void AddTo(OnTheWay* all) const = 0;
};

class AmqpConnection final : public driver::Connection,
                             public wire::EngineHandler {
 public:
  AmqpConnection(const BrokerConfig& broker, Settings settings,
                 std::unique_ptr<Transport> transport,
                 driver::ConnectionSink* sink, driver::Waker* waker,
                 absl::Time give_up);
  ~AmqpConnection() override;

  driver::PollSet pollable() const override;
  driver::Progress Run(absl::Time now) override;
  absl::StatusOr<std::unique_ptr<driver::SenderDriver>> OpenSender(
      const driver::SenderSpec& spec, driver::SenderSink* sink) override;
  absl::StatusOr<std::unique_ptr<driver::ReceiverDriver>> OpenReceiver(
      const driver::ReceiverSpec& spec, driver::ReceiverSink* sink) override;
  void Ask(uint64_t cookie, driver::Request request) override;
  void Close(absl::Time deadline) override;

  void OnOpened() override;
  void OnAttach(wire::Link* link) override;
  void OnPong() override;
  void OnClosed(const wire::Condition& why) override;

  // ---- For handles and requests
  wire::Engine* engine() { return &engine_; }
  driver::ConnectionSink* sink() { return sink_; }
  bool up() const { return up_; }
  bool lost() const { return lost_; }
  Product product() const { return product_; }
  const Settings& settings() const { return settings_; }
  Capabilities capabilities() const { return CapabilitiesOf(product_); }
  // "broker NAME (HOSTS)", for messages.
  const std::string& where() const { return where_; }
  std::string NewLinkName(std::string_view entity);
  void Add(Handle* handle);
  void Remove(Handle* handle);
  // Deliver() is called in the present or next Run.
  void MarkReady(Handle* handle) { ready_.push_back(handle); }
  // Deliver() is called once output has room again.
  void Block(Handle* handle) { blocked_.push_back(handle); }
  // Run must be called soon.
  void Touch();
  // Is told of each delivery and outcome.
  Gathering* gathering() { return &gathering_; }
  // Room for another message: output is bounded.
  bool HasRoom() { return engine_.output()->size() < kMaxOutput; }

 private:
  static constexpr size_t kMaxOutput = 1 << 20;

  // Each of these is a part of a turn.
  bool Connect(absl::Time now);
  bool Read();
  // Decides whether input is let gather from now on, and tells the transport.
  void FollowGathering();
  // For a queue that wants low latency: this connection no longer gathers.
  void Heed(Tuning tuning);
  bool Write();
  void DeliverAll();
  void GoOnClosing(absl::Time now);
  void Lose(const absl::Status& why);

  const std::string where_;
  const Settings settings_;
  const std::unique_ptr<Transport> transport_;
  driver::ConnectionSink* const sink_;
  driver::Waker* const waker_;
  const absl::Time give_up_;  // connecting
  wire::Engine engine_;
  std::unique_ptr<Requests> requests_;
  Gathering gathering_;
  bool waits_ = false;  // as the transport was told
  std::vector<Handle*> handles_;
  std::vector<Handle*> ready_;
  std::vector<Handle*> blocked_;
  absl::Status end_;  // why it is over, while it is not told yet
  absl::Time close_by_ = absl::InfiniteFuture();
  absl::Time now_ = absl::InfinitePast();
  uint64_t links_ = 0;
  Product product_ = Product::kOther;
  bool connected_ = false;
  bool up_ = false;
  bool ended_ = false;
  bool lost_ = false;
  bool closing_ = false;
  bool running_ = false;
  bool touched_ = false;
};

}  // namespace tieline::inline v0::amqp

#endif  // TIELINE_ADAPTERS_AMQP_CONNECTION_H_
