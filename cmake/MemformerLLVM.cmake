# LLVM, MLIR and lld 22.1, as Debian packages them. The version file of MLIR asks for major.minor.

if(NOT DEFINED LLVM_ROOT AND NOT DEFINED MLIR_DIR)
  find_program(LLVM_CONFIG NAMES llvm-config-22 llvm-config REQUIRED)
  execute_process(COMMAND ${LLVM_CONFIG} --prefix OUTPUT_VARIABLE LLVM_PREFIX OUTPUT_STRIP_TRAILING_WHITESPACE)
  list(PREPEND CMAKE_PREFIX_PATH ${LLVM_PREFIX})
endif()
find_package(MLIR 22.1 REQUIRED CONFIG)
find_package(LLD REQUIRED CONFIG)
list(APPEND CMAKE_MODULE_PATH ${MLIR_CMAKE_DIR} ${LLVM_CMAKE_DIR})
include(TableGen)
include(AddLLVM)
include(AddMLIR)

# Everything that sees LLVM's headers: their warnings are not ours, and their ABI has neither RTTI nor exceptions.
add_library(memformer_llvm INTERFACE)
target_include_directories(memformer_llvm SYSTEM INTERFACE ${LLVM_INCLUDE_DIRS} ${MLIR_INCLUDE_DIRS} ${LLD_INCLUDE_DIRS})
target_compile_options(memformer_llvm INTERFACE $<$<COMPILE_LANGUAGE:CXX>:-fno-rtti -fno-exceptions>)
separate_arguments(MEMFORMER_LLVM_DEFINITIONS NATIVE_COMMAND "${LLVM_DEFINITIONS}")
target_compile_options(memformer_llvm INTERFACE ${MEMFORMER_LLVM_DEFINITIONS})
target_link_libraries(memformer_llvm INTERFACE MLIR LLVM)

# MLIR's headers take longer to read than our sources to compile: they are read once.
file(WRITE ${PROJECT_BINARY_DIR}/mlir_headers.cpp "// Carries the precompiled headers.\n")
add_library(memformer_mlir_headers OBJECT ${PROJECT_BINARY_DIR}/mlir_headers.cpp)
target_link_libraries(memformer_mlir_headers PRIVATE memformer_options memformer_llvm)
target_precompile_headers(memformer_mlir_headers PRIVATE
  <mlir/Dialect/Arith/IR/Arith.h>
  <mlir/Dialect/Func/IR/FuncOps.h>
  <mlir/Dialect/Math/IR/Math.h>
  <mlir/Dialect/MemRef/IR/MemRef.h>
  <mlir/Dialect/SCF/IR/SCF.h>
  <mlir/Dialect/Tensor/IR/Tensor.h>
  <mlir/Dialect/Vector/IR/VectorOps.h>
  <mlir/IR/Builders.h>
  <mlir/IR/BuiltinOps.h>
  <mlir/IR/PatternMatch.h>
  <mlir/Pass/Pass.h>)

# memformer_compiler_library(NAME SOURCES... [LINK libraries...] [DEPENDS targets...])
function(memformer_compiler_library name)
  cmake_parse_arguments(ARG "" "" "SOURCES;LINK;DEPENDS" ${ARGN})
  memformer_library(${name} SOURCES ${ARG_SOURCES} LINK memformer_llvm ${ARG_LINK})
  target_precompile_headers(${name} REUSE_FROM memformer_mlir_headers)
  if(ARG_DEPENDS)
    add_dependencies(${name} ${ARG_DEPENDS})
  endif()
endfunction()
