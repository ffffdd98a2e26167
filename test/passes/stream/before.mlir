// Keys and values that come before the segment's own begin its caches; a next state of which the steps keep nothing comes from the segment's tokens.
// RUN: memformer-opt %s -memformer-expand -memformer-differentiate -memformer-stream | FileCheck %s

// CHECK-LABEL: func.func @begin(
// CHECK-SAME: tensor<2x8x6xf32> {memformer.name = "key_cache0", memformer.role = "cache"}, tensor<2x8x6xf32> {memformer.name = "value_cache0", memformer.role = "cache"}
// CHECK: %[[KEYS:.*]] = memformer.linear %{{.*}} : (tensor<2x3x6xf32>, tensor<6x6xf32>) -> tensor<2x3x6xf32>
// CHECK: memformer.concat %[[KEYS]], %{{.*}} axis 1 : (tensor<2x3x6xf32>, tensor<2x5x6xf32>) -> tensor<2x8x6xf32>

// CHECK-LABEL: func.func @step(
// CHECK: memformer.attention_step %{{.*}} before 3 relative(%{{.*}}, %{{.*}}) heads 2 scale 5.000000e-01 : (tensor<2x1x6xf32>, tensor<2x1x6xf32>, tensor<2x1x6xf32>, tensor<2x8x6xf32>, tensor<2x8x6xf32>, tensor<i32>, tensor<2x1x6xf32>, tensor<8x6xf32>)

// CHECK-LABEL: func.func @end(
// CHECK-SAME: %[[X:arg[0-9]+]]: tensor<2x5x6xf32> {memformer.name = "x", memformer.role = "input"}
// CHECK: memformer.slice %[[X]] axis 1 offset 2

memformer.param @w : tensor<6x6xf32> = <normal, 0.5>
memformer.param @r : tensor<8x6xf32> = <normal, 0.5>
memformer.recurrence @model states ["m"] inputs ["x"] outputs ["y"] streamed "x" to "y" initial {
  %z = arith.constant dense<0.0> : tensor<2x3x6xf32>
  memformer.yield state(%z : tensor<2x3x6xf32>)
} segment {
^bb0(%m: tensor<2x3x6xf32>, %x: tensor<2x5x6xf32>):
  %w = memformer.load_param @w : tensor<6x6xf32>
  %r = memformer.load_param @r : tensor<8x6xf32>
  %c = memformer.concat %m, %x axis 1 : (tensor<2x3x6xf32>, tensor<2x5x6xf32>) -> tensor<2x8x6xf32>
  %k = memformer.linear %c, %w : (tensor<2x8x6xf32>, tensor<6x6xf32>) -> tensor<2x8x6xf32>
  %q = memformer.relu %x : (tensor<2x5x6xf32>) -> tensor<2x5x6xf32>
  %o, %l = memformer.attention %q, %k, %k relative(%x, %r) heads 2 scale 0.5 causal : (tensor<2x5x6xf32>, tensor<2x8x6xf32>, tensor<2x8x6xf32>, tensor<2x5x6xf32>, tensor<8x6xf32>) -> (tensor<2x5x6xf32>, tensor<2x2x5xf32>)
  %next = memformer.slice %x axis 1 offset 2 : (tensor<2x5x6xf32>) -> tensor<2x3x6xf32>
  memformer.yield state(%next : tensor<2x3x6xf32>) outputs(%o : tensor<2x5x6xf32>)
}
