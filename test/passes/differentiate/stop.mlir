// What gradients alone see: they stop, and they come from a loss that is not reported. The replay keeps nothing of either op.
// RUN: memformer-opt %s -memformer-differentiate | FileCheck %s

memformer.param @w : tensor<3x3xf32> = <normal, 0.5>
memformer.param @v : tensor<3x3xf32> = <normal, 0.5>
memformer.param @table : tensor<2x3xf32> = <sinusoids, 10000.0>

// CHECK-LABEL: memformer.recurrence
// CHECK: replay {
// CHECK: %[[V:.*]] = memformer.load_param @v
// CHECK: %[[A:.*]] = memformer.linear %{{.*}}, %[[V]]
// CHECK-NOT: memformer.stop_gradient
// CHECK-NOT: memformer.auxiliary_squared_error
// The derivative of 0.5 / 3 of (a - b) squared, for the one operand that learns.
// CHECK: %[[D:.*]] = memformer.squared_error_gradient %{{.*}}, %[[A]], %{{.*}} factor 0.33333333333333331 :
// CHECK: %[[G:.*]] = memformer.weight_gradient %[[D]],
// CHECK: memformer.accumulate @v, %[[G]]
// Neither the parameter behind the stop nor the table learns.
// CHECK-NOT: memformer.accumulate
// CHECK: memformer.yield loss(
memformer.recurrence @model states [] inputs ["x"] outputs [] initial {
  memformer.yield
} segment {
^bb0(%x: tensor<2x3xf32>):
  %w = memformer.load_param @w : tensor<3x3xf32>
  %v = memformer.load_param @v : tensor<3x3xf32>
  %table = memformer.load_param @table : tensor<2x3xf32>
  %b = memformer.linear %table, %w : (tensor<2x3xf32>, tensor<3x3xf32>) -> tensor<2x3xf32>
  %s = memformer.stop_gradient %b : (tensor<2x3xf32>) -> tensor<2x3xf32>
  %a = memformer.linear %x, %v : (tensor<2x3xf32>, tensor<3x3xf32>) -> tensor<2x3xf32>
  %zero = arith.constant dense<0.0> : tensor<2xf32>
  %loss = memformer.auxiliary_squared_error %zero, %a, %s weight 0.5 : (tensor<2xf32>, tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<2xf32>
  memformer.yield loss(%loss : tensor<2xf32>)
}
