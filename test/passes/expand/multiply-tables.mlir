// RUN: memformer-opt %s -memformer-multiply-tables -canonicalize -cse | FileCheck %s

memformer.param @table : tensor<5x3xf32> = <uniform, 0.5>
memformer.param @w : tensor<4x3xf32> = <uniform, 0.5>
memformer.param @b : tensor<4xf32> = <uniform, 0.5>

// CHECK-LABEL: func.func @asManyTokensAsRows(
// CHECK-SAME: %[[TOKENS:.*]]: tensor<1x5xi32>
// CHECK-DAG: %[[TABLE:.*]] = memformer.load_param @table
// CHECK-DAG: %[[W:.*]] = memformer.load_param @w
// CHECK-DAG: %[[B:.*]] = memformer.load_param @b
// CHECK: %[[PRODUCT:.*]] = memformer.linear %[[TABLE]], %[[W]], %[[B]] : (tensor<5x3xf32>, tensor<4x3xf32>, tensor<4xf32>) -> tensor<5x4xf32>
// CHECK: %[[Y:.*]] = memformer.embedding %[[TOKENS]], %[[PRODUCT]] : (tensor<1x5xi32>, tensor<5x4xf32>) -> tensor<1x5x4xf32>
// CHECK-NEXT: return %[[Y]]
func.func @asManyTokensAsRows(%tokens: tensor<1x5xi32>) -> tensor<1x5x4xf32> {
  %table = memformer.load_param @table : tensor<5x3xf32>
  %x = memformer.embedding %tokens, %table : (tensor<1x5xi32>, tensor<5x3xf32>) -> tensor<1x5x3xf32>
  %w = memformer.load_param @w : tensor<4x3xf32>
  %b = memformer.load_param @b : tensor<4xf32>
  %y = memformer.linear %x, %w, %b : (tensor<1x5x3xf32>, tensor<4x3xf32>, tensor<4xf32>) -> tensor<1x5x4xf32>
  return %y : tensor<1x5x4xf32>
}

// Who else reads the embedding goes on doing so.
// CHECK-LABEL: func.func @withoutBias(
// CHECK: %[[X:.*]] = memformer.embedding %{{.*}} : (tensor<3x2xi32>, tensor<5x3xf32>) -> tensor<3x2x3xf32>
// CHECK: %[[PRODUCT:.*]] = memformer.linear %{{.*}}, %{{.*}} : (tensor<5x3xf32>, tensor<4x3xf32>) -> tensor<5x4xf32>
// CHECK: %[[Y:.*]] = memformer.embedding %{{.*}}, %[[PRODUCT]] : (tensor<3x2xi32>, tensor<5x4xf32>) -> tensor<3x2x4xf32>
// CHECK: return %[[Y]], %[[X]]
func.func @withoutBias(%tokens: tensor<3x2xi32>) -> (tensor<3x2x4xf32>, tensor<3x2x3xf32>) {
  %table = memformer.load_param @table : tensor<5x3xf32>
  %x = memformer.embedding %tokens, %table : (tensor<3x2xi32>, tensor<5x3xf32>) -> tensor<3x2x3xf32>
  %w = memformer.load_param @w : tensor<4x3xf32>
  %y = memformer.linear %x, %w : (tensor<3x2x3xf32>, tensor<4x3xf32>) -> tensor<3x2x4xf32>
  return %y, %x : tensor<3x2x4xf32>, tensor<3x2x3xf32>
}

// CHECK-LABEL: func.func @fewerTokens(
// CHECK: memformer.embedding %{{.*}} -> tensor<1x4x3xf32>
// CHECK: memformer.linear %{{.*}} : (tensor<1x4x3xf32>
func.func @fewerTokens(%tokens: tensor<1x4xi32>) -> tensor<1x4x4xf32> {
  %table = memformer.load_param @table : tensor<5x3xf32>
  %x = memformer.embedding %tokens, %table : (tensor<1x4xi32>, tensor<5x3xf32>) -> tensor<1x4x3xf32>
  %w = memformer.load_param @w : tensor<4x3xf32>
  %y = memformer.linear %x, %w : (tensor<1x4x3xf32>, tensor<4x3xf32>) -> tensor<1x4x4xf32>
  return %y : tensor<1x4x4xf32>
}

// What is computed from parameters and more is computed for each segment.
// CHECK-LABEL: func.func @noParameters(
// CHECK: memformer.linear %{{.*}} : (tensor<2x5x3xf32>
// CHECK: memformer.linear %{{.*}} : (tensor<2x5x3xf32>
// CHECK: memformer.linear %{{.*}} transposed : (tensor<2x5x3xf32>
func.func @noParameters(%tokens: tensor<2x5xi32>, %table: tensor<5x3xf32>, %v: tensor<4x3xf32>, %square: tensor<3x4xf32>) -> (tensor<2x5x4xf32>, tensor<2x5x4xf32>, tensor<2x5x4xf32>) {
  %known = memformer.load_param @table : tensor<5x3xf32>
  %w = memformer.load_param @w : tensor<4x3xf32>
  %x = memformer.embedding %tokens, %table : (tensor<2x5xi32>, tensor<5x3xf32>) -> tensor<2x5x3xf32>
  %y = memformer.linear %x, %w : (tensor<2x5x3xf32>, tensor<4x3xf32>) -> tensor<2x5x4xf32>
  %z = memformer.embedding %tokens, %known : (tensor<2x5xi32>, tensor<5x3xf32>) -> tensor<2x5x3xf32>
  %u = memformer.linear %z, %v : (tensor<2x5x3xf32>, tensor<4x3xf32>) -> tensor<2x5x4xf32>
  %t = memformer.linear %z, %square transposed : (tensor<2x5x3xf32>, tensor<3x4xf32>) -> tensor<2x5x4xf32>
  return %y, %u, %t : tensor<2x5x4xf32>, tensor<2x5x4xf32>, tensor<2x5x4xf32>
}
