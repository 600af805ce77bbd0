# Compiler, linker and cache settings shared by every target of the project.

set(CMAKE_POSITION_INDEPENDENT_CODE ON)

# The cache is shared between checkouts: paths below the source directory are
# made relative, and the working directory is left out of the hash.
find_program(TIELINE_CCACHE ccache)
if(TIELINE_CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  set(CMAKE_CXX_COMPILER_LAUNCHER
    ${CMAKE_COMMAND} -E env CCACHE_BASEDIR=${PROJECT_SOURCE_DIR}
    CCACHE_NOHASHDIR=1 CCACHE_SLOPPINESS=pch_defines,time_macros
    ${TIELINE_CCACHE})
  set(CMAKE_C_COMPILER_LAUNCHER ${CMAKE_CXX_COMPILER_LAUNCHER})
endif()
find_program(TIELINE_MOLD mold)

add_library(tieline_flags INTERFACE)
target_compile_features(tieline_flags INTERFACE cxx_std_20)
target_compile_options(tieline_flags INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow -Wnon-virtual-dtor -Wold-style-cast
  -Wcast-qual -Woverloaded-virtual -Werror)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  # GCC 12 sees overlaps in inlined std::string code that are not there
  # (its bug 105651).
  target_compile_options(tieline_flags INTERFACE -Wno-restrict)
endif()
if(CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
  target_compile_options(tieline_flags INTERFACE -Wthread-safety)
endif()
if(TIELINE_SANITIZE)
  target_compile_options(tieline_flags INTERFACE
    -fsanitize=${TIELINE_SANITIZE} -fno-sanitize-recover=all
    -fno-omit-frame-pointer)
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    # GCC's own manual: false warnings come with the sanitizers. The builds
    # without them have this warning.
    target_compile_options(tieline_flags INTERFACE -Wno-maybe-uninitialized)
  endif()
  target_link_options(tieline_flags INTERFACE -fsanitize=${TIELINE_SANITIZE})
endif()
if(TIELINE_BUILD_FUZZERS)
  target_compile_options(tieline_flags INTERFACE -fsanitize=fuzzer-no-link)
endif()
if(TIELINE_COVERAGE)
  target_compile_options(tieline_flags INTERFACE --coverage)
  target_link_options(tieline_flags INTERFACE --coverage)
endif()
if(TIELINE_MOLD AND NOT CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
  target_link_options(tieline_flags INTERFACE -fuse-ld=mold)
endif()

# What every test runs with.
set(TIELINE_TEST_ENVIRONMENT
  "TSAN_OPTIONS=suppressions=${PROJECT_SOURCE_DIR}/tests/tsan.supp"
  "UBSAN_OPTIONS=print_stacktrace=1")
