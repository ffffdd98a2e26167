// A next state that depends on the streamed input is there when all positions are known: from what the steps keep, and from what the segment's beginning carries.
// RUN: memformer-opt %s -memformer-expand -memformer-differentiate -memformer-stream | FileCheck %s

// The third state does not depend on positions: the segment's beginning leaves it, and no other.
// CHECK-LABEL: func.func @begin(
// CHECK-SAME: -> (tensor<2x1x3xf32> {memformer.name = "k", memformer.role = "state"}, tensor<2x1x3xf32> {memformer.name = "carried0", memformer.role = "carried"}
// CHECK-NOT: memformer.lstm

// The layer's positions are steps, which keep their rows.
// CHECK-LABEL: func.func @step(
// CHECK-SAME: {memformer.name = "x", memformer.role = "step_input"}
// CHECK-SAME: {memformer.name = "hidden_cache0", memformer.role = "cache"}
// CHECK-SAME: {memformer.name = "cell_cache0", memformer.role = "cache"}
// CHECK: memformer.lstm_step %{{.*}}, %{{.*}}, %{{.*}}, %{{.*}} cache(%{{.*}}, %{{.*}}) at %{{.*}} :
// CHECK-NOT: memformer.slice

// CHECK-LABEL: func.func @end(
// CHECK-DAG: %[[HIDDEN:arg[0-9]+]]: tensor<2x5x3xf32> {memformer.name = "hidden_cache0", memformer.role = "cache"}
// CHECK-DAG: %[[CELL:arg[0-9]+]]: tensor<2x5x3xf32> {memformer.name = "cell_cache0", memformer.role = "cache"}
// CHECK-DAG: {memformer.name = "h", memformer.role = "state"}
// CHECK-DAG: memformer.slice %[[HIDDEN]] axis 1 offset 4
// CHECK-DAG: memformer.slice %[[CELL]] axis 1 offset 4
// CHECK-DAG: memformer.add %{{.*}}, %{{.*}} : (tensor<2x1x3xf32>, tensor<2x1x3xf32>)

memformer.param @w : tensor<12x3xf32> = <normal, 0.5>
memformer.recurrence @model states ["h", "c", "k"] inputs ["x"] outputs ["y"] streamed "x" to "y" initial {
  %z = arith.constant dense<0.0> : tensor<2x1x3xf32>
  memformer.yield state(%z, %z, %z : tensor<2x1x3xf32>, tensor<2x1x3xf32>, tensor<2x1x3xf32>)
} segment {
^bb0(%h: tensor<2x1x3xf32>, %c: tensor<2x1x3xf32>, %k: tensor<2x1x3xf32>, %x: tensor<2x5x12xf32>):
  %w = memformer.load_param @w : tensor<12x3xf32>
  %hs, %cs, %a = memformer.lstm %x, %h, %c, %w : (tensor<2x5x12xf32>, tensor<2x1x3xf32>, tensor<2x1x3xf32>, tensor<12x3xf32>) -> (tensor<2x5x3xf32>, tensor<2x5x3xf32>, tensor<2x5x12xf32>)
  %last = memformer.slice %hs axis 1 offset 4 : (tensor<2x5x3xf32>) -> tensor<2x1x3xf32>
  %next = memformer.add %last, %k : (tensor<2x1x3xf32>, tensor<2x1x3xf32>) -> tensor<2x1x3xf32>
  %cell = memformer.slice %cs axis 1 offset 4 : (tensor<2x5x3xf32>) -> tensor<2x1x3xf32>
  %other = memformer.relu %k : (tensor<2x1x3xf32>) -> tensor<2x1x3xf32>
  %y = memformer.relu %hs : (tensor<2x5x3xf32>) -> tensor<2x5x3xf32>
  memformer.yield state(%next, %cell, %other : tensor<2x1x3xf32>, tensor<2x1x3xf32>, tensor<2x1x3xf32>) outputs(%y : tensor<2x5x3xf32>)
}
