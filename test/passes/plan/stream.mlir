// Generation: caches are written where they are, and what a segment's beginning leaves has a place of its own.

// RUN: memformer-opt %s -memformer-to-kernels=panel-width=8 -kernel-fuse -kernel-prepare -kernel-plan -program-verify | FileCheck %s

// Nothing is trained: there are no gradients.
// CHECK-NOT: program.space @gradients
// CHECK-DAG: program.space @stream "saved" bytes 448
// CHECK-DAG: program.space @step_inputs "workspace" bytes 128
// CHECK-DAG: program.space @step_outputs "workspace" bytes 64
// CHECK-DAG: program.tensor step_input "tokens" at <@step_inputs, 0> : tensor<1x1xi32> {bound = 3 : i64}
// CHECK-DAG: program.tensor step_input "position" at <@step_inputs, 64> : tensor<i32>
// CHECK-DAG: program.tensor step_output "y" at <@step_outputs, 0> : tensor<1x1x4xf32>

// CHECK: program.function @begin {
// CHECK-NEXT: program.loop outputs [] {
// CHECK-NEXT: program.dispatch @{{.*}} [#program.address<@inputs, 0>, #program.address<@stream, 0>]

// The row of a table, then attention on the caches, which are arguments once.
// CHECK: program.function @step {
// CHECK: program.dispatch @slice_0 [#program.address<@parameters, 0>, #program.address<@step_inputs, 64>,
// CHECK: program.dispatch @attention_step_0 [{{.*}}, #program.address<@stream, 64>, #program.address<@stream, 256>, #program.address<@step_inputs, 64>, #program.address<@step_outputs, 0>]
// CHECK-NOT: program.copy
memformer.param @table : tensor<3x4xf32> = <normal, 0.5>

func.func @begin(%x: tensor<1x1x4xf32> {memformer.role = "input", memformer.name = "x"}) -> (tensor<1x1x4xf32> {memformer.role = "carried", memformer.name = "carried0"}) {
  %y = memformer.relu %x : (tensor<1x1x4xf32>) -> tensor<1x1x4xf32>
  return %y : tensor<1x1x4xf32>
}

func.func @step(%token: tensor<1x1xi32> {memformer.role = "step_input", memformer.name = "tokens", memformer.bound = 3 : i64}, %position: tensor<i32> {memformer.role = "step_input", memformer.name = "position"},
    %c: tensor<1x1x4xf32> {memformer.role = "carried", memformer.name = "carried0"}, %k: tensor<1x12x4xf32> {memformer.role = "cache", memformer.name = "k"}, %v: tensor<1x12x4xf32> {memformer.role = "cache", memformer.name = "v"})
    -> (tensor<1x1x4xf32> {memformer.role = "step_output", memformer.name = "y"}, tensor<1x12x4xf32> {memformer.role = "cache", memformer.name = "k"}, tensor<1x12x4xf32> {memformer.role = "cache", memformer.name = "v"}) {
  %table = memformer.load_param @table : tensor<3x4xf32>
  %e = memformer.embedding %token, %table : (tensor<1x1xi32>, tensor<3x4xf32>) -> tensor<1x1x4xf32>
  %row = memformer.row %table axis 0 at %position : (tensor<3x4xf32>, tensor<i32>) -> tensor<1x4xf32>
  %q = memformer.add %e, %row : (tensor<1x1x4xf32>, tensor<1x4xf32>) -> tensor<1x1x4xf32>
  %y, %k1, %v1 = memformer.attention_step %q, %c, %e cache(%k, %v) at %position heads 2 scale 0.5
    : (tensor<1x1x4xf32>, tensor<1x1x4xf32>, tensor<1x1x4xf32>, tensor<1x12x4xf32>, tensor<1x12x4xf32>, tensor<i32>) -> (tensor<1x1x4xf32>, tensor<1x12x4xf32>, tensor<1x12x4xf32>)
  return %y, %k1, %v1 : tensor<1x1x4xf32>, tensor<1x12x4xf32>, tensor<1x12x4xf32>
}
