// RUN: memformer-opt %s -memformer-to-kernels | FileCheck %s

// CHECK-LABEL: func.func @repeated(
func.func @repeated(%x: tensor<3x5xf32>, %b: tensor<5xf32>) -> tensor<3x5xf32> {
  // CHECK: kernel.map %{{.*}} trailing, %{{.*}} trailing : (tensor<3x5xf32>, tensor<5xf32>) -> tensor<3x5xf32> {
  %y = memformer.add %x, %b : (tensor<3x5xf32>, tensor<5xf32>) -> tensor<3x5xf32>
  return %y : tensor<3x5xf32>
}

// The same operand twice is one argument.
// CHECK-LABEL: func.func @twice(
func.func @twice(%x: tensor<1xf32>) -> tensor<1xf32> {
  // CHECK: kernel.map %{{.*}} trailing : (tensor<1xf32>) -> tensor<1xf32> {
  // CHECK-NEXT: ^bb0(%[[X:.*]]: f32, %{{.*}}: i32):
  // CHECK-NEXT: arith.addf %[[X]], %[[X]] : f32
  %y = memformer.add %x, %x : (tensor<1xf32>, tensor<1xf32>) -> tensor<1xf32>
  return %y : tensor<1xf32>
}

// Constants become part of the region; the mask is read by rows.
// CHECK-LABEL: func.func @select(
func.func @select(%m: tensor<3xi32>, %x: tensor<3x2x5xf32>) -> tensor<3x2x5xf32> {
  // CHECK-NEXT: kernel.map %{{.*}} leading, %{{.*}} trailing : (tensor<3xi32>, tensor<3x2x5xf32>) -> tensor<3x2x5xf32> {
  // CHECK: arith.constant 0.000000e+00 : f32
  %zero = arith.constant dense<0.0> : tensor<3x2x5xf32>
  %y = memformer.select_rows %m, %zero, %x : (tensor<3xi32>, tensor<3x2x5xf32>, tensor<3x2x5xf32>) -> tensor<3x2x5xf32>
  return %y : tensor<3x2x5xf32>
}

// CHECK-LABEL: func.func @dropout(
func.func @dropout(%x: tensor<13xf32>, %key: tensor<2xi32>) -> tensor<13xf32> {
  // Words for streams 0 … 3; the kernel takes those of its own.
  // CHECK: %[[TABLE:.*]] = kernel.map %{{.*}} whole : (tensor<2xi32>) -> tensor<8xi32> {
  // CHECK: %[[KEY:.*]] = kernel.slice %[[TABLE]] axis 0 offset 6 : (tensor<8xi32>) -> tensor<2xi32>
  // CHECK: kernel.map %{{.*}} trailing, %[[KEY]] whole : (tensor<13xf32>, tensor<2xi32>) -> tensor<13xf32> {
  // CHECK-NEXT: ^bb0(%{{.*}}: f32, %{{.*}}: i32, %{{.*}}: i32, %{{.*}}: i32):
  %y = memformer.dropout %x, %key probability 0.25 stream 3 : (tensor<13xf32>, tensor<2xi32>) -> tensor<13xf32>
  return %y : tensor<13xf32>
}

// CHECK-LABEL: func.func @constant(
func.func @constant(%x: tensor<2x3xf32>) -> tensor<2x5xf32> {
  // CHECK: %[[C:.*]] = kernel.map : () -> tensor<2x2xf32> {
  // CHECK: kernel.concat %{{.*}}, %[[C]] axis 1
  %zero = arith.constant dense<1.5> : tensor<2x2xf32>
  %y = memformer.concat %x, %zero axis 1 : (tensor<2x3xf32>, tensor<2x2xf32>) -> tensor<2x5xf32>
  return %y : tensor<2x5xf32>
}
