// The one place that knows which Catch2 is installed (2 or 3).
#ifndef TIELINE_TESTS_SUPPORT_CATCH_H_
#define TIELINE_TESTS_SUPPORT_CATCH_H_

#if __has_include(<catch2/catch_all.hpp>)
#include <catch2/catch_all.hpp>
#else
#include <catch2/catch.hpp>
#endif

// Ends the test case as not applicable here, for the reason given: it is
// counted as skipped, never as passed. Only for what cannot be (a capability
// that a backend lacks, a client library that is not there), with no assertion
// made before.
#define TIELINE_NOT_APPLICABLE(reason)    \
  do {                                    \
    WARN("not applicable: " << (reason)); \
    SUCCEED();                            \
    return;                               \
  } while (false)

#endif  // TIELINE_TESTS_SUPPORT_CATCH_H_
