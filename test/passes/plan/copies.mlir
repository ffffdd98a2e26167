// Results that no kernel computes are copied: a state that stays, one value under two names, gradients of states that change places.

// RUN: memformer-opt %s -kernel-plan -program-verify | FileCheck %s

// CHECK: program.space @workspace "workspace" bytes 256
// CHECK: program.function @train {
// CHECK-NEXT: program.loop outputs ["y", "z"] {
// CHECK-NEXT: program.dispatch @map_0 [#program.address<@replay, 64, stride 128>, #program.address<@outputs, 0>]
// CHECK-NEXT: program.copy <@replay, 128, stride 128> from <@replay, 0, stride 128> bytes 64 {when = 1 : i32}
// CHECK-NEXT: program.copy <@replay, 192, stride 128> from <@outputs, 0> bytes 64 {when = 1 : i32}
// CHECK-NEXT: program.copy <@outputs, 64> from <@outputs, 0> bytes 64
// CHECK-NEXT: }
// CHECK-NEXT: program.fill <@workspace, 0> bytes 128
// CHECK-NEXT: program.loop descending outputs [] {
// CHECK-NEXT: program.copy <@workspace, 128> from <@workspace, 64> bytes 64
// CHECK-NEXT: program.copy <@workspace, 192> from <@workspace, 0> bytes 64
// CHECK-NEXT: program.copy <@workspace, 0> from <@workspace, 128> bytes 64
// CHECK-NEXT: program.copy <@workspace, 64> from <@workspace, 192> bytes 64
// CHECK-NEXT: }
func.func @forward(%a: tensor<3xf32> {memformer.role = "state", memformer.name = "a"}, %b: tensor<3xf32> {memformer.role = "state", memformer.name = "b"})
    -> (tensor<3xf32> {memformer.role = "state", memformer.name = "a"}, tensor<3xf32> {memformer.role = "state", memformer.name = "b"},
        tensor<3xf32> {memformer.role = "output", memformer.name = "y"}, tensor<3xf32> {memformer.role = "output", memformer.name = "z"}) {
  %y = kernel.map %b trailing : (tensor<3xf32>) -> tensor<3xf32> {
  ^bb0(%x: f32, %i: i32):
    %n = arith.negf %x : f32
    kernel.yield %n : f32
  }
  return %a, %y, %y, %y : tensor<3xf32>, tensor<3xf32>, tensor<3xf32>, tensor<3xf32>
}
func.func @replay(%a: tensor<3xf32> {memformer.role = "state_gradient", memformer.name = "a"}, %b: tensor<3xf32> {memformer.role = "state_gradient", memformer.name = "b"})
    -> (tensor<3xf32> {memformer.role = "state_gradient", memformer.name = "a"}, tensor<3xf32> {memformer.role = "state_gradient", memformer.name = "b"}) {
  return %b, %a : tensor<3xf32>, tensor<3xf32>
}
