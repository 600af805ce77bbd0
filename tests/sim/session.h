// Session: a connection as it lies between its two ends. Requests and answers
// keep their order each way, and take their time; what is cut is lost from a
// moment on.
#ifndef TIELINE_TESTS_SIM_SESSION_H_
#define TIELINE_TESTS_SIM_SESSION_H_

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "tests/sim/entity.h"
#include "tests/sim/timeline.h"
#include "tieline/message.h"

namespace tieline::sim {

class SimBroker;
class SimConnection;

// Done at the client's end, inside Connection::Run.
using Answer = std::function<void(SimConnection&)>;

struct SentMessage {
  uint64_t cookie = 0;
  Message message;
  int number = -1;
};
using SentMessages = std::vector<SentMessage>;

// The broker's end of a sender or receiver.
struct BrokerLink {
  bool reads = false;
  std::string entity;
  Reader reader;
  // Where order is kept for what is on its way: one was not taken, and so none
  // of those behind it, until the client has heard of all.
  bool refusing = false;
};

struct Session {
  SimBroker* broker = nullptr;
  SimConnection* client = nullptr;  // null: gone
  uint64_t id = 0;
  bool gone = false;                            // at the broker
  absl::Time cut = absl::InfiniteFuture();      // what arrives later is lost
  absl::Time up_edge = absl::InfinitePast();    // the last request's arrival
  absl::Time down_edge = absl::InfinitePast();  // the last answer's
  std::map<uint32_t, BrokerLink> links;

  // To be done at the broker when it has arrived there, if it does.
  void Up(Timeline::Step step);
  // To be done at the client; `extra` late, then out of order.
  void Down(Answer answer, absl::Duration extra = absl::ZeroDuration());

  void Arrive(const Timeline::Step& step);
};

}  // namespace tieline::sim

#endif  // TIELINE_TESTS_SIM_SESSION_H_
