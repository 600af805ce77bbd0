# The functions that rooms declare their targets with. Sources are globbed, so
# adding a file needs no edit here.

# The .cc files below the current folder, except those of nested folders that
# have a CMakeLists.txt (targets of their own).
function(tieline_sources out)
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS *.cc)
  file(GLOB_RECURSE nested CONFIGURE_DEPENDS CMakeLists.txt)
  foreach(list ${nested})
    get_filename_component(folder ${list} DIRECTORY)
    if(NOT folder STREQUAL CMAKE_CURRENT_SOURCE_DIR)
      list(FILTER sources EXCLUDE REGEX "^${folder}/")
    endif()
  endforeach()
  set(${out} ${sources} PARENT_SCOPE)
endfunction()

# tieline_internal(NAME [SOURCES ...] [LIBS ...]): the objects of an internal
# target, tieline_NAME. Link it to get them; it is never installed by itself:
# an adapter that lists it under INTERNAL carries its objects.
function(tieline_internal name)
  cmake_parse_arguments(T "" "" "SOURCES;LIBS" ${ARGN})
  if(NOT T_SOURCES)
    tieline_sources(T_SOURCES)
  endif()
  add_library(tieline_${name} OBJECT ${T_SOURCES})
  target_include_directories(tieline_${name} PUBLIC ${PROJECT_SOURCE_DIR})
  target_link_libraries(tieline_${name} PUBLIC tieline::tieline ${T_LIBS}
                        PRIVATE tieline_flags)
endfunction()

# tieline_adapter(NAME [REQUIRES package...] [LIBS target...]
#                 [INTERNAL target...] [HINT text])
#
# Declares tieline::NAME from the sources below the current folder, with
# include/ there as its public headers. When a package of REQUIRES is not on
# this machine the adapter is left out with a message that ends in HINT; ask
# `if(TARGET tieline::NAME)` before linking it. TIELINE_<NAME> is AUTO, ON
# (a missing package is an error) or OFF. INTERNAL names tieline_internal
# targets whose objects the adapter carries.
function(tieline_adapter name)
  cmake_parse_arguments(T "" "HINT" "REQUIRES;LIBS;INTERNAL" ${ARGN})
  string(TOUPPER TIELINE_${name} option)
  set(${option} AUTO CACHE STRING "Build the ${name} adapter: AUTO, ON or OFF")
  if(NOT ${option})
    message(STATUS "tieline: ${name} adapter left out: ${option} is OFF")
    return()
  endif()
  foreach(package ${T_REQUIRES})
    find_package(${package} QUIET)
    if(NOT ${package}_FOUND)
      set(reason "${package} was not found. ${T_HINT}")
      if(NOT ${option} STREQUAL "AUTO")
        message(FATAL_ERROR "tieline: ${name} adapter: ${reason}")
      endif()
      message(STATUS "tieline: ${name} adapter left out: ${reason}")
      return()
    endif()
  endforeach()

  tieline_sources(sources)
  set(target tieline_${name})
  add_library(${target} ${sources})
  set_target_properties(${target} PROPERTIES EXPORT_NAME ${name})
  add_library(tieline::${name} ALIAS ${target})
  target_include_directories(${target}
    PUBLIC $<BUILD_INTERFACE:${CMAKE_CURRENT_SOURCE_DIR}/include>
           $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>
    PRIVATE ${PROJECT_SOURCE_DIR})
  target_link_libraries(${target} PUBLIC tieline::tieline
                        PRIVATE $<BUILD_INTERFACE:tieline_flags> ${T_LIBS})
  foreach(internal ${T_INTERNAL})
    target_sources(${target} PRIVATE $<TARGET_OBJECTS:${internal}>)
  endforeach()
  tieline_install(${name} ${target} PACKAGES ${T_REQUIRES}
    INCLUDE ${CMAKE_CURRENT_SOURCE_DIR}/include)
  tieline_pc(tieline-${name} "Tieline's ${name} backend" ${target}
    "tieline = ${PROJECT_VERSION}" ${T_REQUIRES})
  message(STATUS "tieline: ${name} adapter included")
endfunction()

# tieline_add_test(NAME program [ARGS ...] [LABELS ...] [TIMEOUT seconds]
#                  [ENVIRONMENT VAR=value...]): registers one run of a program.
# Label `broker` marks what needs real brokers, `slow` what takes more than
# seconds; scripts/test --fast leaves both out. Sanitizers get more time.
function(tieline_add_test name)
  cmake_parse_arguments(T "" "TIMEOUT" "ARGS;LABELS;ENVIRONMENT" ${ARGN})
  if(NOT T_TIMEOUT)
    set(T_TIMEOUT 120)
  endif()
  if(TIELINE_SANITIZE)
    math(EXPR T_TIMEOUT "${T_TIMEOUT} * 4")
  endif()
  add_test(NAME ${name} COMMAND ${T_UNPARSED_ARGUMENTS} ${T_ARGS})
  set(environment ${TIELINE_TEST_ENVIRONMENT} TIELINE_TEST_NAME=${name}
    TIELINE_BUILD_DIR=${PROJECT_BINARY_DIR} ${T_ENVIRONMENT})
  set_tests_properties(${name} PROPERTIES TIMEOUT ${T_TIMEOUT}
    LABELS "${T_LABELS}" ENVIRONMENT "${environment}")
endfunction()

# tieline_test(NAME [SOURCES ...] [LIBS ...] [LABELS ...] [TIMEOUT seconds]):
# a Catch2 test program (every .cc below the current folder unless SOURCES are
# given), registered under its name. The shared main is compiled once.
function(tieline_test name)
  cmake_parse_arguments(T "" "TIMEOUT" "SOURCES;LIBS;LABELS" ${ARGN})
  if(NOT T_SOURCES)
    tieline_sources(T_SOURCES)
  endif()
  add_executable(${name} ${T_SOURCES})
  target_link_libraries(${name} PRIVATE tieline_test_main tieline_flags
                        ${T_LIBS})
  tieline_add_test(${name} ${name} LABELS ${T_LABELS} TIMEOUT ${T_TIMEOUT})
endfunction()

# tieline_python_test(NAME [SCRIPT file] [LABELS ...] [TIMEOUT seconds]
#                     [ENVIRONMENT VAR=value...]): a test program in Python
# (NAME.py here, see tests/support/python_test.py).
find_package(Python3 COMPONENTS Interpreter QUIET)
function(tieline_python_test name)
  cmake_parse_arguments(T "" "SCRIPT" "" ${ARGN})
  if(NOT T_SCRIPT)
    set(T_SCRIPT ${name}.py)
  endif()
  tieline_add_test(${name} ${Python3_EXECUTABLE} -B
    ${CMAKE_CURRENT_SOURCE_DIR}/${T_SCRIPT} ${T_UNPARSED_ARGUMENTS})
endfunction()
