// RUN: memformer-opt %s | memformer-opt | FileCheck %s
// RUN: memformer-opt %s -mlir-print-op-generic | memformer-opt | FileCheck %s

// CHECK: program.space @parameters "parameters" bytes 128
program.space @parameters "parameters" bytes 128
// CHECK: program.space @replay "replay" bytes 0 {extra_segments = 1 : i64, segment_bytes = 64 : i64}
program.space @replay "replay" bytes 0 {segment_bytes = 64, extra_segments = 1}
program.space @workspace "workspace" bytes 128
// CHECK: program.tensor parameter "w" at <@parameters, 0> : tensor<5xf32> {initializer = #memformer.initializer<uniform, 5.000000e-01>}
program.tensor parameter "w" at <@parameters, 0> : tensor<5xf32> {initializer = #memformer.initializer<uniform, 0.5>}
// CHECK: program.tensor input "tokens" at <@workspace, 64> : tensor<3xi32> {bound = 7 : i64, ignored}
program.tensor input "tokens" at <@workspace, 64> : tensor<3xi32> {bound = 7 : i64, ignored}
// CHECK: program.kernel @slice_0 attributes {bytes = 32 : i64, flops = 0 : i64} {
program.kernel @slice_0 attributes {flops = 0 : i64, bytes = 32 : i64} {
^bb0(%x: tensor<5xf32>):
  %y = kernel.slice %x axis 0 offset 2 : (tensor<5xf32>) -> tensor<3xf32>
  program.return %y : tensor<3xf32>
}
// CHECK: program.function @train {
program.function @train {
  // CHECK: program.fill <@workspace, 0> bytes 64
  program.fill <@workspace, 0> bytes 64
  // CHECK: program.loop descending from_stored skip_last outputs ["loss"] {
  program.loop descending from_stored skip_last outputs ["loss"] {
    // CHECK: program.dispatch @slice_0 [#program.address<@parameters, 0>, #program.address<@workspace, 64>]
    program.dispatch @slice_0 [#program.address<@parameters, 0>, #program.address<@workspace, 64>]
    // CHECK: program.copy <@replay, 64, stride 64> from <@workspace, 64> bytes 64 {when = 2 : i32}
    program.copy <@replay, 64, stride 64> from <@workspace, 64> bytes 64 {when = 2 : i32}
  }
}
