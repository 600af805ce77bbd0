# Flags and helpers shared by every target of the project.

set(CMAKE_POSITION_INDEPENDENT_CODE ON)

find_program(TIELINE_CCACHE ccache)
if(TIELINE_CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${TIELINE_CCACHE})
  set(CMAKE_C_COMPILER_LAUNCHER ${TIELINE_CCACHE})
endif()
find_program(TIELINE_MOLD mold)

add_library(tieline_flags INTERFACE)
target_compile_features(tieline_flags INTERFACE cxx_std_20)
target_compile_options(tieline_flags INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow -Wnon-virtual-dtor -Wold-style-cast
  -Wcast-qual -Woverloaded-virtual -Werror)
if(CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
  target_compile_options(tieline_flags INTERFACE -Wthread-safety)
endif()
if(TIELINE_SANITIZE)
  target_compile_options(tieline_flags INTERFACE
    -fsanitize=${TIELINE_SANITIZE} -fno-sanitize-recover=all
    -fno-omit-frame-pointer)
  target_link_options(tieline_flags INTERFACE -fsanitize=${TIELINE_SANITIZE})
endif()
if(TIELINE_MOLD)
  target_link_options(tieline_flags INTERFACE -fuse-ld=mold)
endif()

# tieline_test(NAME SOURCES... LIBS...): a Catch2 test program, registered with
# ctest under its name. The shared main is compiled once.
function(tieline_test name)
  cmake_parse_arguments(T "" "" "SOURCES;LIBS;LABELS" ${ARGN})
  add_executable(${name} ${T_SOURCES})
  target_link_libraries(${name} PRIVATE tieline_test_main tieline_flags
                        ${T_LIBS})
  add_test(NAME ${name} COMMAND ${name})
  set_tests_properties(${name} PROPERTIES TIMEOUT 120)
  if(T_LABELS)
    set_tests_properties(${name} PROPERTIES LABELS "${T_LABELS}")
  endif()
endfunction()
