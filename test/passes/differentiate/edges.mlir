// RUN: memformer-opt %s -memformer-differentiate -split-input-file | FileCheck %s

// A state that nothing depends on has a gradient of zero.
// CHECK-LABEL: memformer.recurrence @forgotten
// CHECK: replay {
// CHECK: %[[ZERO:.*]] = arith.constant dense<0.000000e+00> : tensor<2x1xf64>
// CHECK: memformer.yield state(%[[ZERO]] : tensor<2x1xf64>) loss(
memformer.param @v : tensor<1xf64> = <uniform, 0.5>
memformer.recurrence @forgotten states ["h"] inputs [] outputs [] initial {
  %v = memformer.load_param @v : tensor<1xf64>
  %h = memformer.broadcast %v : (tensor<1xf64>) -> tensor<2x1xf64>
  memformer.yield state(%h : tensor<2x1xf64>)
} segment {
^bb0(%h: tensor<2x1xf64>):
  %v = memformer.load_param @v : tensor<1xf64>
  %next = memformer.broadcast %v : (tensor<1xf64>) -> tensor<2x1xf64>
  memformer.yield state(%next : tensor<2x1xf64>) loss(%next : tensor<2x1xf64>)
}

// -----

// A state that goes on as it is hands its gradient on as it is; without a loss there is no scale.
// CHECK-LABEL: memformer.recurrence @kept
// CHECK: replay {
// CHECK-NEXT: ^bb0(%{{.*}}: tensor<2x1xf32>, %[[RESET:.*]]: tensor<2xi32>, %[[GRADIENT:.*]]: tensor<2x1xf32>):
// CHECK: memformer.select_rows %[[RESET]]
// CHECK-NOT: memformer.add
// CHECK: memformer.yield state
memformer.param @v : tensor<1xf32> = <uniform, 0.5>
memformer.recurrence @kept states ["h"] inputs [] outputs [] initial {
  %v = memformer.load_param @v : tensor<1xf32>
  %h = memformer.broadcast %v : (tensor<1xf32>) -> tensor<2x1xf32>
  memformer.yield state(%h : tensor<2x1xf32>)
} segment {
^bb0(%h: tensor<2x1xf32>):
  memformer.yield state(%h : tensor<2x1xf32>)
}
