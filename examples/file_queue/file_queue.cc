#include "examples/file_queue/file_queue.h"

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <map>
#include <mutex>

namespace file_queue {
namespace {

using namespace tieline;          // NOLINT: an example is read by few names
using namespace tieline::driver;  // NOLINT
namespace fs = std::filesystem;

// A message file is a list of parts, each behind its size: tag, type, text.
void PutPart(std::string_view part, std::string* out) {
  const size_t size = part.size();
  out->append(reinterpret_cast<const char*>(&size), sizeof(size)).append(part);
}

void Put(std::string_view tag, const Value& value, std::string* out) {
  PutPart(tag, out);
  PutPart(TypeName(value.type()), out);
  PutPart(value.ToText(), out);
}

bool GetPart(std::string_view* in, std::string* part) {
  size_t size = 0;
  if (in->size() < sizeof(size)) return false;
  std::memcpy(&size, in->data(), sizeof(size));
  in->remove_prefix(sizeof(size));
  if (in->size() < size) return false;
  *part = in->substr(0, size);
  in->remove_prefix(size);
  return true;
}

std::string Encode(const Message& m) {
  std::string out;
  const BodyKind kind = m.body_kind();
  if (kind == BodyKind::kData) Put("d", Value::Binary(m.body_view()), &out);
  if (kind == BodyKind::kValue) Put("v", m.body_value(), &out);
  if (kind == BodyKind::kSequence) Put("s", m.body_value(), &out);
  if (m.has(Field::kKey)) Put("k", Value::Binary(m.key()), &out);
  if (m.has(Field::kId)) {
    Put("i" + std::string(TypeName(m.id_type())), m.id(), &out);
  }
  for (const Property& p : m.properties()) Put("p" + p.name, p.value, &out);
  return out;
}

// False when the file is damaged.
bool Decode(std::string_view in, Message* m) {
  std::string tag, type, text;
  while (!in.empty()) {
    if (!GetPart(&in, &tag) || !GetPart(&in, &type) || !GetPart(&in, &text) ||
        tag.empty() || !TypeFromName(type)) {
      return false;
    }
    const auto value = Value::Parse(*TypeFromName(type), text);
    if (!value.ok()) return false;
    const std::string name = tag.substr(1);
    if (tag[0] == 'd') m->set_body(value->text());
    if (tag[0] == 'v') m->set_value_body(*value);
    if (tag[0] == 's') m->set_sequence_body(*value);
    if (tag[0] == 'k') m->set_key(value->text());
    if (tag[0] == 'i') m->set_id(value->text(), *TypeFromName(name));
    if (tag[0] == 'p') m->set_property(name, *value);
  }
  return true;
}

struct Entry {
  uint64_t number = 0;
  uint32_t attempts = 0;
  bool redelivered = false;
};

// One queue; shared by connections on any thread.
class Folder {
 public:
  explicit Folder(fs::path path) : path_(std::move(path)) {
    for (const auto& file : fs::directory_iterator(path_)) {
      if (file.path().extension() != ".message") continue;
      last_ = std::stoull(file.path().stem());
      waiting_[last_] = {last_, 0, true};
    }
    if (!waiting_.empty()) last_ = waiting_.rbegin()->first;
  }
  // The number, or -1 when it can't be written.
  int64_t Put(const Message& message) {
    std::lock_guard lock(mu_);
    std::ofstream part(path_ / "part", std::ios::binary);
    part << Encode(message) << std::flush;
    std::error_code error;
    if (part) fs::rename(path_ / "part", FileOf(last_ + 1), error);
    if (!part || error) return -1;
    waiting_[++last_] = {last_, 0, false};
    return static_cast<int64_t>(last_);
  }
  bool Take(Entry* entry, Message* message) {
    std::lock_guard lock(mu_);
    while (!waiting_.empty()) {
      *entry = waiting_.extract(waiting_.begin()).mapped();
      std::ifstream file(FileOf(entry->number), std::ios::binary);
      const std::string bytes(std::istreambuf_iterator<char>(file), {});
      *message = Message();
      if (Decode(bytes, message)) return true;  // a damaged file stays
    }
    return false;
  }
  void Return(Entry entry) {
    std::lock_guard lock(mu_);
    entry.redelivered = true;
    waiting_[entry.number] = entry;
  }
  void Remove(const Entry& entry) { fs::remove(FileOf(entry.number)); }

