#include "adapters/kafka/client.h"

#include <array>
#include <memory>

#include "adapters/kafka/reaper.h"
#include "lib/base/status.h"

namespace tieline::inline v0 {
namespace kafka {
namespace {

constexpr size_t kReasons = 4;
constexpr size_t kReasonBytes = 300;

struct FreeConf {
  void operator()(rd_kafka_conf_t* p) const { rd_kafka_conf_destroy(p); }
};
using Conf = std::unique_ptr<rd_kafka_conf_t, FreeConf>;

absl::Status Apply(const Settings& settings, rd_kafka_conf_t* conf) {
  std::array<char, 512> error{};
  for (const Setting& s : settings) {
    const std::string value(s.value.Reveal());
    if (rd_kafka_conf_set(conf, s.name.c_str(), value.c_str(), error.data(),
                          error.size()) == RD_KAFKA_CONF_OK) {
      continue;
    }
    // The library's words quote the value.
    const bool secret =
        s.name == "sasl.password" || s.name.starts_with("ssl.key");
    return InvalidArgument("setting {}: {}", s.name,
                           secret ? "refused by librdkafka" : error.data());
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<ClientRef> Client::Make(rd_kafka_type_t type,
                                       const Settings& settings, int events) {
  ClientRef client(new Client);
  Conf conf(rd_kafka_conf_new());
  rd_kafka_topic_conf_t* topic = rd_kafka_topic_conf_new();
  rd_kafka_topic_conf_set_opaque(topic, client.get());
  rd_kafka_conf_set_default_topic_conf(conf.get(), topic);
  rd_kafka_conf_set_opaque(conf.get(), client.get());
  rd_kafka_conf_set_log_cb(conf.get(), &Client::OnLog);
  rd_kafka_conf_set_events(conf.get(), events);
  TIELINE_RETURN_IF_ERROR(Apply(settings, conf.get()));
  std::array<char, 512> error{};
  client->rk_ = rd_kafka_new(type, conf.get(), error.data(), error.size());
  if (client->rk_ == nullptr) {
    return InvalidArgument("librdkafka refused the settings: {}", error.data());
  }
  static_cast<void>(conf.release());  // the client's now
  return client;
}

void Client::Retire() {
  if (rk_ == nullptr) {
    delete this;
    return;
  }
  Reaper::Get().Post([this] { delete this; });
}

void Client::LeaveSoon() {
  Ref();
  Reaper::Get().Post([this] {
    rd_kafka_consumer_close(rk_);
    SkipLeave();
    Unref();
  });
}

Client::~Client() {
  if (rk_ == nullptr) return;
  rd_kafka_destroy_flags(rk_, skip_leave_.load(std::memory_order_relaxed)
                                  ? RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE
                                  : 0);
}

void Client::OnLog(const rd_kafka_t* rk, int level, const char* facility,
                   const char* text) {
  constexpr int kWarning = 4;
  auto* client = static_cast<Client*>(rd_kafka_opaque(rk));
  if (client == nullptr || level > kWarning) return;
  // Said at every start of a consumer with allow.auto.create.topics; no fault.
  if (std::string_view(facility) == "CONFWARN") return;
  client->AddReason(text);
}

void Client::AddReason(std::string_view text) {
  // "[thrd:...]: what happened"
  if (const size_t end = text.find("]: ");
      text.starts_with("[") && end != std::string_view::npos) {
    text.remove_prefix(end + 3);
  }
  MutexLock lock(&mutex_);
  const std::string reason(text.substr(0, kReasonBytes));
  for (const std::string& known : reasons_) {
    if (known == reason) return;
  }
  if (reasons_.size() == kReasons) reasons_.pop_front();
  reasons_.push_back(reason);
}

std::string Client::Reasons() const {
  MutexLock lock(&mutex_);
  std::string all;
  for (const std::string& reason : reasons_) {
    if (!all.empty()) all += "; ";
    all += reason;
  }
  return all;
}

}  // namespace kafka
}  // namespace tieline::inline v0
