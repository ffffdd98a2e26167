// A slice that is one stretch of bytes lies in what it is a slice of; any other is copied.

// RUN: memformer-opt %s -split-input-file -kernel-plan -program-verify | FileCheck %s

// CHECK-LABEL: program.function @evaluate
// CHECK: program.dispatch @map_0 [#program.address<@inputs, 0>, #program.address<@workspace, [[TABLE:[0-9]+]]>]
// The last three entries: 12 bytes from byte 12.
// CHECK-NEXT: program.dispatch @map_1 [#program.address<@workspace, 12>, #program.address<@outputs, 0>]
func.func @evaluate(%x: tensor<2x3xi32> {memformer.role = "input", memformer.name = "x"})
    -> (tensor<1x3xi32> {memformer.role = "output", memformer.name = "loss"}) {
  %t = kernel.map %x trailing : (tensor<2x3xi32>) -> tensor<2x3xi32> {
  ^bb0(%a: i32, %i: i32):
    %b = arith.addi %a, %i : i32
    kernel.yield %b : i32
  }
  %s = kernel.slice %t axis 0 offset 1 : (tensor<2x3xi32>) -> tensor<1x3xi32>
  %y = kernel.map %s trailing : (tensor<1x3xi32>) -> tensor<1x3xi32> {
  ^bb0(%a: i32, %i: i32):
    %b = arith.muli %a, %a : i32
    kernel.yield %b : i32
  }
  return %y : tensor<1x3xi32>
}

// -----

// Not one stretch; and one that begins where no argument of its size may.
// CHECK-LABEL: program.function @evaluate
// CHECK: program.dispatch @slice_0 [#program.address<@inputs, 0>
// CHECK-NEXT: program.dispatch together @slice_1 [#program.address<@inputs, 0>
// A view that the function hands on is copied to where it goes.
// CHECK: program.copy <@outputs, {{[0-9]+}}> from <@inputs, 320> bytes 64
func.func @evaluate(%x: tensor<3x17xf32> {memformer.role = "input", memformer.name = "x"}, %z: tensor<2x16xf32> {memformer.role = "input", memformer.name = "z"})
    -> (tensor<3x2xf32> {memformer.role = "output", memformer.name = "a"}, tensor<1x17xf32> {memformer.role = "output", memformer.name = "b"},
        tensor<1x16xf32> {memformer.role = "output", memformer.name = "c"}) {
  %a = kernel.slice %x axis 1 offset 3 : (tensor<3x17xf32>) -> tensor<3x2xf32>
  %b = kernel.slice %x axis 0 offset 2 : (tensor<3x17xf32>) -> tensor<1x17xf32>
  %c = kernel.slice %z axis 0 offset 1 : (tensor<2x16xf32>) -> tensor<1x16xf32>
  return %a, %b, %c : tensor<3x2xf32>, tensor<1x17xf32>, tensor<1x16xf32>
}
