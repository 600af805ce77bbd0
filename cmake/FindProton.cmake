# Qpid Proton: Proton::Proton (the C engine) and Proton::Cpp (the C++ API).
# Found by name: Debian's libqpid-proton-cpp.pc requires .pc files that Debian
# does not ship. Proton_ROOT (or CMAKE_PREFIX_PATH) points at a private copy.

find_path(Proton_INCLUDE_DIR proton/connection_driver.h)
find_path(Proton_CPP_INCLUDE_DIR proton/message.hpp)
find_library(Proton_LIBRARY qpid-proton)
find_library(Proton_CPP_LIBRARY qpid-proton-cpp)
mark_as_advanced(Proton_INCLUDE_DIR Proton_CPP_INCLUDE_DIR Proton_LIBRARY
  Proton_CPP_LIBRARY)

if(Proton_INCLUDE_DIR AND EXISTS ${Proton_INCLUDE_DIR}/proton/version.h)
  file(STRINGS ${Proton_INCLUDE_DIR}/proton/version.h _lines
    REGEX "^#define PN_VERSION_(MAJOR|MINOR|POINT) ")
  list(TRANSFORM _lines REPLACE ".* " "")
  list(JOIN _lines "." Proton_VERSION)
endif()

include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(Proton
  REQUIRED_VARS Proton_LIBRARY Proton_CPP_LIBRARY Proton_INCLUDE_DIR
    Proton_CPP_INCLUDE_DIR
  VERSION_VAR Proton_VERSION)

if(Proton_FOUND AND NOT TARGET Proton::Proton)
  add_library(Proton::Proton UNKNOWN IMPORTED)
  set_target_properties(Proton::Proton PROPERTIES
    IMPORTED_LOCATION ${Proton_LIBRARY}
    INTERFACE_INCLUDE_DIRECTORIES ${Proton_INCLUDE_DIR})
  add_library(Proton::Cpp UNKNOWN IMPORTED)
  set_target_properties(Proton::Cpp PROPERTIES
    IMPORTED_LOCATION ${Proton_CPP_LIBRARY}
    INTERFACE_INCLUDE_DIRECTORIES ${Proton_CPP_INCLUDE_DIR}
    INTERFACE_LINK_LIBRARIES Proton::Proton)
endif()
