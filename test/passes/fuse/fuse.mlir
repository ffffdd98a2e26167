// RUN: memformer-opt %s -memformer-to-kernels -kernel-fuse | FileCheck %s

memformer.param @w : tensor<5x7xf32> = <uniform, 0.5>
memformer.param @b : tensor<5xf32> = <uniform, 0.5>
memformer.param @scale : tensor<5xf32> = <constant, 1.0>
memformer.param @table : tensor<11x5xf32> = <normal, 0.5>
memformer.param @position : tensor<3x5xf32> = <normal, 0.5>

// A chain: projection, activation, dropout, residual.
// CHECK-LABEL: func.func @chain(
// CHECK-SAME: %[[X:.*]]: tensor<2x3x7xf32>, %[[R:.*]]: tensor<2x3x5xf32>, %{{.*}}: tensor<2xi32>
func.func @chain(%x: tensor<2x3x7xf32>, %r: tensor<2x3x5xf32>, %key: tensor<2xi32>) -> tensor<2x3x5xf32> {
  // CHECK: %[[KEY:.*]] = kernel.slice
  // CHECK: %[[Y:.*]] = kernel.gemm %[[X]], %{{.*}} extras(%{{.*}} trailing, %[[KEY]] whole, %[[R]] trailing) n 5 packed
  // CHECK-SAME: -> tensor<2x3x5xf32>
  // CHECK-NEXT: ^bb0(%{{.*}}: f32, %{{.*}}: f32, %{{.*}}: i32, %{{.*}}: i32, %{{.*}}: f32, %{{.*}}: i32):
  // CHECK-NOT: kernel.map
  // CHECK: return %[[Y]]
  %w = memformer.load_param @w : tensor<5x7xf32>
  %b = memformer.load_param @b : tensor<5xf32>
  %u = memformer.linear %x, %w, %b : (tensor<2x3x7xf32>, tensor<5x7xf32>, tensor<5xf32>) -> tensor<2x3x5xf32>
  %h = memformer.gelu %u : (tensor<2x3x5xf32>) -> tensor<2x3x5xf32>
  %d = memformer.dropout %h, %key probability 0.5 stream 1 : (tensor<2x3x5xf32>, tensor<2xi32>) -> tensor<2x3x5xf32>
  %y = memformer.add %r, %d : (tensor<2x3x5xf32>, tensor<2x3x5xf32>) -> tensor<2x3x5xf32>
  return %y : tensor<2x3x5xf32>
}

// An intermediate value that is read elsewhere is a result too.
// CHECK-LABEL: func.func @both(
func.func @both(%x: tensor<2x3x7xf32>, %g: tensor<2x3x5xf32>) -> (tensor<2x3x5xf32>, tensor<2x3x5xf32>) {
  // CHECK: %[[Y:.*]]:2 = kernel.gemm {{.*}} -> (tensor<2x3x5xf32>, tensor<2x3x5xf32>)
  // CHECK: kernel.yield %[[U:.*]], %{{.*}} : f32, f32
  // CHECK-NEXT: }
  // CHECK: %[[D:.*]] = kernel.map %{{.*}} trailing, %[[Y]]#0 trailing
  // CHECK: return %[[Y]]#1, %[[D]]
  %w = memformer.load_param @w : tensor<5x7xf32>
  %u = memformer.linear %x, %w : (tensor<2x3x7xf32>, tensor<5x7xf32>) -> tensor<2x3x5xf32>
  %h = memformer.relu %u : (tensor<2x3x5xf32>) -> tensor<2x3x5xf32>
  %sc = memformer.load_param @scale : tensor<5xf32>
  %s = memformer.layer_norm %h, %sc, %sc : (tensor<2x3x5xf32>, tensor<5xf32>, tensor<5xf32>) -> tensor<2x3x5xf32>
  %d = memformer.gelu_gradient %s, %u : (tensor<2x3x5xf32>, tensor<2x3x5xf32>) -> tensor<2x3x5xf32>
  return %h, %d : tensor<2x3x5xf32>, tensor<2x3x5xf32>
}

// CHECK-LABEL: func.func @gather(
func.func @gather(%tokens: tensor<2x3xi32>) -> tensor<2x3x5xf32> {
  // CHECK: kernel.gather %{{.*}}, %{{.*}} extras(%{{.*}} trailing) : (tensor<2x3xi32>, tensor<11x5xf32>, tensor<3x5xf32>) -> tensor<2x3x5xf32>
  // CHECK-NOT: kernel.map
  // CHECK: return
  %table = memformer.load_param @table : tensor<11x5xf32>
  %p = memformer.load_param @position : tensor<3x5xf32>
  %e = memformer.embedding %tokens, %table : (tensor<2x3xi32>, tensor<11x5xf32>) -> tensor<2x3x5xf32>
  %y = memformer.add %e, %p : (tensor<2x3x5xf32>, tensor<3x5xf32>) -> tensor<2x3x5xf32>
  return %y : tensor<2x3x5xf32>
}

