#include "adapters/amqp/requests.h"

#include <algorithm>
#include <utility>

#include "adapters/amqp/connection.h"
#include "adapters/amqp/tasks.h"
#include "lib/base/status.h"

namespace tieline::inline v0::amqp {
namespace {

using Op = driver::Request::Op;

// Null: this broker has no such operation.
std::unique_ptr<Task> MakeTask(AmqpConnection* connection,
                               driver::Request request) {
  bool artemis = connection->product() == Product::kArtemis;
  switch (request.op) {
    case Op::kPing:
      return std::make_unique<PingTask>(connection, std::move(request));
    case Op::kCreateEntity:
      return std::make_unique<CreateTask>(connection, std::move(request));
    case Op::kPeek:
      if (!artemis) return nullptr;
      return std::make_unique<PeekTask>(connection, std::move(request));
    case Op::kDepth:
    case Op::kUndrained:
    case Op::kFixStart:
    case Op::kListEntities:
    case Op::kDeleteEntity:
      if (!artemis) return nullptr;
      return std::make_unique<ManagementTask>(connection, std::move(request));
    default:
      return nullptr;
  }
}

}  // namespace

void Requests::Ask(uint64_t cookie, driver::Request request) {
  waiting_.emplace_back(cookie, std::move(request));
}

void Requests::Start() {
  for (auto& [cookie, request] : std::exchange(waiting_, {})) {
    std::unique_ptr<Task> task = MakeTask(connection_, std::move(request));
    if (task == nullptr) {
      driver::Reply reply;
      reply.cookie = cookie;
      reply.status = MakeStatus(absl::StatusCode::kUnimplemented,
                                "{}: this broker can't do that over AMQP",
                                connection_->where());
      connection_->sink()->OnReply(std::move(reply));
      continue;
    }
    task->Start();
    open_.push_back({cookie, std::move(task)});
  }
}

void Requests::Run(absl::Time now) {
  if (connection_->up() && !closed_) Start();
  for (size_t i = 0; i < open_.size();) {
    std::optional<driver::Reply>* reply = open_[i].task->reply();
    if (!reply->has_value() && now >= open_[i].task->request().deadline) {
      reply->emplace();
      (*reply)->status = MakeStatus(absl::StatusCode::kDeadlineExceeded,
                                    "{}: the broker did not answer in time",
                                    connection_->where());
    }
    if (!reply->has_value()) {
      ++i;
      continue;
    }
    (*reply)->cookie = open_[i].cookie;
    open_[i].task->Stop();
    std::unique_ptr<Task> done = std::move(open_[i].task);
    open_.erase(open_.begin() + static_cast<ptrdiff_t>(i));
    connection_->sink()->OnReply(*std::move(*done->reply()));
  }
}

void Requests::OnPong() {
  for (Open& one : open_) {
    auto* ping = dynamic_cast<PingTask*>(one.task.get());
    if (ping != nullptr && !ping->reply()->has_value()) {
      ping->OnPong();
      return;
    }
  }
}

void Requests::Close() {
  closed_ = true;
  for (Open& one : open_) one.task->Stop();
}

void Requests::OnLost(const absl::Status& why) {
  auto tell = [&](uint64_t cookie) {
    driver::Reply reply;
    reply.cookie = cookie;
    reply.status = why;
    connection_->sink()->OnReply(std::move(reply));
  };
  for (const Open& one : std::exchange(open_, {})) tell(one.cookie);
  for (const auto& one : std::exchange(waiting_, {})) tell(one.first);
}

bool Requests::answered() const {
  return std::any_of(open_.begin(), open_.end(), [](const Open& one) {
    return one.task->reply()->has_value();
  });
}

absl::Time Requests::deadline() const {
  absl::Time first = absl::InfiniteFuture();
  for (const Open& one : open_) {
    first = std::min(first, one.task->request().deadline);
  }
  return first;
}

}  // namespace tieline::inline v0::amqp
