// What other processes are asked, and what follows from their answers.
#include <atomic>
#include <future>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "lib/base/status.h"
#include "lib/control/control_server.h"
#include "lib/move/socket_members.h"
#include "tests/engine/rig.h"
#include "tests/store/temp_folder.h"

namespace tieline {
namespace {

constexpr absl::Duration kShort = absl::Milliseconds(50);

std::unique_ptr<ControlServer> Serve(const std::string& path,
                                     ControlHandler handler) {
  auto server = ControlServer::Open(path, std::move(handler));
  INFO(server.status().ToString());
  REQUIRE(server.ok());
  return *std::move(server);
}

ControlHandler Says(std::string line) {
  return [line = std::move(line)](std::string_view) { return line; };
}

std::string Answer(const std::string& standing, const std::string& run) {
  return R"({"ok":true,"standing":")" + standing + R"(","run":")" + run +
         R"("})";
}

MemberAnswers Ask(SocketMembers& members, std::vector<std::string> sockets) {
  std::promise<MemberAnswers> answered;
  members.Ask({std::move(sockets), "q", 7, [&](MemberAnswers answers) {
                 answered.set_value(std::move(answers));
               }});
  auto answers = answered.get_future();
  REQUIRE(answers.wait_for(std::chrono::seconds(30)) ==
          std::future_status::ready);
  return answers.get();
}

TEST_CASE("each member is asked, and says how it stands") {
  const testing::TempFolder folder;
  std::string heard;
  const auto one = Serve(folder.File("1"), [&](std::string_view request) {
    heard = request;
    return Answer("late", "r1");
  });
  const auto two = Serve(folder.File("2"), Says(Answer("sending", "r2")));
  SocketMembers members("own");
  const MemberAnswers answers =
      Ask(members, {folder.File("1"), folder.File("2")});
  CHECK(heard == R"({"op":"standing","queue":"q","generation":7})");
  REQUIRE(answers.size() == 2);
  CHECK(answers[0].status.ok());
  CHECK(answers[0].standing == Standing::kLate);
  CHECK(answers[0].run == "r1");
  CHECK(answers[1].socket == folder.File("2"));
  CHECK(answers[1].standing == Standing::kSending);
}

TEST_CASE("who does not use the queue is left out, and so is oneself") {
  const testing::TempFolder folder;
  const auto other =
      Serve(folder.File("1"),
            Says(R"({"ok":false,"code":"NOT_FOUND","error":"no queue"})"));
  std::atomic<int> asked{0};
  const auto own = Serve(folder.File("2"), [&](std::string_view) {
    ++asked;
    return Answer("draining", "own");
  });
  SocketMembers members("own");
  for (int i = 0; i < 3; ++i) {
    CHECK(Ask(members, {folder.File("1"), folder.File("2")}).empty());
  }
  CHECK(asked == 1);
}

TEST_CASE("a member that is dead, silent or talks nonsense has not answered") {
  const testing::TempFolder folder;
  std::promise<void> go_on;
  const auto waits = go_on.get_future().share();
  const auto silent = Serve(folder.File("silent"), [&](std::string_view) {
    waits.wait();
    return std::string("late");
  });
  std::vector<std::string> sockets = {folder.File("none"),
                                      folder.File("silent")};
  std::vector<std::unique_ptr<ControlServer>> servers;
  const auto add = [&](std::string line) {
    sockets.push_back(folder.File(std::to_string(servers.size())));
    servers.push_back(Serve(sockets.back(), Says(std::move(line))));
  };
  add("nonsense");
  add("");
  add(std::string(60000, '['));
  add(std::string(size_t{3} << 20, 'x'));
  add("{}");
  add(R"({"ok":true})");
  add(R"({"ok":true,"standing":1,"run":"r"})");
  add(R"({"ok":true,"standing":"gone","run":"r"})");
  add(R"({"ok":true,"standing":"late"})");
  add(Answer("late", ""));
  add(Answer("late", std::string(65, 'r')));
  add(R"({"ok":false,"code":"OK","error":"\n)" + std::string(5000, 'x') +
      R"("})");
  SocketMembers members("own", kShort);
  const MemberAnswers answers = Ask(members, sockets);
  CHECK(answers.size() == sockets.size());
  for (const MemberAnswer& answer : answers) {
    INFO(answer.socket << ": " << answer.status);
    CHECK_FALSE(answer.status.ok());
    CHECK(MessageOf(answer.status).size() <= 200);
    CHECK(MessageOf(answer.status).find('\n') == std::string_view::npos);
  }
  go_on.set_value();
}

