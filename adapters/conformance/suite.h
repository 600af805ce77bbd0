// How behaviours are written and registered: one Catch2 test case for each
// behaviour and backend.
//
//   BEHAVIOUR("an accepted send is answered accepted", "[outcomes]") {
//     Sender& tx = rig.OpenSender(rig.NewQueue());
//     ...
//   }
#ifndef TIELINE_ADAPTERS_CONFORMANCE_SUITE_H_
#define TIELINE_ADAPTERS_CONFORMANCE_SUITE_H_

#include <string>
#include <string_view>

#include "adapters/conformance/harness.h"
#include "adapters/conformance/rig.h"
#include "tests/support/catch.h"

namespace tieline::conformance {

using BehaviourBody = std::function<void(Rig&)>;

// At static initialisation. `name` is unique in the suite.
bool AddBehaviour(std::string name, std::string tags, BehaviourBody body);

#define TIELINE_CONFORMANCE_CAT2(a, b) a##b
#define TIELINE_CONFORMANCE_CAT(a, b) TIELINE_CONFORMANCE_CAT2(a, b)
#define BEHAVIOUR_AS(function, name, tags)                                    \
  static void function(::tieline::conformance::Rig& rig);                     \
  [[maybe_unused]] static const bool TIELINE_CONFORMANCE_CAT(function, _in) = \
      ::tieline::conformance::AddBehaviour(name, tags, function);             \
  static void function([[maybe_unused]] ::tieline::conformance::Rig& rig)
#define BEHAVIOUR(name, tags) \
  BEHAVIOUR_AS(TIELINE_CONFORMANCE_CAT(Behaviour, __LINE__), name, tags)

}  // namespace tieline::conformance

#endif  // TIELINE_ADAPTERS_CONFORMANCE_SUITE_H_
