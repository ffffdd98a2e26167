// What only adds to gradients waits for a launch that it may join; two sums to one gradient stay in their order.

// RUN: memformer-opt %s -kernel-plan=merge -program-verify | FileCheck %s --check-prefix=GROUPS
// RUN: memformer-opt %s -kernel-plan="merge multiprocessors=2" -program-verify | FileCheck %s
// RUN: memformer-opt %s -kernel-plan -program-verify | FileCheck %s --check-prefix=HOST --implicit-check-not=launch

memformer.param @w : tensor<4xf32> = <constant, 1.0>
memformer.param @v : tensor<4xf32> = <constant, 1.0>

// HOST: program.function @trace {
// HOST: program.dispatch @map_0
// HOST-NEXT: program.dispatch @reduce_0
// HOST-NEXT: program.dispatch together @reduce_0
// HOST-NEXT: program.dispatch together @map_0
// HOST-NEXT: program.dispatch @reduce_0
// HOST-NEXT: program.dispatch together @map_0

// A sum beside the map after the one that it reads.
// GROUPS: program.function @trace {
// GROUPS: program.dispatch @map_0
// GROUPS-NEXT: program.dispatch @launch_0 [#program.address<@workspace, [[A:[0-9]+]]>, #program.address<@workspace, [[B:[0-9]+]]>, #program.address<@gradients, 0>, #program.address<@gradients, 64>]
// GROUPS-NEXT: program.dispatch @launch_1 [#program.address<@workspace, [[B]]>, #program.address<@outputs, 0>, #program.address<@gradients, 0>]
// GROUPS-NEXT: }

// Behind the chain: all that may be together, then the second sum to @w.
// CHECK: program.function @trace {
// CHECK: program.dispatch @chain_0 [#program.address<@inputs, 0>, #program.address<@workspace, [[A:[0-9]+]]>, #program.address<@workspace, [[B:[0-9]+]]>, #program.address<@outputs, 0>]
// CHECK-NEXT: program.dispatch @launch_0 [#program.address<@workspace, [[A]]>, #program.address<@gradients, 0>, #program.address<@gradients, 64>]
// CHECK-NEXT: program.dispatch @reduce_0 [#program.address<@workspace, [[B]]>, #program.address<@gradients, 0>]
// CHECK-NEXT: }
func.func @trace(%x: tensor<4x4x4xf32> {memformer.role = "input", memformer.name = "x"}) -> (tensor<4x4x4xf32> {memformer.role = "output", memformer.name = "y"}) {
  %a = kernel.map %x trailing : (tensor<4x4x4xf32>) -> tensor<4x4x4xf32> {
  ^bb0(%u: f32, %i: i32):
    %n = arith.negf %u : f32
    kernel.yield %n : f32
  }
  kernel.reduce %a entries 4 accumulate @w : (tensor<4x4x4xf32>) -> ()
  kernel.reduce %a entries 4 accumulate @v : (tensor<4x4x4xf32>) -> ()
  %b = kernel.map %a trailing : (tensor<4x4x4xf32>) -> tensor<4x4x4xf32> {
  ^bb0(%u: f32, %i: i32):
    %n = arith.negf %u : f32
    kernel.yield %n : f32
  }
  kernel.reduce %b entries 4 accumulate @w : (tensor<4x4x4xf32>) -> ()
  %c = kernel.map %b trailing : (tensor<4x4x4xf32>) -> tensor<4x4x4xf32> {
  ^bb0(%u: f32, %i: i32):
    %n = arith.negf %u : f32
    kernel.yield %n : f32
  }
  return %c : tensor<4x4x4xf32>
}
// The gradients' space is there where something is trained.
func.func @update(%p: tensor<32xf32> {memformer.role = "parameters", memformer.name = "p"}, %g: tensor<32xf32> {memformer.role = "gradients", memformer.name = "g"}) {
  return
}
