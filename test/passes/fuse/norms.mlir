// RUN: memformer-opt %s -memformer-to-kernels -kernel-fuse="fuse-layer-norm=true fuse-normalize=true" | FileCheck %s
// RUN: memformer-opt %s -memformer-to-kernels -kernel-fuse | FileCheck %s --check-prefix=OFF
// RUN: memformer-opt %s -memformer-to-kernels -kernel-fuse="few-rows=4" | FileCheck %s --check-prefix=FEW

memformer.param @w : tensor<3x5xf32> = <uniform, 0.5>
memformer.param @scale : tensor<5xf32> = <constant, 1.0>
memformer.param @shift : tensor<5xf32> = <constant, 0.0>
memformer.param @v : tensor<3x4xf32> = <rows, 0.3>

// CHECK-LABEL: func.func @prologue(
// OFF-LABEL: func.func @prologue(
func.func @prologue(%x: tensor<2x7x5xf32>) -> tensor<2x7x3xf32> {
  // CHECK-NOT: kernel.layer_norm
  // CHECK: kernel.gemm %{{.*}}, %{{.*}} normalize(%{{.*}}, %{{.*}}) n 3 packed :
  // OFF: kernel.layer_norm
  %w = memformer.load_param @w : tensor<3x5xf32>
  %scale = memformer.load_param @scale : tensor<5xf32>
  %shift = memformer.load_param @shift : tensor<5xf32>
  %n = memformer.layer_norm %x, %scale, %shift : (tensor<2x7x5xf32>, tensor<5xf32>, tensor<5xf32>) -> tensor<2x7x5xf32>
  %y = memformer.linear %n, %w : (tensor<2x7x5xf32>, tensor<3x5xf32>) -> tensor<2x7x3xf32>
  return %y : tensor<2x7x3xf32>
}

// CHECK-LABEL: func.func @stored(
func.func @stored(%x: tensor<2x7x5xf32>, %g: tensor<2x7x3xf32>) -> tensor<2x7x3xf32> {
  // CHECK-NOT: kernel.layer_norm
  // CHECK: %[[Y:.*]]:2 = kernel.gemm %{{.*}}, %{{.*}} normalize(%{{.*}}, %{{.*}}) n 3 packed store_normalized
  // CHECK-SAME: -> (tensor<2x7x3xf32>, tensor<2x7x5xf32>)
  // CHECK: kernel.gemm %{{.*}}, %[[Y]]#1 n 5 transpose_a accumulate @w
  %w = memformer.load_param @w : tensor<3x5xf32>
  %scale = memformer.load_param @scale : tensor<5xf32>
  %shift = memformer.load_param @shift : tensor<5xf32>
  %n = memformer.layer_norm %x, %scale, %shift : (tensor<2x7x5xf32>, tensor<5xf32>, tensor<5xf32>) -> tensor<2x7x5xf32>
  %y = memformer.linear %n, %w : (tensor<2x7x5xf32>, tensor<3x5xf32>) -> tensor<2x7x3xf32>
  %dw = memformer.weight_gradient %g, %n : (tensor<2x7x3xf32>, tensor<2x7x5xf32>) -> tensor<3x5xf32>
  memformer.accumulate @w, %dw : tensor<3x5xf32>
  return %y : tensor<2x7x3xf32>
}

// CHECK-LABEL: func.func @slots(
// OFF-LABEL: func.func @slots(
func.func @slots(%m: tensor<2x3x4xf32>, %x: tensor<2x5x4xf32>) -> tensor<2x3x4xf32> {
  // CHECK: %{{.*}}, %{{.*}}, %[[N:.*]] = kernel.attention %{{.*}}, %{{.*}}, %{{.*}} self(%{{.*}}, %{{.*}}) bias(%{{.*}}) heads 2 scale 5.000000e-01 normalize
  // CHECK: return %[[N]]
  // OFF: kernel.normalize
  %v = memformer.load_param @v : tensor<3x4xf32>
  %o, %lse = memformer.slot_attention %m self(%m, %m), %x, %x heads 2 scale 0.5
    : (tensor<2x3x4xf32>, tensor<2x3x4xf32>, tensor<2x3x4xf32>, tensor<2x5x4xf32>, tensor<2x5x4xf32>) -> (tensor<2x3x4xf32>, tensor<2x2x3xf32>)
  %y = memformer.bmn %o, %v : (tensor<2x3x4xf32>, tensor<3x4xf32>) -> tensor<2x3x4xf32>
  return %y : tensor<2x3x4xf32>
}

// Few rows are normalised in passing; many are not, unless all are.
// FEW-LABEL: func.func @prologue(
// FEW: kernel.layer_norm
// FEW-LABEL: func.func @few(
// FEW-NOT: kernel.layer_norm
// FEW: kernel.gemm %{{.*}}, %{{.*}} normalize(%{{.*}}, %{{.*}}) n 3 packed :
func.func @few(%x: tensor<4x1x5xf32>) -> tensor<4x1x3xf32> {
  %w = memformer.load_param @w : tensor<3x5xf32>
  %scale = memformer.load_param @scale : tensor<5xf32>
  %shift = memformer.load_param @shift : tensor<5xf32>
  %n = memformer.layer_norm %x, %scale, %shift : (tensor<4x1x5xf32>, tensor<5xf32>, tensor<5xf32>) -> tensor<4x1x5xf32>
  %y = memformer.linear %n, %w : (tensor<4x1x5xf32>, tensor<3x5xf32>) -> tensor<4x1x3xf32>
  return %y : tensor<4x1x3xf32>
}
