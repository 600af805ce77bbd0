// Goes through all states of a model, breadth first, and keeps each of them
// whole: no state is taken for another.
#ifndef TIELINE_TESTS_MODEL_SEARCH_H_
#define TIELINE_TESTS_MODEL_SEARCH_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "tests/model/move_model.h"

namespace tieline::model {

struct SearchResult {
  bool complete = false;  // the whole reachable space was seen
  uint64_t states = 0;
  uint64_t transitions = 0;
  uint64_t ends = 0;  // states in which nothing but faults can happen
  uint32_t depth = 0;
  uint64_t bytes = 0;
  std::string violation;           // empty: none
  std::vector<std::string> trace;  // the shortest way to it, in words
};

// Ends at the first violation, or with complete == false after `max_states`.
SearchResult Search(MoveModel& model, uint64_t max_states);

}  // namespace tieline::model

#endif  // TIELINE_TESTS_MODEL_SEARCH_H_