 private:
  fs::path FileOf(uint64_t number) const {
    return path_ / (std::to_string(number) + ".message");
  }
  const fs::path path_;
  std::mutex mu_;
  uint64_t last_ = 0;
  std::map<uint64_t, Entry> waiting_;
};

Capabilities Can() {
  Capabilities can;
  can.add(Capability::kOrdering).add(Capability::kBrokerRedelivery);
  can.add(Capability::kAttemptCount).add(Capability::kSingleSettle);
  can.dropped_fields = {"correlation_id",   "subject", "content_type",
                        "content_encoding", "to",      "reply_to",
                        "reply_to_key",     "user_id", "group_sequence",
                        "priority",         "durable", "ttl",
                        "created",          "expires", "deliver_at",
                        "annotations"};
  return can;
}

// What senders and receivers share: a folder to open, a sink to tell, an end.
struct Handle {
  virtual ~Handle() { std::erase(*all, this); }
  virtual void Step() = 0;
  template <typename Sink>
  bool OpenThen(Sink* sink) {
    if (folder != nullptr || closed) return !closed;
    folder = open(path);
    closed = folder == nullptr;
    closed ? sink->OnClosed(absl::NotFoundError("no folder " + path.string()))
           : sink->OnOpened(Can());
    return !closed;
  }
  fs::path path;
  std::function<std::shared_ptr<Folder>(const fs::path&)> open;
  std::vector<Handle*>* all = nullptr;
  std::shared_ptr<Folder> folder;
  bool closing = false, closed = false;
};

const auto kCannotWrite = absl::UnavailableError("the file can't be written");

struct FileSender final : SenderDriver, Handle {
  size_t Submit(std::span<const Outbound> batch, bool atomic) override {
    blocked = folder == nullptr;
    if (blocked || atomic) return 0;
    for (const Outbound& one : batch) {
      const int64_t number = folder->Put(*one.message);
      const bool ok = number >= 0;
      outcomes.push_back({one.cookie,
                          ok ? Fate::kAccepted : Fate::kNotTaken,
                          number,
                          ok ? absl::Status() : kCannotWrite,
                          {}});
    }
    return batch.size();
  }
  void Close() override { closing = true; }
  void Step() override {
    if (!OpenThen(sink)) return;
    if (!outcomes.empty()) sink->OnOutcomes(std::exchange(outcomes, {}));
    if (std::exchange(blocked, false)) sink->OnSendable();
    closed = closing && outcomes.empty();
    if (closed) sink->OnClosed({});
  }
  SenderSink* sink;
  std::vector<Outcome> outcomes;
  bool blocked = false;
};

struct FileReceiver final : ReceiverDriver, Handle {
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
    if (one.verb > Verb::kRelease) {
      return absl::UnimplementedError("files are completed or given back");
    }
    Entry entry = held.extract(it).mapped();
    if (one.verb == Verb::kComplete) folder->Remove(entry);
    if (one.verb == Verb::kAbandon) ++entry.attempts;
    if (one.verb != Verb::kComplete) folder->Return(entry);
    return absl::OkStatus();
  }
  void DropLane(Lane, uint32_t) override {}  // the one lane stays
  void Close() override { closing = true; }
  void Step() override {
    if (!OpenThen(sink)) return;
    if (!settled.empty()) sink->OnSettled(std::exchange(settled, {}));
    if (std::exchange(draining, false)) sink->OnDrained();
    for (int i = 0; i < 64 && !closing && messages > 0 && bytes > 0; ++i) {
      Entry entry;
      Inbound in;
      if (!folder->Take(&entry, &in.message)) break;
      --messages;
      bytes -= std::min<uint64_t>(bytes, in.message.body_view().size());
      in.token = {Lane{0}, 1, ++last_id};
      in.position = static_cast<int64_t>(entry.number);
      in.attempts = entry.attempts;
      in.redelivered = entry.redelivered;
      held[last_id] = entry;
      sink->OnDeliveries({&in, 1});
    }
    closed = closing && settled.empty();
    if (!closed) return;
    GiveBack();
    sink->OnClosed({});
  }
  ReceiverSink* sink;
  std::map<uint64_t, Entry> held;  // by token id
  std::vector<Settled> settled;
  uint64_t last_id = 0, messages = 0, bytes = 0;
  bool draining = false;
};

class FileConnection final : public Connection {
 public:
  FileConnection(fs::path directory, decltype(Handle::open) open,
                 ConnectionSink* sink)
      : directory_(std::move(directory)), open_(std::move(open)), sink_(sink) {}
  PollSet pollable() const override { return {}; }
  Progress Run(absl::Time now) override {
    if (over_) return {};
    if (!std::exchange(up_, true)) sink_->OnUp(Can());
    for (size_t i = 0; i < handles_.size(); ++i) handles_[i]->Step();
    for (Reply& reply : std::exchange(replies_, {})) {
      sink_->OnReply(std::move(reply));
    }
    over_ = closing_;
    if (over_) sink_->OnLost(absl::OkStatus());
    return {false, now + absl::Milliseconds(2)};  // files call nobody
  }
  absl::StatusOr<std::unique_ptr<SenderDriver>> OpenSender(
      const SenderSpec& spec, SenderSink* sink) override {
    return Add<FileSender>(spec.queue, sink);
  }
  absl::StatusOr<std::unique_ptr<ReceiverDriver>> OpenReceiver(
      const ReceiverSpec& spec, ReceiverSink* sink) override {
    if (spec.browse) return absl::UnimplementedError("files can't be browsed");
    return Add<FileReceiver>(spec.queue, sink);
  }
  void Ask(uint64_t cookie, Request request) override {
    Reply& reply = replies_.emplace_back();
    reply.cookie = cookie;
    if (request.op == Request::Op::kPing) return;
    reply.status = absl::UnimplementedError("not with files");
  }
  void Close(absl::Time) override { closing_ = true; }

