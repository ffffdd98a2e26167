# Settings that every target of the project shares.

add_library(memformer_options INTERFACE)
target_compile_options(memformer_options INTERFACE -Wall -Wextra -Wno-unused-parameter)
# GCC 12 sees overflows in std::string's copies where there are none (GCC bug 105651).
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
  target_compile_options(memformer_options INTERFACE -Wno-stringop-overflow -Wno-restrict)
endif()
if(MEMFORMER_WARNINGS_AS_ERRORS)
  target_compile_options(memformer_options INTERFACE -Werror)
endif()
target_include_directories(memformer_options INTERFACE ${PROJECT_SOURCE_DIR} ${PROJECT_BINARY_DIR})

# memformer_library(NAME SOURCES... [LINK libraries...])
function(memformer_library name)
  cmake_parse_arguments(ARG "" "" "SOURCES;LINK" ${ARGN})
  add_library(${name} STATIC ${ARG_SOURCES})
  target_link_libraries(${name} PUBLIC ${ARG_LINK} PRIVATE memformer_options)
  target_include_directories(${name} PUBLIC ${PROJECT_SOURCE_DIR} ${PROJECT_BINARY_DIR})
endfunction()
