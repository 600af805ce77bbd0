// What a DrainProof is called in reports and tables.
#ifndef TIELINE_LIB_BASE_DRAIN_PROOF_H_
#define TIELINE_LIB_BASE_DRAIN_PROOF_H_

#include <string_view>

#include "tieline/capabilities.h"

namespace tieline::inline v0 {

inline std::string_view NameOf(DrainProof proof) {
  switch (proof) {
    case DrainProof::kExact:
      return "exact";
    case DrainProof::kOffsets:
      return "offsets";
    case DrainProof::kCount:
      return "count";
    case DrainProof::kPeek:
      return "peek";
    case DrainProof::kQuietPeriod:
      break;
  }
  return "quiet period";
}

}  // namespace tieline::inline v0

#endif  // TIELINE_LIB_BASE_DRAIN_PROOF_H_