// The residual's gradient is added in the layer norm's gradient; its partial sums stay the last result.
// CHECK-LABEL: func.func @norm(
func.func @norm(%x: tensor<2x3x5xf32>, %g: tensor<2x3x5xf32>, %r: tensor<2x3x5xf32>) -> tensor<2x3x5xf32> {
  // CHECK: %[[Y:.*]]:2 = kernel.layer_norm_gradient %{{.*}}, %{{.*}}, %{{.*}} extras(%{{.*}} trailing) {{.*}} -> (tensor<2x3x5xf32>, tensor<2x1x5xf32>)
  // CHECK: kernel.slice %[[Y]]#1 axis 0 offset 0
  // CHECK: return %[[Y]]#0
  %scale = memformer.load_param @scale : tensor<5xf32>
  %dx, %ds, %dt = memformer.layer_norm_gradient %g, %x, %scale : (tensor<2x3x5xf32>, tensor<2x3x5xf32>, tensor<5xf32>) -> (tensor<2x3x5xf32>, tensor<5xf32>, tensor<5xf32>)
  memformer.accumulate @scale, %ds : tensor<5xf32>
  %y = memformer.add %r, %dx : (tensor<2x3x5xf32>, tensor<2x3x5xf32>) -> tensor<2x3x5xf32>
  return %y : tensor<2x3x5xf32>
}

// The producer moves down to its reader when nothing reads it before; here the layer norm does, and needs it earlier than the
// map's other operand is there.
// CHECK-LABEL: func.func @order(
func.func @order(%x: tensor<2x3x5xf32>) -> tensor<2x3x5xf32> {
  // CHECK: %[[U:.*]] = kernel.map
  // CHECK: %[[N:.*]] = kernel.layer_norm %[[U]]
  // CHECK: %[[Y:.*]] = kernel.map %[[U]] trailing, %[[N]] trailing
  // CHECK: return %[[Y]]
  %scale = memformer.load_param @scale : tensor<5xf32>
  %u = memformer.relu %x : (tensor<2x3x5xf32>) -> tensor<2x3x5xf32>
  %n = memformer.layer_norm %u, %scale, %scale : (tensor<2x3x5xf32>, tensor<5xf32>, tensor<5xf32>) -> tensor<2x3x5xf32>
  %y = memformer.add %u, %n : (tensor<2x3x5xf32>, tensor<2x3x5xf32>) -> tensor<2x3x5xf32>
  return %y : tensor<2x3x5xf32>
}

// CHECK-LABEL: func.func @sink(
func.func @sink(%x: tensor<2x3x5xf32>, %z: tensor<2x3x5xf32>) -> tensor<2x3x5xf32> {
  // CHECK: kernel.layer_norm
  // CHECK-NEXT: %[[Y:.*]] = kernel.map
  // CHECK: return %[[Y]]
  %scale = memformer.load_param @scale : tensor<5xf32>
  %u = memformer.relu %x : (tensor<2x3x5xf32>) -> tensor<2x3x5xf32>
  %n = memformer.layer_norm %z, %scale, %scale : (tensor<2x3x5xf32>, tensor<5xf32>, tensor<5xf32>) -> tensor<2x3x5xf32>
  %y = memformer.add %u, %n : (tensor<2x3x5xf32>, tensor<2x3x5xf32>) -> tensor<2x3x5xf32>
  return %y : tensor<2x3x5xf32>
}

// A value that is repeated is not computed again for each place.
// CHECK-LABEL: func.func @repeated(
func.func @repeated(%x: tensor<3x5xf32>, %z: tensor<2x3x5xf32>) -> tensor<2x3x5xf32> {
  // CHECK: %[[U:.*]] = kernel.map {{.*}} -> tensor<3x5xf32>
  // CHECK: kernel.map %{{.*}} trailing, %[[U]] trailing
  %u = memformer.gelu %x : (tensor<3x5xf32>) -> tensor<3x5xf32>
  %y = memformer.add %z, %u : (tensor<2x3x5xf32>, tensor<3x5xf32>) -> tensor<2x3x5xf32>
  return %y : tensor<2x3x5xf32>
}
