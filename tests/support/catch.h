// The one place that knows which Catch2 is installed (2 or 3).
#ifndef TIELINE_TESTS_SUPPORT_CATCH_H_
#define TIELINE_TESTS_SUPPORT_CATCH_H_

#if __has_include(<catch2/catch_all.hpp>)
#include <catch2/catch_all.hpp>
#else
#include <catch2/catch.hpp>
#endif

#endif  // TIELINE_TESTS_SUPPORT_CATCH_H_
