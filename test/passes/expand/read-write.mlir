// RUN: memformer-opt %s -memformer-expand | FileCheck %s

// CHECK-LABEL: func.func @read(
// CHECK-NOT: memformer.read
// CHECK-DAG: memformer.linear %arg0, %arg2, %arg3
// CHECK-DAG: memformer.linear %arg1, %arg2, %arg3
// CHECK: %[[O:.*]], %{{.*}} = memformer.attention
// CHECK: %[[Y:.*]] = memformer.linear %[[O]], %arg2, %arg3
// CHECK: return %[[Y]]
func.func @read(%x: tensor<2x3x4xf32>, %memory: tensor<2x5x4xf32>, %w: tensor<4x4xf32>, %b: tensor<4xf32>) -> tensor<2x3x4xf32> {
  %y = memformer.read %x, %memory query(%w, %b) key(%w, %b) value(%w, %b) output(%w, %b) heads 2
    : (tensor<2x3x4xf32>, tensor<2x5x4xf32>, tensor<4x4xf32>, tensor<4xf32>, tensor<4x4xf32>, tensor<4xf32>, tensor<4x4xf32>, tensor<4xf32>, tensor<4x4xf32>, tensor<4xf32>) -> tensor<2x3x4xf32>
  return %y : tensor<2x3x4xf32>
}

// The weights are not observed and cost nothing.
// CHECK-LABEL: func.func @write(
// CHECK-NOT: memformer.write
// CHECK: memformer.slot_attention
// CHECK-NOT: memformer.attention_weights
// CHECK: return
func.func @write(%memory: tensor<2x5x4xf32>, %x: tensor<2x3x4xf32>, %w: tensor<4x4xf32>, %b: tensor<4xf32>) -> tensor<2x5x4xf32> {
  %y, %weights = memformer.write %memory, %x query(%w, %b) key(%w, %b) value(%w, %b) heads 2 temperature 0.25
    : (tensor<2x5x4xf32>, tensor<2x3x4xf32>, tensor<4x4xf32>, tensor<4xf32>, tensor<4x4xf32>, tensor<4xf32>, tensor<4x4xf32>, tensor<4xf32>) -> (tensor<2x5x4xf32>, tensor<2x2x5x4xf32>)
  return %y : tensor<2x5x4xf32>
}

// CHECK-LABEL: func.func @observed(
// CHECK: memformer.attention_weights
func.func @observed(%memory: tensor<2x5x4xf32>, %x: tensor<2x3x4xf32>, %w: tensor<4x4xf32>, %b: tensor<4xf32>) -> tensor<2x2x5x4xf32> {
  %y, %weights = memformer.write %memory, %x query(%w, %b) key(%w, %b) value(%w, %b) heads 2 temperature 0.25
    : (tensor<2x5x4xf32>, tensor<2x3x4xf32>, tensor<4x4xf32>, tensor<4xf32>, tensor<4x4xf32>, tensor<4xf32>, tensor<4x4xf32>, tensor<4xf32>) -> (tensor<2x5x4xf32>, tensor<2x2x5x4xf32>)
  return %weights : tensor<2x2x5x4xf32>
}
