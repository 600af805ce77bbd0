# Installation: `find_package(tieline COMPONENTS kafka amqp)` and pkg-config.
#
# One component a library: core (tieline::tieline), memory, kafka, amqp. Each
# has an export set, a .pc file, and the list of packages its users need.

include(CMakePackageConfigHelpers)
set(TIELINE_CMAKE_DIR ${CMAKE_INSTALL_LIBDIR}/cmake/tieline)

# What pkg-config calls the packages that find_package knows.
set(TIELINE_PC_absl
  "absl_status absl_statusor absl_time absl_strings \
absl_flat_hash_map absl_node_hash_map absl_hash")
set(TIELINE_PC_fmt fmt)
set(TIELINE_PC_yaml-cpp yaml-cpp)
set(TIELINE_PC_SQLite3 sqlite3)
set(TIELINE_PC_OpenSSL "libssl libcrypto")
set(TIELINE_PC_RdKafka rdkafka)
set(TIELINE_PC_LIBS_Proton "-lqpid-proton-cpp -lqpid-proton")

# tieline_pc(FILE DESCRIPTION target requires [package...]): writes a .pc file.
# A static library's packages are listed as public, so that the same
# `pkg-config --libs` serves static and shared installations, and a static
# Tieline can link against shared client libraries.
function(tieline_pc file description target requires)
  set(pc_requires ${requires})
  set(pc_libs "-l${target}")
  foreach(package ${ARGN})
    if(NOT BUILD_SHARED_LIBS OR package STREQUAL "absl")
      string(APPEND pc_requires " ${TIELINE_PC_${package}}")
      string(APPEND pc_libs " ${TIELINE_PC_LIBS_${package}}")
    endif()
  endforeach()
  string(STRIP "${pc_requires}" pc_requires)
  string(STRIP "${pc_libs}" pc_libs)
  set(pc_name ${file})
  set(pc_description "${description}")
  file(RELATIVE_PATH pc_prefix
    /${CMAKE_INSTALL_LIBDIR}/pkgconfig /)
  string(REGEX REPLACE "/$" "" pc_prefix "${pc_prefix}")
  configure_file(${PROJECT_SOURCE_DIR}/cmake/tieline.pc.in
    ${PROJECT_BINARY_DIR}/${file}.pc @ONLY)
  install(FILES ${PROJECT_BINARY_DIR}/${file}.pc
    DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
endfunction()

# tieline_install(COMPONENT target INCLUDE folder PACKAGES package...)
function(tieline_install component target)
  cmake_parse_arguments(T "" "INCLUDE" "PACKAGES" ${ARGN})
  # No define tells a shared build apart: the compile cache then serves both.
  set_target_properties(${target} PROPERTIES
    DEFINE_SYMBOL ""
    VERSION ${PROJECT_VERSION}
    SOVERSION ${PROJECT_VERSION_MAJOR}.${PROJECT_VERSION_MINOR}
    INSTALL_RPATH "$ORIGIN")
  if(BUILD_SHARED_LIBS)
    set(map ${PROJECT_SOURCE_DIR}/cmake/exports.map)
    target_link_options(${target} PRIVATE -Wl,--version-script=${map})
    set_property(TARGET ${target} APPEND PROPERTY LINK_DEPENDS ${map})
  endif()
  install(TARGETS ${target} EXPORT tieline-${component}-targets
    ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR}
    LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})
  install(EXPORT tieline-${component}-targets NAMESPACE tieline::
    DESTINATION ${TIELINE_CMAKE_DIR})
  if(EXISTS ${T_INCLUDE})
    install(DIRECTORY ${T_INCLUDE}/ TYPE INCLUDE FILES_MATCHING PATTERN *.h)
  endif()

  set_property(GLOBAL APPEND PROPERTY TIELINE_COMPONENTS ${component})
  set(wanted absl Threads)
  if(NOT BUILD_SHARED_LIBS)
    set(wanted ${T_PACKAGES})
  endif()
  set(text "")
  foreach(package ${T_PACKAGES})
    if(package IN_LIST wanted)
      string(APPEND text "find_dependency(${package})\n")
    endif()
  endforeach()
  set(file ${PROJECT_BINARY_DIR}/tieline-${component}-packages.cmake)
  file(CONFIGURE OUTPUT ${file} CONTENT "${text}")
  install(FILES ${file} DESTINATION ${TIELINE_CMAKE_DIR})
endfunction()

# Called once, after all the components are known.
function(tieline_install_package)
  get_property(TIELINE_COMPONENTS GLOBAL PROPERTY TIELINE_COMPONENTS)
  configure_package_config_file(
    ${PROJECT_SOURCE_DIR}/cmake/tieline-config.cmake.in
    ${PROJECT_BINARY_DIR}/tieline-config.cmake
    INSTALL_DESTINATION ${TIELINE_CMAKE_DIR})
  # Before 1.0 a minor version may break its users.
  write_basic_package_version_file(
    ${PROJECT_BINARY_DIR}/tieline-config-version.cmake
    COMPATIBILITY SameMinorVersion)
  install(FILES
    ${PROJECT_BINARY_DIR}/tieline-config.cmake
    ${PROJECT_BINARY_DIR}/tieline-config-version.cmake
    DESTINATION ${TIELINE_CMAKE_DIR})
  install(FILES cmake/FindProton.cmake cmake/FindRdKafka.cmake
    DESTINATION ${TIELINE_CMAKE_DIR}/modules)
endfunction()
