#include "lib/control/bus_control.h"

#include <unistd.h>

#include <string>

#include "lib/base/status.h"
#include "lib/control/move_json.h"
#include "lib/control/reply.h"
#include "tests/control/fake_target.h"
#include "tests/support/catch.h"

namespace tieline {
namespace {

using control::Json;
using testing::FakeTarget;

absl::StatusOr<Json> Ask(FakeTarget* target, const std::string& request) {
  return control::ReadReply(BusControl(target).Answer(request));
}

Json Answer(FakeTarget* target, const std::string& request) {
  const auto answer = Ask(target, request);
  INFO(request);
  INFO(answer.status().ToString());
  REQUIRE(answer.ok());
  return *answer;
}

TEST_CASE("a process says who it is and what it runs, without secrets") {
  FakeTarget target;
  CHECK(Answer(&target, R"({"op":"ping"})")["pid"] == getpid());
  const Json config = Answer(&target, R"({"op":"config"})");
  const auto yaml = config["yaml"].get<std::string>();
  CHECK(yaml.find("primary") != std::string::npos);
  CHECK(yaml.find("hunter2") == std::string::npos);
}

TEST_CASE("a plan changes nothing, applying it does") {
  FakeTarget target;
  const std::string rest = R"(,"queue":"q","to":"fresh"})";
  Json answer = Answer(&target, R"({"op":"plan")" + rest);
  REQUIRE(answer["moves"].size() == 1);
  const auto move = control::PlannedMoveFromJson(answer["moves"][0]);
  REQUIRE(move.ok());
  CHECK(move->from == "primary");
  CHECK(move->to == "fresh");
  CHECK(move->from_generation == 1);
  CHECK(move->to_generation == 2);
  CHECK(move->notes == std::vector<std::string>{"nothing is proved"});
  CHECK(target.config_.queues.at("q").broker == "primary");

  answer = Answer(&target, R"({"op":"apply")" + rest);
  const QueueConfig& queue = target.config_.queues.at("q");
  CHECK(queue.broker == "fresh");
  CHECK(queue.generation == 2);
  REQUIRE(queue.was.size() == 1);
  CHECK(queue.was[0].broker == "primary");
  CHECK(queue.was[0].generation == 1);
  const auto binding = control::BindingFromJson(answer["binding"]);
  REQUIRE(binding.ok());
  CHECK(binding->broker == "fresh");
  CHECK(binding->was.size() == 1);

  // Again: it is there.
  answer = Answer(&target, R"({"op":"apply")" + rest);
  CHECK(answer["moves"].empty());
  CHECK(answer["binding"]["generation"] == 2);
  answer = Answer(&target, R"({"op":"queue","queue":"q"})");
  CHECK(answer["binding"]["broker"] == "fresh");
}

TEST_CASE("a generation may be named, if it is above the present one") {
  FakeTarget target;
  const std::string apply =
      R"({"op":"apply","queue":"q","to":"fresh","generation":)";
  CHECK(Ask(&target, apply + "1}").status().code() ==
        absl::StatusCode::kInvalidArgument);
  CHECK(Answer(&target, apply + "9}")["binding"]["generation"] == 9);
}

TEST_CASE("messages at the new broker need a word") {
  FakeTarget target;
  const std::string apply = R"({"op":"apply","queue":"q","to":"fresh")";
  CHECK(Ask(&target, apply + R"(,"accept_existing":1})").status().code() ==
        absl::StatusCode::kInvalidArgument);
  Answer(&target, apply + R"(,"accept_existing":true})");
  CHECK(target.accepted_existing_);
}

TEST_CASE("the operator's words reach the move") {
  FakeTarget target;
  Answer(&target, R"({"op":"proceed","queue":"q"})");
  const auto cancelled = Ask(&target, R"({"op":"cancel","queue":"q"})");
  CHECK(cancelled.status().code() == absl::StatusCode::kFailedPrecondition);
  CHECK(MessageOf(cancelled.status()) == "it has moved");
  CHECK(target.told_ == std::vector<std::string>{"proceed q", "cancel q"});
}

TEST_CASE("reports of moves come through as they are") {
  FakeTarget target;
  MoveReport report;
  report.queue = "q";
  report.from = "primary";
  report.to = "fresh";
  report.generation = 2;
  report.state = "draining";
  report.stages = {{"preparing", absl::FromUnixMillis(1700000000123),
                    absl::Milliseconds(12.5)}};
  report.longest_pause = absl::Milliseconds(31);
  report.in_flight = 5;
  report.in_doubt = 4;
  report.drained = 3;
  report.late = 2;
  report.proof = "exact";
  report.status = absl::UnavailableError("primary does not answer");
  report.drained_all = true;
  target.reports_ = {report};
  const Json answer = Answer(&target, R"({"op":"moves"})");
  REQUIRE(answer["moves"].size() == 1);
  const auto read = control::MoveReportFromJson(answer["moves"][0]);
  REQUIRE(read.ok());
  CHECK(control::ToJson(*read) == control::ToJson(report));
  CHECK(read->status == report.status);
  CHECK(read->stages[0].began == report.stages[0].began);
  CHECK(read->longest_pause == report.longest_pause);
  CHECK(read->drained_all);
  CHECK_FALSE(read->over);
}

TEST_CASE("the journal is read in pieces") {
  FakeTarget target;
  for (uint64_t i = 1; i <= 5; ++i) {
    target.journal_.push_back({i, absl::FromUnixSeconds(1700000000), "move",
                               i == 5 ? "not JSON" : R"({"queue":"q"})"});
  }
  Json answer = Answer(&target, R"({"op":"journal","from":2,"limit":3})");
  REQUIRE(answer["entries"].size() == 3);
  CHECK(answer["entries"][0]["number"] == 2);
  CHECK(answer["entries"][0]["detail"]["queue"] == "q");
  CHECK(answer["next"] == 5);
  answer = Answer(&target, R"({"op":"journal","from":5})");
  CHECK(answer["entries"][0]["detail"] == "not JSON");
  answer = Answer(&target, R"({"op":"journal","from":6})");
  CHECK(answer["entries"].empty());
  CHECK(answer["next"] == 6);
  // As much as an answer holds, and no more.
  for (auto& entry : target.journal_) entry.json = std::string(700 << 10, 'x');
  answer = Answer(&target, R"({"op":"journal"})");
  CHECK(answer["entries"].size() == 1);
  CHECK(answer["next"] == 2);
}

TEST_CASE("a member is told how the process stands to a generation") {
  FakeTarget target;
  const std::string ask = R"({"op":"standing","queue":"q","generation":)";
  const Json answer = Answer(&target, ask + "1}");
  CHECK(answer["standing"] == "sending");
  CHECK(answer["run"] == "run-1");
  target.config_.queues.at("q").generation = 2;
  CHECK(Answer(&target, ask + "1}")["standing"] == "drained");
}

TEST_CASE("wrong requests are answered with what is wrong") {
  FakeTarget target;
  using C = absl::StatusCode;
  const auto refused = [&](const std::string& request, C code,
                           const std::string& text) {
    const auto answer = Ask(&target, request);
    INFO(request);
    INFO(answer.status().ToString());
    CHECK(answer.status().code() == code);
    CHECK(std::string(MessageOf(answer.status())).find(text) !=
          std::string::npos);
  };
  refused("", C::kInvalidArgument, "JSON object");
  refused("[]", C::kInvalidArgument, "JSON object");
  refused(std::string(60000, '['), C::kInvalidArgument, "JSON object");
  refused("{}", C::kInvalidArgument, "\"op\"");
  refused(R"({"op":1})", C::kInvalidArgument, "\"op\"");
  refused(R"({"op":"stop"})", C::kUnimplemented, "expected one of ping");
  refused(R"({"op":"plan","to":"fresh"})", C::kInvalidArgument, "\"queue\"");
  refused(R"({"op":"plan","queue":"q"})", C::kInvalidArgument, "\"to\"");
  refused(R"({"op":"plan","queue":"p","to":"fresh"})", C::kNotFound, "\"p\"");
  refused(R"({"op":"plan","queue":"q","to":"x"})", C::kInvalidArgument,
          "no broker \"x\"");
  refused(R"({"op":"plan","queue":"q","to":"fresh","generation":-1})",
          C::kInvalidArgument, "\"generation\"");
  refused(R"({"op":"journal","from":"x"})", C::kInvalidArgument, "\"from\"");
  refused(R"({"op":"queue","queue":"x"})", C::kNotFound, "\"x\"");
  refused(R"({"op":"standing","generation":1})", C::kInvalidArgument,
          "\"queue\"");
  for (const char* generation : {"0", "-1", "1.5", "\"1\"", "null"}) {
    refused(std::string(R"({"op":"standing","queue":"q","generation":)") +
                generation + "}",
            C::kInvalidArgument, "\"generation\"");
  }
  refused(R"({"op":"standing","queue":"q"})", C::kInvalidArgument,
          "\"generation\"");
  refused(R"({"op":"standing","queue":"x","generation":1})", C::kNotFound,
          "queue x");
  target.plan_status_ = absl::InvalidArgumentError("fresh is too small");
  refused(R"({"op":"apply","queue":"q","to":"fresh"})", C::kInvalidArgument,
          "too small");
  CHECK(target.config_.queues.at("q").broker == "primary");
}

TEST_CASE("what is no answer is told from an error") {
  CHECK(control::ReadReply("nonsense").status().code() ==
        absl::StatusCode::kInternal);
  CHECK(control::ReadReply("{}").status().code() ==
        absl::StatusCode::kInternal);
  CHECK(control::ReadReply(R"({"ok":false,"code":"X","error":"e"})")
            .status()
            .code() == absl::StatusCode::kUnknown);
  CHECK_FALSE(control::MoveReportFromJson(Json::array()).ok());
}

}  // namespace
}  // namespace tieline
