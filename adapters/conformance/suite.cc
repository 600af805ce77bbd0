#define CATCH_CONFIG_EXTERNAL_INTERFACES
#include "adapters/conformance/suite.h"

#include <cstdio>
#include <cstdlib>
#include <deque>
#include <map>
#include <set>
#include <utility>

#include "absl/cleanup/cleanup.h"

namespace tieline::conformance {
namespace {

struct Behaviour {
  std::string name;
  std::string tags;
  BehaviourBody body;
};

struct Backend {
  std::string name;
  HarnessFactory factory;
  std::unique_ptr<Harness> harness;
  absl::Status started;
  Capabilities known;
};

// The behaviour that runs now, for the report.
struct Current {
  const Backend* backend = nullptr;
  const Behaviour* behaviour = nullptr;
  std::string not_applicable;
};

struct Registry {
  std::deque<Behaviour> behaviours;  // elements stay where they are
  std::deque<Backend> backends;
  std::set<std::string> names;
  Current current;
  std::map<std::string, std::map<std::string, int>> verdicts;
};

Registry& TheRegistry() {
  static auto* registry = new Registry;
  return *registry;
}

Harness* HarnessOf(Backend* backend) {
  if (backend->harness == nullptr) {
    backend->harness = backend->factory();
    backend->started = backend->harness->Start();
  }
  return backend->harness.get();
}

void RunBehaviour(Backend* backend, const Behaviour& behaviour) {
  Current& current = TheRegistry().current;
  current = {backend, &behaviour, ""};
  Harness* harness = HarnessOf(backend);
  INFO("backend " << backend->name << ": " << backend->started.ToString());
  REQUIRE(backend->started.ok());
  std::vector<std::string> violations;
  {
    // Also after a failed assertion, which is thrown: the next must not meet
    // a broker that is still held up.
    const absl::Cleanup heal = [harness] { harness->AfterBehaviour(); };
    Rig rig(harness, &backend->known);
    try {
      behaviour.body(rig);
    } catch (const NotApplicable& e) {
      current.not_applicable = e.reason;
    }
    violations = rig.violations();
  }
  for (const std::string& what : violations) {
    FAIL_CHECK("a rule for every driver was broken: " << what);
  }
  // Also in Catch2's own results, which scripts/test counts.
  if (!current.not_applicable.empty()) {
    TIELINE_NOT_APPLICABLE(current.not_applicable);
  }
}

struct Invoker final : Catch::ITestInvoker {
  Invoker(Backend* b, const Behaviour* w) : backend(b), behaviour(w) {}
  void invoke() const override { RunBehaviour(backend, *behaviour); }
  Backend* backend;
  const Behaviour* behaviour;
};

void RegisterCase(Backend* backend, const Behaviour* behaviour) {
  const std::string name = backend->name + ": " + behaviour->name;
  const std::string tags = behaviour->tags + "[" + backend->name + "]";
#if __has_include(<catch2/catch_all.hpp>)
  Catch::AutoReg(Catch::Detail::unique_ptr<Catch::ITestInvoker>(
                     new Invoker(backend, behaviour)),
                 CATCH_INTERNAL_LINEINFO, Catch::StringRef(),
                 Catch::NameAndTags{name, tags});
#else
  Catch::AutoReg(new Invoker(backend, behaviour), CATCH_INTERNAL_LINEINFO,
                 Catch::StringRef(), Catch::NameAndTags{name, tags});
#endif
}

void AppendReport(const std::string& verdict, const std::string& reason) {
  const Current& current = TheRegistry().current;
  const char* path = std::getenv("TIELINE_CONFORMANCE_REPORT");
  if (path == nullptr || *path == '\0') return;
  std::FILE* file = std::fopen(path, "a");
  if (file == nullptr) {
    std::perror(path);
    return;
  }
  std::fprintf(file, "%s\t%s\t%s\t%s\n", current.backend->name.c_str(),
               current.behaviour->name.c_str(), verdict.c_str(),
               reason.c_str());
  std::fclose(file);
}

// Says what became of each behaviour.
#if __has_include(<catch2/catch_all.hpp>)
using ListenerBase = Catch::EventListenerBase;
#else
using ListenerBase = Catch::TestEventListenerBase;
#endif

class Listener : public ListenerBase {
 public:
  using ListenerBase::ListenerBase;

  void testCaseEnded(const Catch::TestCaseStats& stats) override {
    Current& current = TheRegistry().current;
    if (current.backend == nullptr) return;
    std::string verdict = "pass";
    std::string reason;
    if (stats.totals.assertions.failed > 0) {
      verdict = "fail";
    } else if (!current.not_applicable.empty()) {
      verdict = "n/a";
      reason = current.not_applicable;
      std::printf("[n/a] %s: %s: %s\n", current.backend->name.c_str(),
                  current.behaviour->name.c_str(), reason.c_str());
    }
    ++TheRegistry().verdicts[current.backend->name][verdict];
    AppendReport(verdict, reason);
    current = {};
  }

  void testRunEnded(const Catch::TestRunStats&) override {
    for (auto& [name, counts] : TheRegistry().verdicts) {
      std::printf("conformance %s: %d passed, %d failed, %d not applicable\n",
                  name.c_str(), counts["pass"], counts["fail"], counts["n/a"]);
    }
    std::fflush(stdout);
    for (Backend& b : TheRegistry().backends) b.harness.reset();
  }
};

CATCH_REGISTER_LISTENER(Listener)

}  // namespace

bool AddBackend(std::string_view name, HarnessFactory factory) {
  Registry& registry = TheRegistry();
  registry.backends.push_back(
      {std::string(name), std::move(factory), nullptr, {}, {}});
  for (const Behaviour& b : registry.behaviours) {
    RegisterCase(&registry.backends.back(), &b);
  }
  return true;
}

bool AddBehaviour(std::string name, std::string tags, BehaviourBody body) {
  Registry& registry = TheRegistry();
  if (!registry.names.insert(name).second) {
    std::fprintf(stderr, "conformance: two behaviours are called \"%s\"\n",
                 name.c_str());
    std::abort();
  }
  registry.behaviours.push_back(
      {std::move(name), std::move(tags), std::move(body)});
  for (Backend& b : registry.backends) {
    RegisterCase(&b, &registry.behaviours.back());
  }
  return true;
}

}  // namespace tieline::conformance
