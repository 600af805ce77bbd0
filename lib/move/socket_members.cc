#include "lib/move/socket_members.h"

#include <pthread.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <utility>

#include "lib/base/status.h"
#include "lib/control/reply.h"

namespace tieline::inline v0 {
namespace {

// A process that lives takes a connection at once.
constexpr absl::Duration kConnectTime = absl::Milliseconds(200);
// Of what a process says of itself.
constexpr size_t kMaxRunBytes = 64;
constexpr size_t kMaxErrorBytes = 200;

std::optional<Standing> ReadStanding(const control::Json& answer) {
  const auto it = answer.find("standing");
  if (it == answer.end() || !it->is_string()) return std::nullopt;
  for (const Standing standing : {Standing::kSending, Standing::kDraining,
                                  Standing::kLate, Standing::kDrained}) {
    if (it->get_ref<const std::string&>() == StandingName(standing)) {
      return standing;
    }
  }
  return std::nullopt;
}

std::optional<std::string> ReadRun(const control::Json& answer) {
  const auto it = answer.find("run");
  if (it == answer.end() || !it->is_string()) return std::nullopt;
  auto run = it->get<std::string>();
  if (run.empty() || run.size() > kMaxRunBytes) return std::nullopt;
  return run;
}

// What another process says stays short, and on one line.
absl::Status Readable(const absl::Status& status) {
  std::string text(MessageOf(status).substr(0, kMaxErrorBytes));
  std::replace_if(
      text.begin(), text.end(), [](char c) { return c < ' ' || c > '~'; }, '?');
  return absl::Status(status.code(), text);
}

}  // namespace

void SocketMembers::Ask(Question question) {
  MutexLock lock(&mu_);
  if (stopped_) return;
  waiting_.push_back({std::move(question), {}});
  asked_cv_.NotifyOne();
  if (thread_.joinable()) return;
  thread_ = std::thread([this] { Run(); });
  pthread_setname_np(thread_.native_handle(), "tieline-members");
}

void SocketMembers::Stop() {
  std::vector<Waiting> dropped;
  std::thread thread;
  {
    MutexLock lock(&mu_);
    stopped_ = true;
    dropped.swap(waiting_);
    if (asking_ != nullptr) asking_->Cancel();
    asked_cv_.NotifyOne();
    thread = std::move(thread_);
  }
  if (thread.joinable()) thread.join();
}

bool SocketMembers::stopped() const {
  MutexLock lock(&mu_);
  return stopped_;
}

void SocketMembers::Run() {
  while (true) {
    std::vector<Waiting> waiting;
    {
      MutexLock lock(&mu_);
      while (waiting_.empty() && !stopped_) asked_cv_.Wait(&mu_);
      if (stopped_) return;
      waiting.swap(waiting_);
    }
    std::set<std::string> sockets;
    for (const Waiting& each : waiting) {
      sockets.insert(each.question.sockets.begin(),
                     each.question.sockets.end());
    }
    for (const std::string& socket : sockets) {
      if (!own_.contains(socket)) AskAt(socket, waiting);
    }
    for (Waiting& each : waiting) {
      if (stopped()) return;
      each.question.done(std::move(each.answers));
    }
  }
}

void SocketMembers::AskAt(const std::string& socket,
                          std::vector<Waiting>& waiting) {
  auto client = ControlClient::Connect(socket, kConnectTime);
  absl::Status status = client.status();
  if (status.ok()) {
    MutexLock lock(&mu_);
    if (stopped_) return;
    asking_ = client->get();
  }
  for (Waiting& each : waiting) {
    const std::vector<std::string>& asked = each.question.sockets;
    if (std::find(asked.begin(), asked.end(), socket) == asked.end()) continue;
    // After an error the connection is of no use.
    if (status.ok()) status = AskOne(**client, socket, each);
    if (!status.ok()) {
      MemberAnswer answer;
      answer.socket = socket;
      answer.status = Readable(status);
      each.answers.push_back(std::move(answer));
    }
  }
  MutexLock lock(&mu_);
  asking_ = nullptr;
}

absl::Status SocketMembers::AskOne(ControlClient& client,
                                   const std::string& socket,
                                   Waiting& waiting) {
  TIELINE_ASSIGN_OR_RETURN(
      const std::string line,
      client.Ask(control::ToLine({{"op", "standing"},
                                  {"queue", waiting.question.queue},
                                  {"generation", waiting.question.generation}}),
                 answer_time_));
  const auto reply = control::ReadReply(line);
  // It does not use the queue.
  if (absl::IsNotFound(reply.status())) return absl::OkStatus();
  TIELINE_RETURN_IF_ERROR(reply.status());
  const std::optional<Standing> standing = ReadStanding(*reply);
  const std::optional<std::string> run = ReadRun(*reply);
  if (!standing || !run) {
    return absl::InternalError(
        "the answer has no \"standing\" and \"run\" that could be understood");
  }
  if (*run == run_) {
    own_.insert(socket);
    return absl::OkStatus();
  }
  waiting.answers.push_back({socket, absl::OkStatus(), *standing, *run});
  return absl::OkStatus();
}

}  // namespace tieline::inline v0
