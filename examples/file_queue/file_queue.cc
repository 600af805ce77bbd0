#include "examples/file_queue/file_queue.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iomanip>
#include <map>
#include <mutex>
#include <optional>

#include "absl/strings/str_split.h"

namespace file_queue {
namespace {
using namespace tieline;          // NOLINT: an example is read by few names
using namespace tieline::driver;  // NOLINT
namespace fs = std::filesystem;
const auto kCanNot = absl::UnimplementedError("files can't do this");

// A message file has a line for each part: "tag" type "text".
void Encode(const Message& m, std::ostream& out) {
  const auto put = [&](std::string_view tag, const Value& value) {
    out << std::quoted(tag) << ' ' << TypeName(value.type()) << ' '
        << std::quoted(value.ToText()) << '\n';
  };
  const BodyKind kind = m.body_kind();
  if (kind == BodyKind::kData) put("d", Value::Binary(m.body_view()));
  if (kind == BodyKind::kValue) put("v", m.body_value());
  if (kind == BodyKind::kSequence) put("s", m.body_value());
  if (m.has(Field::kKey)) put("k", Value::Binary(m.key()));
  if (m.has(Field::kId)) put("i" + std::string(TypeName(m.id_type())), m.id());
  for (const Property& p : m.properties()) put("p" + p.name, p.value);
}

// False when the file is damaged.
bool Decode(std::istream& in, Message* m) {
  std::string tag, type, text;
  while (in >> std::quoted(tag) >> type >> std::quoted(text)) {
    const auto value =
        Value::Parse(TypeFromName(type).value_or(Type::kNull), text);
    if (tag.empty() || !value.ok()) return false;
    const std::string name = tag.substr(1);
    if (tag[0] == 'd') m->set_body(value->text());
    if (tag[0] == 'v') m->set_value_body(*value);
    if (tag[0] == 's') m->set_sequence_body(*value);
    if (tag[0] == 'k') m->set_key(value->text());
    if (tag[0] == 'i') m->set_id(value->text(), *TypeFromName(name));
    if (tag[0] == 'p') m->set_property(name, *value);
  }
  return in.eof();
}

using Entry = std::pair<const uint64_t, uint32_t>;  // number, attempts
// One queue; shared by connections on any thread.
class Folder {
 public:
  explicit Folder(fs::path path) : path_(std::move(path)) {
    for (const auto& file : fs::directory_iterator(path_)) {
      if (file.path().extension() != ".message") continue;
      waiting_[std::stoull(file.path().stem())] = 0;
    }
    if (!waiting_.empty()) last_ = waiting_.rbegin()->first;
  }
  // The number, or -1 when it can't be written.
  int64_t Put(const Message& message) {
    std::lock_guard lock(mu_);
    std::ofstream part(path_ / "part", std::ios::binary);
    Encode(message, part);
    part.close();
    std::error_code error;
    if (part) fs::rename(path_ / "part", FileOf(last_ + 1), error);
    if (!part || error) return -1;
    waiting_[++last_] = 0;
    return static_cast<int64_t>(last_);
  }
  std::optional<Entry> Take(Message* message) {
    std::lock_guard lock(mu_);
    while (!waiting_.empty()) {
      const Entry entry = *waiting_.begin();
      waiting_.erase(waiting_.begin());
      std::ifstream file(FileOf(entry.first), std::ios::binary);
      if (Decode(file, message)) return entry;  // a damaged file stays there
    }
    return std::nullopt;
  }
  void Return(const Entry& entry) {
    std::lock_guard lock(mu_);
    waiting_.insert(entry);
  }
  void Remove(const Entry& entry) { fs::remove(FileOf(entry.first)); }