 private:
  template <typename T, typename Sink>
  std::unique_ptr<T> Add(const QueueConfig& queue, Sink* sink) {
    auto handle = std::make_unique<T>();
    handle->path = directory_ / queue.entity;
    handle->open = open_;
    handle->all = &handles_;
    handle->sink = sink;
    handles_.push_back(handle.get());
    return handle;
  }
  const fs::path directory_;
  const decltype(Handle::open) open_;
  ConnectionSink* const sink_;
  std::vector<Handle*> handles_;
  std::vector<Reply> replies_;
  bool up_ = false, closing_ = false, over_ = false;
};

class FileDriver final : public Driver {
 public:
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
    return std::make_unique<FileConnection>(
        broker.settings.at("directory"),
        [this](const fs::path& path) { return Open(path); }, sink);
  }

 private:
  std::shared_ptr<Folder> Open(const fs::path& path) {
    std::lock_guard lock(mu_);
    std::shared_ptr<Folder>& folder = folders_[path.string()];
    if (folder == nullptr && fs::is_directory(path)) {
      folder = std::make_shared<Folder>(path);
    }
    return folder;
  }
  std::mutex mu_;
  std::map<std::string, std::shared_ptr<Folder>> folders_;
};

}  // namespace

std::shared_ptr<Driver> MakeDriver() { return std::make_shared<FileDriver>(); }

}  // namespace file_queue
