// What parameters and a recurrence become, and ops as functions of their own.

// RUN: memformer-opt -memformer-to-linalg %s | FileCheck %s
// RUN: memformer-opt -memformer-to-linalg=outline=true %s | FileCheck %s --check-prefix=OUTLINE
// RUN: memformer-opt -memformer-reference-pipeline %s | FileCheck %s --check-prefix=LLVM

// CHECK-DAG: memref.global @w : memref<3xf64> = dense<0.000000e+00>
// CHECK-DAG: memref.global @w.gradient : memref<3xf64> = dense<0.000000e+00>
// LLVM-DAG: llvm.mlir.global external @w(
// LLVM-DAG: llvm.mlir.global external @w.gradient(
memformer.param @w : tensor<3xf64> = <constant, 1.0>

// CHECK-LABEL: func.func @twice(
// CHECK: %[[BUFFER:.*]] = memref.get_global @w : memref<3xf64>
// CHECK: bufferization.to_tensor %[[BUFFER]]
// CHECK-COUNT-2: linalg.generic
// CHECK: %[[VALUE:.*]] = bufferization.to_buffer
// CHECK: %[[GRADIENT:.*]] = memref.get_global @w.gradient : memref<3xf64>
// CHECK: linalg.generic {{.*}} ins(%[[VALUE]] : memref<3xf64>) outs(%[[GRADIENT]] : memref<3xf64>)
// CHECK: ^bb0(%[[IN:.*]]: f64, %[[OUT:.*]]: f64):
// CHECK: %[[SUM:.*]] = arith.addf %[[OUT]], %[[IN]]
// CHECK: linalg.yield %[[SUM]]
// CHECK: return

// Equal ops are one function.
// OUTLINE-LABEL: func.func @twice(
// OUTLINE: %[[ONCE:.*]] = call @[[$ADD:reference.add.[0-9]+]](
// OUTLINE: call @[[$ADD]](%[[ONCE]],
func.func @twice(%x: tensor<2x3xf64>, %g: tensor<3xf64>) -> tensor<2x3xf64> {
  %w = memformer.load_param @w : tensor<3xf64>
  %once = memformer.add %x, %w : (tensor<2x3xf64>, tensor<3xf64>) -> tensor<2x3xf64>
  %twice = memformer.add %once, %w : (tensor<2x3xf64>, tensor<3xf64>) -> tensor<2x3xf64>
  memformer.accumulate @w, %g : tensor<3xf64>
  return %twice : tensor<2x3xf64>
}

// CHECK-LABEL: func.func @model.initial() -> tensor<2x3xf64>
// CHECK-LABEL: func.func @model.segment(%{{.*}}: tensor<2x3xf64>, %{{.*}}: tensor<2xi32>) -> (tensor<2x3xf64>, tensor<2xf64>)
// CHECK-NOT: memformer
// OUTLINE-LABEL: func.func @model.segment(
// OUTLINE: func.func private @[[$ADD]](
// OUTLINE-SAME: passthrough = ["noinline"]
// LLVM-LABEL: llvm.func @model.segment(
// LLVM: llvm.func @_mlir_ciface_model.segment(
memformer.recurrence @model states ["h"] inputs ["targets"] outputs [] initial {
  %w = memformer.load_param @w : tensor<3xf64>
  %rows = memformer.broadcast %w : (tensor<3xf64>) -> tensor<2x3xf64>
  memformer.yield state(%rows : tensor<2x3xf64>)
} segment {
^bb0(%h: tensor<2x3xf64>, %targets: tensor<2xi32>):
  %next = memformer.gelu %h : (tensor<2x3xf64>) -> tensor<2x3xf64>
  %loss, %lse = memformer.cross_entropy %next, %targets : (tensor<2x3xf64>, tensor<2xi32>) -> (tensor<2xf64>, tensor<2xf64>)
  memformer.yield state(%next : tensor<2x3xf64>) loss(%loss : tensor<2xf64>)
}