 private:
  fs::path FileOf(uint64_t number) const {
    return path_ / (std::to_string(number) + ".message");
  }
  const fs::path path_;
  std::mutex mu_;
  uint64_t last_ = 0;
  std::map<uint64_t, uint32_t> waiting_;
};

// The folder at a path, the same for all; null when there is none.
std::shared_ptr<Folder> Open(const fs::path& path) {
  static std::mutex mu;
  static auto* folders = new std::map<std::string, std::shared_ptr<Folder>>;
  std::lock_guard lock(mu);
  if (!fs::is_directory(path)) return nullptr;
  std::shared_ptr<Folder>& folder = (*folders)[path.string()];
  return folder ? folder : folder = std::make_shared<Folder>(path);
}

Capabilities Can() {
  Capabilities can;
  can.add(Capability::kOrdering).add(Capability::kBrokerRedelivery);
  can.add(Capability::kAttemptCount).add(Capability::kSingleSettle);
  can.dropped_fields = absl::StrSplit(  // what this short example leaves out
      "correlation_id subject content_type content_encoding to reply_to "
      "reply_to_key user_id group_sequence priority durable ttl created "
      "expires deliver_at annotations",
      ' ');
  return can;
}

// What senders and receivers share: a folder to open, a sink to tell, an end.
using Handles = std::vector<struct Handle*>;
struct Handle {
  Handle(fs::path p, Handles* a) : path(std::move(p)), all(a) {
    all->push_back(this);
  }
  virtual ~Handle() { std::erase(*all, this); }
  virtual void Step() = 0;
  template <typename Sink>
  bool OpenThen(Sink* sink) {
    if (folder != nullptr || closed) return !closed;
    closed = (folder = Open(path)) == nullptr;
    closed ? sink->OnClosed(absl::NotFoundError("no folder " + path.string()))
           : sink->OnOpened(Can());
    return !closed;
  }
  const fs::path path;
  Handles* const all;
  std::shared_ptr<Folder> folder;
  bool closing = false, closed = false;
};

struct FileSender final : SenderDriver, Handle {
  FileSender(const fs::path& p, Handles* a, SenderSink* s)
      : Handle(p, a), sink(s) {}
  size_t Submit(std::span<const Outbound> batch, bool atomic) override {
    blocked = folder == nullptr;
    if (blocked || atomic) return 0;
    for (const Outbound& one : batch) {
      Outcome& outcome = outcomes.emplace_back();
      outcome.cookie = one.cookie;
      outcome.position = folder->Put(*one.message);
      outcome.fate = outcome.position < 0 ? Fate::kNotTaken : Fate::kAccepted;
      if (outcome.position < 0) outcome.why = absl::UnavailableError("no room");
    }
    return batch.size();
  }
  void Close() override { closing = true; }
  void Step() override {
    if (!OpenThen(sink)) return;
    if (!outcomes.empty()) sink->OnOutcomes(std::exchange(outcomes, {}));
    if (std::exchange(blocked, false)) sink->OnSendable();
    if ((closed = closing && outcomes.empty())) sink->OnClosed({});
  }
  SenderSink* const sink;
  std::vector<Outcome> outcomes;
  bool blocked = false;
};

struct FileReceiver final : ReceiverDriver, Handle {
  FileReceiver(const fs::path& p, Handles* a, ReceiverSink* s)
      : Handle(p, a), sink(s) {}
  ~FileReceiver() override { GiveBack(); }
  void GiveBack() {
    for (auto& [id, entry] : std::exchange(held, {})) folder->Return(entry);
  }
  void Grant(Lane, uint32_t n, uint64_t size) override {
    messages += n;
    bytes += std::min(size, UINT64_MAX - bytes);
  }
  void Drain() override {
    messages = bytes = 0;
    draining = true;
  }
  void Settle(std::span<const Settlement> list) override {
    for (const Settlement& one : list) {
      settled.push_back({one.token, one.verb, SettleOne(one), {}});
    }
  }
  absl::Status SettleOne(const Settlement& one) {
    const bool mine = one.token.lane == Lane{0} && one.token.epoch == 1;
    auto it = held.find(one.token.id);
    if (!mine || it == held.end()) return absl::AbortedError("not held");
    if (one.verb > Verb::kRelease) return kCanNot;
    if (one.verb == Verb::kAbandon) ++it->second.second;
    one.verb == Verb::kComplete ? folder->Remove(it->second)
                                : folder->Return(it->second);
    held.erase(it);
    return absl::OkStatus();
  }
  void DropLane(Lane, uint32_t) override {}  // the one lane stays
  void Close() override { closing = true; }
  void Step() override {
    if (!OpenThen(sink)) return;
    if (!settled.empty()) sink->OnSettled(std::exchange(settled, {}));
    if (std::exchange(draining, false)) sink->OnDrained();
    for (int i = 0; i < 64 && !closing && messages > 0 && bytes > 0; ++i) {
      Inbound in;
      const std::optional<Entry> entry = folder->Take(&in.message);
      if (!entry) break;
      --messages;
      bytes -= std::min<uint64_t>(bytes, in.message.body_view().size());
      in.token = {Lane{0}, 1, ++last_id};
      in.position = static_cast<int64_t>(entry->first);
      in.attempts = entry->second;
      in.redelivered = in.attempts > 0;
      held.emplace(last_id, *entry);
      sink->OnDeliveries({&in, 1});
    }
    if (!(closed = closing && settled.empty())) return;
    GiveBack();
    sink->OnClosed({});
  }
  ReceiverSink* const sink;
  std::map<uint64_t, Entry> held;  // by token id
  std::vector<Settled> settled;
  uint64_t last_id = 0, messages = 0, bytes = 0;
  bool draining = false;
};

struct FileConnection final : Connection {
  FileConnection(fs::path d, ConnectionSink* s)
      : directory_(std::move(d)), sink_(s) {}
  PollSet pollable() const override { return {}; }
  Progress Run(absl::Time now) override {
    if (over_) return {};
    if (!std::exchange(up_, true)) sink_->OnUp(Can());
    for (size_t i = 0; i < handles_.size(); ++i) handles_[i]->Step();
    for (Reply& reply : std::exchange(replies_, {})) sink_->OnReply(reply);
    if ((over_ = closing_)) sink_->OnLost(absl::OkStatus());
    return {false, now + absl::Milliseconds(2)};  // files call nobody
  }
  absl::StatusOr<std::unique_ptr<SenderDriver>> OpenSender(
      const SenderSpec& spec, SenderSink* sink) override {
    return std::make_unique<FileSender>(directory_ / spec.queue.entity,
                                        &handles_, sink);
  }
  absl::StatusOr<std::unique_ptr<ReceiverDriver>> OpenReceiver(
      const ReceiverSpec& spec, ReceiverSink* sink) override {
    if (spec.browse) return kCanNot;
    return std::make_unique<FileReceiver>(directory_ / spec.queue.entity,
                                          &handles_, sink);
  }
  void Ask(uint64_t cookie, Request request) override {
    Reply& reply = replies_.emplace_back();
    reply.cookie = cookie;
    if (request.op != Request::Op::kPing) reply.status = kCanNot;
  }
  void Close(absl::Time) override { closing_ = true; }

  const fs::path directory_;
  ConnectionSink* const sink_;
  Handles handles_;
  std::vector<Reply> replies_;
  bool up_ = false, closing_ = false, over_ = false;
};

struct FileDriver final : Driver {
  Capabilities capabilities() const override { return Can(); }
  absl::Status Check(const BrokerConfig& broker,
                     const std::vector<QueueConfig>&) const override {
    if (broker.settings.contains("directory")) return absl::OkStatus();
    return absl::InvalidArgumentError(broker.name + ": no setting directory");
  }
  absl::StatusOr<std::unique_ptr<Connection>> Connect(
      const BrokerConfig& broker, ConnectionSink* sink, Waker*, const Clock*,
      absl::Time) override {
    if (absl::Status s = Check(broker, {}); !s.ok()) return s;
    const fs::path d = broker.settings.at("directory");
    return std::make_unique<FileConnection>(d, sink);
  }
};
}  // namespace

std::shared_ptr<Driver> MakeDriver() { return std::make_shared<FileDriver>(); }
}  // namespace file_queue
