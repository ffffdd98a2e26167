// The recurrent weight is packed as the product needs it: its transpose forward, itself backward.
// RUN: memformer-opt %s -memformer-to-kernels=panel-width=16 | FileCheck %s

// CHECK-LABEL: func.func @layer
// CHECK: %[[F:.*]] = kernel.pack %[[W:.*]] transposed : (tensor<20x5xf32>) -> tensor<2x5x16xf32>
// CHECK: %{{.*}}, %[[C:.*]], %[[A:.*]] = kernel.lstm %{{.*}}, %{{.*}}, %{{.*}}, %[[F]] :
// CHECK: %[[B:.*]] = kernel.pack %[[W]] : (tensor<20x5xf32>) -> tensor<1x20x16xf32>
// CHECK: kernel.lstm_gradient hiddens(%{{.*}}) %[[A]], %[[C]], %{{.*}}, %[[B]] :
func.func @layer(%g: tensor<2x3x20xf32>, %h: tensor<2x1x5xf32>, %c: tensor<2x1x5xf32>, %w: tensor<20x5xf32>, %d: tensor<2x3x5xf32>) -> tensor<2x3x20xf32> {
  %hs, %cs, %a = memformer.lstm %g, %h, %c, %w : (tensor<2x3x20xf32>, tensor<2x1x5xf32>, tensor<2x1x5xf32>, tensor<20x5xf32>) -> (tensor<2x3x5xf32>, tensor<2x3x5xf32>, tensor<2x3x20xf32>)
  %x:3 = memformer.lstm_gradient hiddens(%d) %a, %cs, %c, %w
    : (tensor<2x3x5xf32>, tensor<2x3x20xf32>, tensor<2x3x5xf32>, tensor<2x1x5xf32>, tensor<20x5xf32>) -> (tensor<2x3x20xf32>, tensor<2x1x5xf32>, tensor<2x1x5xf32>)
  return %x#0 : tensor<2x3x20xf32>
}
