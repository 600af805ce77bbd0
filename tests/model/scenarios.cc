#include "tests/model/scenarios.h"

namespace tieline::model {
namespace {

constexpr PlaceId kA = 0;
constexpr PlaceId kB = 1;
constexpr PlaceId kC = 2;
constexpr Role kSender = {true, false};
constexpr Role kReader = {false, true};

// Both processes send and read an ordered queue; a crash, a late copy.
Scenario Base(const char* name, std::vector<PlaceId> plan) {
  Scenario scenario;
  scenario.name = name;
  scenario.plan = std::move(plan);
  scenario.crash = true;
  scenario.late = true;
  return scenario;
}

Scenario WithFaults(Scenario scenario) {
  scenario.commit_fails = true;
  return scenario;
}

// Process 0 sends all, process 1 reads all.
Scenario Apart(Scenario scenario) {
  scenario.roles = {kSender, kReader};
  scenario.producer = {0, 0, 0};
  return scenario;
}

Scenario WithWord(Scenario scenario, uint64_t generation) {
  scenario.word = generation;
  return scenario;
}

Scenario Unordered(Scenario scenario) {
  scenario.ordered = false;
  return scenario;
}

Scenario WithKeys(Scenario scenario) {
  scenario.producer = {0, 0, 0};
  scenario.key = {0, 0, 1};
  return scenario;
}

Scenario LosingRecord(Scenario scenario) {
  scenario.crash_loses_record = true;
  return scenario;
}

}  // namespace

std::vector<Scenario> ShortScenarios() {
  return {
      Base("one-move", {kA, kB}),
      WithFaults(Apart(Base("apart", {kA, kB, kA}))),
      LosingRecord(Base("record-lost", {kA, kB})),
  };
}

std::vector<Scenario> TableScenarios() {
  std::vector<Scenario> all;
  for (const std::vector<PlaceId>& plan :
       {std::vector<PlaceId>{kA, kB, kA}, std::vector<PlaceId>{kA, kB, kC}}) {
    const Scenario base = WithFaults(Base("table", plan));
    all.push_back(WithWord(base, 1));
    all.push_back(Unordered(base));
    all.push_back(Apart(base));
    all.push_back(LosingRecord(base));
  }
  for (Scenario& scenario : all) {
    scenario.messages = 1;
    scenario.late = false;
  }
  return all;
}

std::vector<Scenario> FullScenarios() {
  return {
      WithFaults(Base("back", {kA, kB, kA})),
      WithFaults(Base("onwards", {kA, kB, kC})),
      WithFaults(Apart(Base("back-apart", {kA, kB, kA}))),
      WithFaults(Apart(Base("onwards-apart", {kA, kB, kC}))),
      WithWord(WithFaults(Base("word", {kA, kB})), 1),
      Unordered(Base("back-unordered", {kA, kB, kA})),
      WithKeys(Base("back-two-keys", {kA, kB, kA})),
      LosingRecord(Base("back-record-lost", {kA, kB, kA})),
  };
}

}  // namespace tieline::model
