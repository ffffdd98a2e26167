// Equal kernels are one, whichever gradient they add to; buffers that do not live at one time share their place.

// RUN: memformer-opt %s -kernel-plan -program-verify | FileCheck %s


memformer.param @v : tensor<7xf32> = <constant, 1.0>
memformer.param @w : tensor<7xf32> = <constant, 1.0>

// CHECK: program.kernel @reduce_0 attributes {bytes = 140 : i64, flops = 21 : i64} {
// CHECK-NEXT: ^bb0(%{{.*}}: tensor<3x7xf32>):
// CHECK-NEXT: kernel.reduce %{{.*}} entries 7 accumulate @gradient
// CHECK-NEXT: program.return
// CHECK: program.kernel @map_0
// CHECK: program.kernel @map_1
// CHECK-NOT: program.kernel
func.func @forward(%x: tensor<3x7xf32> {memformer.role = "input", memformer.name = "x"}) -> (tensor<3x7xf32> {memformer.role = "output", memformer.name = "y"}) {
  // CHECK: program.dispatch @reduce_0 [#program.address<@inputs, 0>, #program.address<@gradients, 0>]
  // What does not depend on each other runs together.
  // CHECK-NEXT: program.dispatch together @reduce_0 [#program.address<@inputs, 0>, #program.address<@gradients, 64>]
  kernel.reduce %x entries 7 accumulate @v : (tensor<3x7xf32>) -> ()
  kernel.reduce %x entries 7 accumulate @w : (tensor<3x7xf32>) -> ()
  // CHECK-NEXT: program.dispatch together @map_0 [#program.address<@inputs, 0>, #program.address<@workspace, 0>]
  // CHECK: program.dispatch @map_0 [#program.address<@workspace, 0>, #program.address<@workspace, 128>]
  // CHECK: program.dispatch @map_0 [#program.address<@workspace, 128>, #program.address<@workspace, 0>]
  // CHECK: program.dispatch @map_1 [#program.address<@workspace, 0>, #program.address<@outputs, 0>]
  %a = kernel.map %x trailing : (tensor<3x7xf32>) -> tensor<3x7xf32> {
  ^bb0(%e: f32, %i: i32):
    %n = arith.negf %e : f32
    kernel.yield %n : f32
  }
  %b = kernel.map %a trailing : (tensor<3x7xf32>) -> tensor<3x7xf32> {
  ^bb0(%e: f32, %i: i32):
    %n = arith.negf %e : f32
    kernel.yield %n : f32
  }
  %c = kernel.map %b trailing : (tensor<3x7xf32>) -> tensor<3x7xf32> {
  ^bb0(%e: f32, %i: i32):
    %n = arith.negf %e : f32
    kernel.yield %n : f32
  }
  %d = kernel.map %c trailing : (tensor<3x7xf32>) -> tensor<3x7xf32> {
  ^bb0(%e: f32, %i: i32):
    %n = math.exp %e : f32
    kernel.yield %n : f32
  }
  return %d : tensor<3x7xf32>
}
func.func @replay() {
  return
}
