#include "lib/move/members.h"

#include <atomic>
#include <utility>

#include "lib/move/socket_members.h"

namespace tieline::inline v0 {
namespace {

std::atomic<MemberNetwork*>& Network() {
  static std::atomic<MemberNetwork*> network{nullptr};
  return network;
}

}  // namespace

void SetMemberNetwork(MemberNetwork* network) { Network().store(network); }

std::unique_ptr<Members> MakeMembers(const Clock* clock, std::string run,
                                     MemberNetwork::Answer answer) {
  if (MemberNetwork* network = Network().load(); network != nullptr) {
    return network->Join(clock, std::move(answer));
  }
  return std::make_unique<SocketMembers>(std::move(run));
}

}  // namespace tieline::inline v0
