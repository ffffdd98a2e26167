// What a target runs at a time is one kernel: ops without relation, and chains of ops for each part of the batch.

// RUN: memformer-opt %s -kernel-plan=merge -program-verify | FileCheck %s --check-prefix=GROUPS
// RUN: memformer-opt %s -kernel-plan="merge multiprocessors=2" -program-verify | FileCheck %s
// RUN: memformer-opt %s -kernel-plan="merge multiprocessors=5" -program-verify | FileCheck %s --check-prefix=FOUR
// RUN: memformer-opt %s -kernel-plan="merge multiprocessors=6" -program-verify | FileCheck %s --check-prefix=GROUPS

memformer.param @scale : tensor<4xf32> = <constant, 1.0>
memformer.param @other : tensor<4xf32> = <constant, 1.0>

// Two kernels side by side, then two that read them: equal ones stand together. Without a merge they were four dispatches.
// GROUPS: program.kernel @launch_0 attributes {bytes = {{[0-9]+}} : i64, flops = {{[0-9]+}} : i64} {
// GROUPS-NEXT: ^bb0(%[[X:.*]]: tensor<4x4x4xf32>, %[[S:.*]]: tensor<4xf32>, %[[T:.*]]: tensor<4xf32>):
// GROUPS-NEXT: %[[A:.*]] = kernel.layer_norm %[[X]], %[[S]], %[[T]]
// GROUPS-NEXT: %[[B:.*]] = kernel.layer_norm %[[X]], %[[T]], %[[S]]
// GROUPS-NEXT: program.return %[[A]], %[[B]] :
// GROUPS-NOT: parts
// GROUPS: program.function @evaluate {
// GROUPS-NEXT: program.loop
// GROUPS-NEXT: program.dispatch @launch_0 [#program.address<@inputs, 0>, #program.address<@parameters, 0>, #program.address<@parameters, 64>, #program.address<@workspace, [[A:[0-9]+]]>, #program.address<@workspace, [[B:[0-9]+]]>]
// GROUPS-NEXT: program.dispatch @map_0 [#program.address<@workspace, [[A]]>, #program.address<@workspace, [[B]]>, #program.address<@outputs, 0>]
// GROUPS-NEXT: program.dispatch @concat_0
// GROUPS-NEXT: }

// All of them for each part, and the concatenation along the batch behind. Only what it reads leaves the chain.
// CHECK: program.kernel @chain_0 attributes {bytes = 544 : i64, flops = {{[0-9]+}} : i64, parts = 4 : i64} {
// CHECK-NEXT: ^bb0(%[[X:.*]]: tensor<4x4x4xf32>, %[[S:.*]]: tensor<4xf32>, %[[T:.*]]: tensor<4xf32>):
// CHECK-NEXT: %[[A:.*]] = kernel.layer_norm %[[X]], %[[S]], %[[T]]
// CHECK-NEXT: %[[B:.*]] = kernel.layer_norm %[[X]], %[[T]], %[[S]]
// CHECK-NEXT: %[[Y:.*]] = kernel.map %[[A]] trailing, %[[B]] trailing
// CHECK: program.return %[[Y]] : tensor<4x4x4xf32>
// CHECK: program.function @evaluate {
// CHECK-NEXT: program.loop
// CHECK-NEXT: program.dispatch @chain_0 [#program.address<@inputs, 0>, #program.address<@parameters, 0>, #program.address<@parameters, 64>, #program.address<@workspace, {{[0-9]+}}>, #program.address<@workspace, {{[0-9]+}}>, #program.address<@outputs, 0>]
// CHECK-NEXT: program.dispatch @concat_0
// CHECK-NEXT: }

// Four parts for five multiprocessors, and none for six.
// FOUR: parts = 4 : i64
func.func @evaluate(%x: tensor<4x4x4xf32> {memformer.role = "input", memformer.name = "x"})
    -> (tensor<4x4x4xf32> {memformer.role = "output", memformer.name = "y"}, tensor<8x4x4xf32> {memformer.role = "output", memformer.name = "z"}) {
  %s = memformer.load_param @scale : tensor<4xf32>
  %t = memformer.load_param @other : tensor<4xf32>
  %a = kernel.layer_norm %x, %s, %t {epsilon = 1.0e-5 : f64} : (tensor<4x4x4xf32>, tensor<4xf32>, tensor<4xf32>) -> tensor<4x4x4xf32>
  %b = kernel.layer_norm %x, %t, %s {epsilon = 1.0e-5 : f64} : (tensor<4x4x4xf32>, tensor<4xf32>, tensor<4xf32>) -> tensor<4x4x4xf32>
  %y = kernel.map %a trailing, %b trailing : (tensor<4x4x4xf32>, tensor<4x4x4xf32>) -> tensor<4x4x4xf32> {
  ^bb0(%u: f32, %v: f32, %i: i32):
    %n = arith.addf %u, %v : f32
    kernel.yield %n : f32
  }
  %z = kernel.concat %y, %y axis 0 : (tensor<4x4x4xf32>, tensor<4x4x4xf32>) -> tensor<8x4x4xf32>
  return %y, %z : tensor<4x4x4xf32>, tensor<8x4x4xf32>
}
