#include "tests/sim/network.h"

#include <utility>

#include "absl/strings/str_cat.h"

namespace tieline::sim {
namespace {

// As that of SocketMembers.
constexpr absl::Duration kAnswerTime = absl::Seconds(1);

}  // namespace

// One process's, from its start to its end.
class SimNetwork::Desk final : public Members {
 public:
  Desk(SimNetwork* network, Process* process, std::string run, Answer answer)
      : network_(network),
        process_(process),
        run_(std::move(run)),
        answer_(std::move(answer)) {
    network_->desks_[process_->address()] = this;
  }
  ~Desk() override { Stop(); }
  Desk(const Desk&) = delete;
  Desk& operator=(const Desk&) = delete;

  void Ask(Question question) override;
  void Stop() override {
    if (!std::exchange(*is_here_, false)) return;
    network_->desks_.erase(process_->address());
  }

  Process& process() { return *process_; }
  const std::string& run() const { return run_; }
  const Answer& answer() const { return answer_; }

 private:
  SimNetwork* const network_;
  Process* const process_;
  const std::string run_;
  const Answer answer_;
  // Who asks may be gone before it is answered.
  const std::shared_ptr<bool> is_here_ = std::make_shared<bool>(true);
};

struct SimNetwork::Asking {
  Members::Question question;
  Process* process = nullptr;
  std::shared_ptr<bool> is_here;
  size_t at = 0;  // of question.sockets
  MemberAnswers answers;

  const std::string& socket() const { return question.sockets[at]; }
};

void SimNetwork::Desk::Ask(Question question) {
  if (!*is_here_) return;
  auto asking = std::make_shared<Asking>();
  asking->question = std::move(question);
  asking->process = process_;
  asking->is_here = is_here_;
  network_->GoOn(asking);
}

SimNetwork::SimNetwork(Timeline* timeline, Rng rng)
    : timeline_(timeline), rng_(rng) {
  SetMemberNetwork(this);
}

SimNetwork::~SimNetwork() { SetMemberNetwork(nullptr); }

std::unique_ptr<Members> SimNetwork::Join(const Clock* clock, Answer answer) {
  Process* process = static_cast<const SimClock*>(clock)->process();
  return std::make_unique<Desk>(
      this, process, absl::StrCat(process->address(), ".", ++joined_),
      std::move(answer));
}

absl::Duration SimNetwork::Latency() {
  return rng_.Between(absl::Microseconds(20), absl::Milliseconds(5));
}

void SimNetwork::GoOn(const std::shared_ptr<Asking>& asking) {
  timeline_->After(Latency(), [this, asking] {
    if (!*asking->is_here) return;
    const std::vector<std::string>& sockets = asking->question.sockets;
    if (asking->at < sockets.size() &&
        sockets[asking->at] == asking->process->address()) {
      ++asking->at;
    }
    if (asking->at < sockets.size()) {
      Reach(asking);
      return;
    }
    asking->question.done(std::move(asking->answers));
    asking->process->Touch();
  });
}

void SimNetwork::Reach(const std::shared_ptr<Asking>& asking) {
  const auto at = desks_.find(asking->socket());
  if (at == desks_.end()) {
    Fail(asking, absl::UnavailableError("nobody is there"));
    return;
  }
  const absl::Duration wait =
      at->second->process().stalled_until() - timeline_->now();
  if (wait <= absl::ZeroDuration()) {
    AskNow(asking);
    return;
  }
  if (wait <= kAnswerTime) {
    timeline_->After(wait, [this, asking] { AskNow(asking); });
    return;
  }
  timeline_->After(kAnswerTime, [this, asking] {
    Fail(asking, absl::DeadlineExceededError("it does not answer"));
  });
}

void SimNetwork::AskNow(const std::shared_ptr<Asking>& asking) {
  const auto at = desks_.find(asking->socket());
  if (at == desks_.end()) {
    Fail(asking, absl::UnavailableError("it has ended"));
    return;
  }
  const auto said =
      at->second->answer()(asking->question.queue, asking->question.generation);
  if (said.ok()) {
    asking->answers.push_back(
        {asking->socket(), absl::OkStatus(), *said, at->second->run()});
  } else if (!absl::IsNotFound(said.status())) {
    Fail(asking, said.status());
    return;
  }
  ++asking->at;
  GoOn(asking);
}

void SimNetwork::Fail(const std::shared_ptr<Asking>& asking,
                      absl::Status status) {
  MemberAnswer answer;
  answer.socket = asking->socket();
  answer.status = std::move(status);
  asking->answers.push_back(std::move(answer));
  ++asking->at;
  GoOn(asking);
}

}  // namespace tieline::sim