TEST_CASE("a member that answers again is heard") {
  const testing::TempFolder folder;
  SocketMembers members("own");
  const std::vector<std::string> sockets = {folder.File("1")};
  CHECK_FALSE(Ask(members, sockets).at(0).status.ok());
  const auto server = Serve(sockets[0], Says(Answer("drained", "r")));
  CHECK(Ask(members, sockets).at(0).standing == Standing::kDrained);
}

TEST_CASE("asking ends at once, whoever does not answer") {
  const testing::TempFolder folder;
  std::promise<void> asked;
  std::promise<void> go_on;
  const auto waits = go_on.get_future().share();
  const auto silent = Serve(folder.File("1"), [&](std::string_view) {
    asked.set_value();
    waits.wait();
    return Answer("late", "r");
  });
  std::atomic<bool> answered{false};
  // An hour: only the end cuts it short.
  SocketMembers members("own", absl::Hours(1));
  members.Ask(
      {{folder.File("1")}, "q", 1, [&](const auto&) { answered = true; }});
  asked.get_future().wait();
  members.Stop();
  members.Ask(
      {{folder.File("1")}, "q", 1, [&](const auto&) { answered = true; }});
  go_on.set_value();
  CHECK_FALSE(answered);
}

// ---- What follows.

MemberAnswer Said(const std::string& socket, Standing standing,
                  const std::string& run = "r") {
  return {socket, absl::OkStatus(), standing, run};
}

MemberAnswer Silent(const std::string& socket) {
  return {socket, absl::UnavailableError("away"), Standing::kSending, ""};
}

using enum MembersSay;

TEST_CASE("one who went on with all is enough, whoever is away") {
  const MemberAnswers answers = {Silent("1"), Said("2", Standing::kDrained)};
  CHECK(JudgeAnswers(DrainStage::kProved, {}, answers) == kDrained);
  CHECK(JudgeAnswers(DrainStage::kAsking, {}, answers) == kDrained);
}

TEST_CASE("all are through only at the same time, and in the same run") {
  const MemberAnswers late = {Said("1", Standing::kLate),
                              Said("2", Standing::kLate)};
  for (const DrainStage own : {DrainStage::kProved, DrainStage::kAsking}) {
    CHECK(JudgeAnswers(own, late, late) == kDrained);
    CHECK(JudgeAnswers(own, {}, late) == kNothing);
    MemberAnswers before = late;
    before[0].run = "earlier";
    CHECK(JudgeAnswers(own, before, late) == kNothing);
    before = late;
    before[1].standing = Standing::kDraining;
    CHECK(JudgeAnswers(own, before, late) == kNothing);
    CHECK(JudgeAnswers(own, late, {late[0], Silent("2")}) == kNothing);
  }
}

TEST_CASE("who asks reads when all have answered and none is through") {
  const MemberAnswers answers = {Said("1", Standing::kLate),
                                 Said("2", Standing::kDraining)};
  CHECK(JudgeAnswers(DrainStage::kAsking, answers, answers) == kUndrained);
  CHECK(JudgeAnswers(DrainStage::kProved, answers, answers) == kNothing);
  CHECK(JudgeAnswers(DrainStage::kAsking, answers, {answers[1], Silent("1")}) ==
        kNothing);
  // Nobody else uses the queue: nobody has read what is there.
  CHECK(JudgeAnswers(DrainStage::kAsking, {}, {}) == kUndrained);
  CHECK(JudgeAnswers(DrainStage::kProved, {}, {}) == kDrained);
}

TEST_CASE("who is away or may send holds") {
  CHECK(FindHolder({}) == nullptr);
  CHECK(FindHolder({Said("1", Standing::kDraining)}) == nullptr);
  const MemberAnswers answers = {Said("1", Standing::kSending), Silent("2")};
  CHECK(FindHolder(answers)->socket == "2");
  CHECK(FindHolder({answers[0]})->socket == "1");
}

}  // namespace
}  // namespace tieline
