// RUN: memformer-opt %s -memformer-join-linears -canonicalize -cse | FileCheck %s

memformer.param @wq : tensor<16x6xf32> = <uniform, 0.5>
memformer.param @wk : tensor<32x6xf32> = <uniform, 0.5>
memformer.param @b : tensor<16xf32> = <uniform, 0.5>
memformer.param @c : tensor<32xf32> = <uniform, 0.5>
memformer.param @w5 : tensor<5x6xf32> = <uniform, 0.5>
memformer.param @b5 : tensor<5xf32> = <uniform, 0.5>

// Of one row: the weights one above the other, the result cut.
// CHECK-LABEL: func.func @one(
// CHECK-SAME: %[[X:.*]]: tensor<1x1x6xf32>
// CHECK-DAG: %[[W0:.*]] = memformer.load_param @wq
// CHECK-DAG: %[[W1:.*]] = memformer.load_param @wk
// CHECK-DAG: %[[B0:.*]] = memformer.load_param @b
// CHECK-DAG: %[[B1:.*]] = memformer.load_param @c
// CHECK-DAG: %[[W:.*]] = memformer.concat %[[W0]], %[[W1]] axis 0 : (tensor<16x6xf32>, tensor<32x6xf32>) -> tensor<48x6xf32>
// CHECK-DAG: %[[B:.*]] = memformer.concat %[[B0]], %[[B1]] axis 0 : (tensor<16xf32>, tensor<32xf32>) -> tensor<48xf32>
// CHECK: %[[Y:.*]] = memformer.linear %[[X]], %[[W]], %[[B]] : (tensor<1x1x6xf32>, tensor<48x6xf32>, tensor<48xf32>) -> tensor<1x1x48xf32>
// CHECK: %[[Q:.*]] = memformer.slice %[[Y]] axis 2 offset 0 : (tensor<1x1x48xf32>) -> tensor<1x1x16xf32>
// CHECK: %[[K:.*]] = memformer.slice %[[Y]] axis 2 offset 16 : (tensor<1x1x48xf32>) -> tensor<1x1x32xf32>
// CHECK-NOT: memformer.linear
// CHECK: memformer.attention %[[Q]], %{{.*}}, %{{.*}} heads 2
// CHECK: memformer.attention %[[K]], %{{.*}}, %{{.*}} heads 2
func.func @one(%x: tensor<1x1x6xf32>, %m: tensor<1x3x16xf32>, %n: tensor<1x3x32xf32>) -> (tensor<1x1x16xf32>, tensor<1x1x32xf32>) {
  %wq = memformer.load_param @wq : tensor<16x6xf32>
  %b = memformer.load_param @b : tensor<16xf32>
  %q = memformer.linear %x, %wq, %b : (tensor<1x1x6xf32>, tensor<16x6xf32>, tensor<16xf32>) -> tensor<1x1x16xf32>
  %wk = memformer.load_param @wk : tensor<32x6xf32>
  %c = memformer.load_param @c : tensor<32xf32>
  %k = memformer.linear %x, %wk, %c : (tensor<1x1x6xf32>, tensor<32x6xf32>, tensor<32xf32>) -> tensor<1x1x32xf32>
  %y, %l = memformer.attention %q, %m, %m heads 2 scale 0.5 : (tensor<1x1x16xf32>, tensor<1x3x16xf32>, tensor<1x3x16xf32>) -> (tensor<1x1x16xf32>, tensor<1x2x1xf32>)
  %z, %o = memformer.attention %k, %n, %n heads 2 scale 0.5 : (tensor<1x1x32xf32>, tensor<1x3x32xf32>, tensor<1x3x32xf32>) -> (tensor<1x1x32xf32>, tensor<1x2x1xf32>)
  return %y, %z : tensor<1x1x16xf32>, tensor<1x1x32xf32>
}

// Of several rows, of rows that would begin anywhere, or read by other ops: as they are.
// CHECK-LABEL: func.func @others(
// CHECK-NOT: memformer.concat
// CHECK-COUNT-3: memformer.linear
// CHECK-NOT: memformer.slice
func.func @others(%x: tensor<2x1x6xf32>, %y: tensor<1x1x6xf32>, %m: tensor<2x3x16xf32>, %n: tensor<1x3x5xf32>) -> (tensor<2x1x16xf32>, tensor<1x1x5xf32>, tensor<1x1x16xf32>, tensor<1x1x16xf32>) {
  %w = memformer.load_param @wq : tensor<16x6xf32>
  %b = memformer.load_param @b : tensor<16xf32>
  %w5 = memformer.load_param @w5 : tensor<5x6xf32>
  %b5 = memformer.load_param @b5 : tensor<5xf32>
  %0 = memformer.linear %x, %w, %b : (tensor<2x1x6xf32>, tensor<16x6xf32>, tensor<16xf32>) -> tensor<2x1x16xf32>
  %1 = memformer.linear %x, %w, %b : (tensor<2x1x6xf32>, tensor<16x6xf32>, tensor<16xf32>) -> tensor<2x1x16xf32>
  %2, %l0 = memformer.attention %0, %m, %m heads 2 scale 0.5 : (tensor<2x1x16xf32>, tensor<2x3x16xf32>, tensor<2x3x16xf32>) -> (tensor<2x1x16xf32>, tensor<2x2x1xf32>)
  %3, %l1 = memformer.attention %1, %2, %2 heads 2 scale 0.5 : (tensor<2x1x16xf32>, tensor<2x1x16xf32>, tensor<2x1x16xf32>) -> (tensor<2x1x16xf32>, tensor<2x2x1xf32>)
  %4 = memformer.linear %y, %w5, %b5 : (tensor<1x1x6xf32>, tensor<5x6xf32>, tensor<5xf32>) -> tensor<1x1x5xf32>
  %5 = memformer.linear %y, %w5, %b5 : (tensor<1x1x6xf32>, tensor<5x6xf32>, tensor<5xf32>) -> tensor<1x1x5xf32>
  %6, %l2 = memformer.attention %4, %n, %n heads 1 scale 0.5 : (tensor<1x1x5xf32>, tensor<1x3x5xf32>, tensor<1x3x5xf32>) -> (tensor<1x1x5xf32>, tensor<1x1x1xf32>)
  %7, %l3 = memformer.attention %5, %6, %6 heads 1 scale 0.5 : (tensor<1x1x5xf32>, tensor<1x1x5xf32>, tensor<1x1x5xf32>) -> (tensor<1x1x5xf32>, tensor<1x1x1xf32>)
  %8 = memformer.linear %y, %w, %b : (tensor<1x1x6xf32>, tensor<16x6xf32>, tensor<16xf32>) -> tensor<1x1x16xf32>
  %9 = memformer.relu %8 : (tensor<1x1x16xf32>) -> tensor<1x1x16xf32>
  %10 = memformer.linear %y, %w, %b : (tensor<1x1x6xf32>, tensor<16x6xf32>, tensor<16xf32>) -> tensor<1x1x16xf32>
  return %3, %7, %9, %10 : tensor<2x1x16xf32>, tensor<1x1x5xf32>, tensor<1x1x16xf32>, tensor<1x1x16xf32>
}
