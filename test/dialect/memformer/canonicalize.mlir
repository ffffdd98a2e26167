// Folds of the memformer dialect: nothing is computed that leaves its operand as it is.
// RUN: memformer-opt %s -canonicalize -split-input-file | FileCheck %s

// CHECK-LABEL: func.func @add_zero
// CHECK-SAME:    %[[X:.*]]: tensor<2x3xf32>
// CHECK:         return %[[X]], %[[X]], %[[X]]
func.func @add_zero(%x: tensor<2x3xf32>) -> (tensor<2x3xf32>, tensor<2x3xf32>, tensor<2x3xf32>) {
  %zero = arith.constant dense<0.0> : tensor<2x3xf32>
  %row = arith.constant dense<-0.0> : tensor<3xf32>
  %0 = memformer.add %x, %zero : (tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<2x3xf32>
  %1 = memformer.add %zero, %x : (tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<2x3xf32>
  %2 = memformer.add %x, %row : (tensor<2x3xf32>, tensor<3xf32>) -> tensor<2x3xf32>
  return %0, %1, %2 : tensor<2x3xf32>, tensor<2x3xf32>, tensor<2x3xf32>
}

// -----

// Zeros that a row is added to are not the row.
// CHECK-LABEL: func.func @add_row_to_zero
// CHECK:         memformer.add
func.func @add_row_to_zero(%row: tensor<3xf32>) -> tensor<2x3xf32> {
  %zero = arith.constant dense<0.0> : tensor<2x3xf32>
  %0 = memformer.add %zero, %row : (tensor<2x3xf32>, tensor<3xf32>) -> tensor<2x3xf32>
  return %0 : tensor<2x3xf32>
}

// -----

// CHECK-LABEL: func.func @add_broadcast
// CHECK-SAME:    %[[X:.*]]: tensor<2x3xf32>, %[[ROW:.*]]: tensor<3xf32>
// CHECK-NOT:     memformer.broadcast
// CHECK-COUNT-1: memformer.add %[[X]], %[[ROW]] : (tensor<2x3xf32>, tensor<3xf32>) -> tensor<2x3xf32>
// CHECK:         memformer.add %[[X]], %[[ROW]] : (tensor<2x3xf32>, tensor<3xf32>) -> tensor<2x3xf32>
func.func @add_broadcast(%x: tensor<2x3xf32>, %row: tensor<3xf32>) -> (tensor<2x3xf32>, tensor<2x3xf32>) {
  %repeated = memformer.broadcast %row : (tensor<3xf32>) -> tensor<2x3xf32>
  %0 = memformer.add %x, %repeated : (tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<2x3xf32>
  %1 = memformer.add %repeated, %x : (tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<2x3xf32>
  return %0, %1 : tensor<2x3xf32>, tensor<2x3xf32>
}

// -----

// CHECK-LABEL: func.func @same_shape
// CHECK-SAME:    %[[X:.*]]: tensor<2x3xf32>
// CHECK:         return %[[X]], %[[X]], %[[X]]
func.func @same_shape(%x: tensor<2x3xf32>) -> (tensor<2x3xf32>, tensor<2x3xf32>, tensor<2x3xf32>) {
  %0 = memformer.broadcast %x : (tensor<2x3xf32>) -> tensor<2x3xf32>
  %1 = memformer.sum_leading %x : (tensor<2x3xf32>) -> tensor<2x3xf32>
  %2 = memformer.slice %x axis 1 offset 0 : (tensor<2x3xf32>) -> tensor<2x3xf32>
  return %0, %1, %2 : tensor<2x3xf32>, tensor<2x3xf32>, tensor<2x3xf32>
}

// -----

// CHECK-LABEL: func.func @broadcast_twice
// CHECK-SAME:    %[[X:.*]]: tensor<3xf32>
// CHECK-NEXT:    %[[Y:.*]] = memformer.broadcast %[[X]] : (tensor<3xf32>) -> tensor<5x2x3xf32>
// CHECK-NEXT:    return %[[Y]]
func.func @broadcast_twice(%x: tensor<3xf32>) -> tensor<5x2x3xf32> {
  %0 = memformer.broadcast %x : (tensor<3xf32>) -> tensor<2x3xf32>
  %1 = memformer.broadcast %0 : (tensor<2x3xf32>) -> tensor<5x2x3xf32>
  return %1 : tensor<5x2x3xf32>
}

// -----

// CHECK-LABEL: func.func @of_constants
// CHECK-DAG:     %[[A:.*]] = arith.constant dense<2.000000e+00> : tensor<5x3xf32>
// CHECK-DAG:     %[[B:.*]] = arith.constant dense<2.000000e+00> : tensor<2xf32>
// CHECK:         return %[[A]], %[[B]]
func.func @of_constants() -> (tensor<5x3xf32>, tensor<2xf32>) {
  %two = arith.constant dense<2.0> : tensor<3xf32>
  %0 = memformer.broadcast %two : (tensor<3xf32>) -> tensor<5x3xf32>
  %1 = memformer.slice %two axis 0 offset 1 : (tensor<3xf32>) -> tensor<2xf32>
  return %0, %1 : tensor<5x3xf32>, tensor<2xf32>
}

// -----

// Two sums stay two: one would add in another order.
// CHECK-LABEL: func.func @sum_twice
// CHECK-COUNT-2: memformer.sum_leading
func.func @sum_twice(%x: tensor<5x2x3xf32>) -> tensor<3xf32> {
  %0 = memformer.sum_leading %x : (tensor<5x2x3xf32>) -> tensor<2x3xf32>
  %1 = memformer.sum_leading %0 : (tensor<2x3xf32>) -> tensor<3xf32>
  return %1 : tensor<3xf32>
}

// -----

// CHECK-LABEL: func.func @select
// CHECK-SAME:    %[[MASK:.*]]: tensor<2xi32>, %[[X:.*]]: tensor<2x3xf32>, %[[Y:.*]]: tensor<2x3xf32>, %[[ROW:.*]]: tensor<3xf32>
// CHECK-NEXT:    %[[BROADCAST:.*]] = memformer.select_rows %[[MASK]], %[[ROW]], %[[ROW]]
// CHECK-NEXT:    return %[[X]], %[[X]], %[[Y]], %[[BROADCAST]]
func.func @select(%mask: tensor<2xi32>, %x: tensor<2x3xf32>, %y: tensor<2x3xf32>, %row: tensor<3xf32>) -> (tensor<2x3xf32>, tensor<2x3xf32>, tensor<2x3xf32>, tensor<2x3xf32>) {
  %all = arith.constant dense<1> : tensor<2xi32>
  %none = arith.constant dense<0> : tensor<2xi32>
  %0 = memformer.select_rows %mask, %x, %x : (tensor<2xi32>, tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<2x3xf32>
  %1 = memformer.select_rows %all, %x, %y : (tensor<2xi32>, tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<2x3xf32>
  %2 = memformer.select_rows %none, %x, %y : (tensor<2xi32>, tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<2x3xf32>
  %3 = memformer.select_rows %mask, %row, %row : (tensor<2xi32>, tensor<3xf32>, tensor<3xf32>) -> tensor<2x3xf32>
  return %0, %1, %2, %3 : tensor<2x3xf32>, tensor<2x3xf32>, tensor<2x3xf32>, tensor<2x3xf32>
}

// -----

// CHECK-LABEL: func.func @slice_of_concat
// CHECK-SAME:    %[[X:.*]]: tensor<2x5x3xf32>, %[[Y:.*]]: tensor<2x4x3xf32>
// CHECK-DAG:     %[[A:.*]] = memformer.slice %[[X]] axis 1 offset 1 : (tensor<2x5x3xf32>) -> tensor<2x4x3xf32>
// CHECK-DAG:     %[[B:.*]] = memformer.slice %[[Y]] axis 1 offset 2 : (tensor<2x4x3xf32>) -> tensor<2x2x3xf32>
// CHECK-DAG:     %[[XY:.*]] = memformer.concat %[[X]], %[[Y]]
// CHECK-DAG:     %[[C:.*]] = memformer.slice %[[XY]] axis 1 offset 4
// CHECK-DAG:     %[[D:.*]] = memformer.slice %[[XY]] axis 2 offset 0
// CHECK:         return %[[X]], %[[Y]], %[[A]], %[[B]], %[[C]], %[[D]]
func.func @slice_of_concat(%x: tensor<2x5x3xf32>, %y: tensor<2x4x3xf32>) -> (tensor<2x5x3xf32>, tensor<2x4x3xf32>, tensor<2x4x3xf32>, tensor<2x2x3xf32>, tensor<2x2x3xf32>, tensor<2x9x1xf32>) {
  %xy = memformer.concat %x, %y axis 1 : (tensor<2x5x3xf32>, tensor<2x4x3xf32>) -> tensor<2x9x3xf32>
  %0 = memformer.slice %xy axis 1 offset 0 : (tensor<2x9x3xf32>) -> tensor<2x5x3xf32>
  %1 = memformer.slice %xy axis 1 offset 5 : (tensor<2x9x3xf32>) -> tensor<2x4x3xf32>
  %2 = memformer.slice %xy axis 1 offset 1 : (tensor<2x9x3xf32>) -> tensor<2x4x3xf32>
  %3 = memformer.slice %xy axis 1 offset 7 : (tensor<2x9x3xf32>) -> tensor<2x2x3xf32>
  %4 = memformer.slice %xy axis 1 offset 4 : (tensor<2x9x3xf32>) -> tensor<2x2x3xf32>
  %5 = memformer.slice %xy axis 2 offset 0 : (tensor<2x9x3xf32>) -> tensor<2x9x1xf32>
  return %0, %1, %2, %3, %4, %5 : tensor<2x5x3xf32>, tensor<2x4x3xf32>, tensor<2x4x3xf32>, tensor<2x2x3xf32>, tensor<2x2x3xf32>, tensor<2x9x1xf32>
}

// -----

// CHECK-LABEL: func.func @slice_of_slice
// CHECK-SAME:    %[[X:.*]]: tensor<9x4xf32>
// CHECK:         memformer.slice %[[X]] axis 0 offset 3 : (tensor<9x4xf32>) -> tensor<2x4xf32>
// CHECK:         %[[ROWS:.*]] = memformer.slice %[[X]] axis 0 offset 1 : (tensor<9x4xf32>) -> tensor<7x4xf32>
// CHECK:         memformer.slice %[[ROWS]] axis 1 offset 2
func.func @slice_of_slice(%x: tensor<9x4xf32>) -> (tensor<2x4xf32>, tensor<7x2xf32>) {
  %0 = memformer.slice %x axis 0 offset 1 : (tensor<9x4xf32>) -> tensor<7x4xf32>
  %1 = memformer.slice %0 axis 0 offset 2 : (tensor<7x4xf32>) -> tensor<2x4xf32>
  %2 = memformer.slice %x axis 0 offset 1 : (tensor<9x4xf32>) -> tensor<7x4xf32>
  %3 = memformer.slice %2 axis 1 offset 2 : (tensor<7x4xf32>) -> tensor<7x2xf32>
  return %1, %3 : tensor<2x4xf32>, tensor<7x2xf32>
}

// -----

// CHECK-LABEL: func.func @concat_of_slices
// CHECK-SAME:    %[[X:.*]]: tensor<9x4xf32>
// CHECK:         %[[SWAPPED:.*]] = memformer.concat
// CHECK:         return %[[X]], %[[SWAPPED]]
func.func @concat_of_slices(%x: tensor<9x4xf32>) -> (tensor<9x4xf32>, tensor<9x4xf32>) {
  %0 = memformer.slice %x axis 0 offset 0 : (tensor<9x4xf32>) -> tensor<2x4xf32>
  %1 = memformer.slice %x axis 0 offset 2 : (tensor<9x4xf32>) -> tensor<7x4xf32>
  %2 = memformer.concat %0, %1 axis 0 : (tensor<2x4xf32>, tensor<7x4xf32>) -> tensor<9x4xf32>
  %3 = memformer.concat %1, %0 axis 0 : (tensor<7x4xf32>, tensor<2x4xf32>) -> tensor<9x4xf32>
  return %2, %3 : tensor<9x4xf32>, tensor<9x4xf32>
}

// -----

// CHECK-LABEL: func.func @dropout
// CHECK-SAME:    %[[X:.*]]: tensor<2x5x6xf32>
// CHECK:         %[[SOME:.*]] = memformer.dropout %[[X]]
// CHECK:         memformer.attention %[[X]], %[[X]], %[[X]] heads 3 scale 5.000000e-01 : (tensor<2x5x6xf32>, tensor<2x5x6xf32>, tensor<2x5x6xf32>) ->
// CHECK:         return %[[X]], %[[SOME]]
func.func @dropout(%x: tensor<2x5x6xf32>, %key: tensor<2xi32>) -> (tensor<2x5x6xf32>, tensor<2x5x6xf32>, tensor<2x5x6xf32>) {
  %0 = memformer.dropout %x, %key probability 0.0 stream 1 : (tensor<2x5x6xf32>, tensor<2xi32>) -> tensor<2x5x6xf32>
  %1 = memformer.dropout %x, %key probability 0.1 stream 1 : (tensor<2x5x6xf32>, tensor<2xi32>) -> tensor<2x5x6xf32>
  %2, %lse = memformer.attention %x, %x, %x dropout(%key probability 0.0 stream 3) heads 3 scale 0.5
    : (tensor<2x5x6xf32>, tensor<2x5x6xf32>, tensor<2x5x6xf32>, tensor<2xi32>) -> (tensor<2x5x6xf32>, tensor<2x3x5xf32>)
  return %0, %1, %2 : tensor<2x5x6xf32>, tensor<2x5x6xf32>, tensor<2x5x6xf32>
}

// -----

// What nothing uses goes, but never a contribution to a gradient.
// CHECK-LABEL: memformer.param @p
memformer.param @p : tensor<3xf32> = <constant, 1.0>
// CHECK-LABEL: func.func @unused
// CHECK-NEXT:    memformer.accumulate @p
// CHECK-NEXT:    memformer.accumulate @p
// CHECK-NEXT:    return
func.func @unused(%g: tensor<3xf32>) {
  %0 = memformer.load_param @p : tensor<3xf32>
  %1 = memformer.gelu %0 : (tensor<3xf32>) -> tensor<3xf32>
  memformer.accumulate @p, %g : tensor<3xf32>
  memformer.accumulate @p, %g : tensor<3xf32>
  return
}

// -----

// CHECK-LABEL: func.func @clamp
// CHECK:         %[[LOW:.*]] = arith.constant dense<-2> : tensor<3xi32>
// CHECK:         %[[HIGH:.*]] = arith.constant dense<3> : tensor<3xi32>
// CHECK:         return %[[LOW]], %[[HIGH]]
func.func @clamp() -> (tensor<3xi32>, tensor<3xi32>) {
  %low = arith.constant dense<-7> : tensor<3xi32>
  %high = arith.constant dense<7> : tensor<3xi32>
  %0 = memformer.clamp %low min -2 max 3 : tensor<3xi32>
  %1 = memformer.clamp %high min -2 max 3 : tensor<3xi32>
  return %0, %1 : tensor<3xi32>, tensor<3xi32>
}
