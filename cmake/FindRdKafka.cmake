# librdkafka's C library: RdKafka::RdKafka.
# RdKafka_ROOT (or CMAKE_PREFIX_PATH) points at a private copy.

find_path(RdKafka_INCLUDE_DIR librdkafka/rdkafka.h)
find_library(RdKafka_LIBRARY rdkafka)
mark_as_advanced(RdKafka_INCLUDE_DIR RdKafka_LIBRARY)

if(RdKafka_INCLUDE_DIR)
  # RD_KAFKA_VERSION is 0xMMmmrrxx.
  file(STRINGS ${RdKafka_INCLUDE_DIR}/librdkafka/rdkafka.h _line
    REGEX "^#define RD_KAFKA_VERSION +0x")
  if(_line MATCHES "0x(..)(..)(..)")
    math(EXPR _major "0x${CMAKE_MATCH_1}")
    math(EXPR _minor "0x${CMAKE_MATCH_2}")
    math(EXPR _patch "0x${CMAKE_MATCH_3}")
    set(RdKafka_VERSION ${_major}.${_minor}.${_patch})
  endif()
endif()

include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(RdKafka
  REQUIRED_VARS RdKafka_LIBRARY RdKafka_INCLUDE_DIR
  VERSION_VAR RdKafka_VERSION)

if(RdKafka_FOUND AND NOT TARGET RdKafka::RdKafka)
  add_library(RdKafka::RdKafka UNKNOWN IMPORTED)
  set_target_properties(RdKafka::RdKafka PROPERTIES
    IMPORTED_LOCATION ${RdKafka_LIBRARY}
    INTERFACE_INCLUDE_DIRECTORIES ${RdKafka_INCLUDE_DIR})
endif()
