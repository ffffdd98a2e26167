// Integers are added, clamped, chosen by rows, joined, cut and reshaped.

// RUN: %reference %s | %run | FileCheck %s

func.func private @printMemrefI32(tensor<*xi32>)

func.func @main() {
  %x = arith.constant dense<[[2147483647, -2147483648, 5], [0, -3, 9]]> : tensor<2x3xi32>
  %one = arith.constant dense<1> : tensor<i32>
  %row = arith.constant dense<[1, -1, 4]> : tensor<3xi32>
  %mask = arith.constant dense<[0, 1]> : tensor<2xi32>
  %0 = memformer.add %x, %row : (tensor<2x3xi32>, tensor<3xi32>) -> tensor<2x3xi32>
  %1 = memformer.clamp %x min -2 max 5 : tensor<2x3xi32>
  %2 = memformer.broadcast %one : (tensor<i32>) -> tensor<2x3xi32>
  %3 = memformer.select_rows %mask, %x, %2 : (tensor<2xi32>, tensor<2x3xi32>, tensor<2x3xi32>) -> tensor<2x3xi32>
  %4 = memformer.concat %1, %3 axis 1 : (tensor<2x3xi32>, tensor<2x3xi32>) -> tensor<2x6xi32>
  %5 = memformer.slice %4 axis 1 offset 2 : (tensor<2x6xi32>) -> tensor<2x2xi32>
  %6 = memformer.reshape %5 : (tensor<2x2xi32>) -> tensor<4xi32>
  %7 = memformer.row %4 axis 1 at %one : (tensor<2x6xi32>, tensor<i32>) -> tensor<2x1xi32>
  // Sums wrap around.
  // CHECK: [-2147483648, 2147483647, 9]
  // CHECK: [1, -4, 13]
  %a = tensor.cast %0 : tensor<2x3xi32> to tensor<*xi32>
  call @printMemrefI32(%a) : (tensor<*xi32>) -> ()
  // CHECK: [5, -2, 5, 1, 1, 1]
  // CHECK: [0, -2, 5, 0, -3, 9]
  %b = tensor.cast %4 : tensor<2x6xi32> to tensor<*xi32>
  call @printMemrefI32(%b) : (tensor<*xi32>) -> ()
  // CHECK: [5, 1, 5, 0]
  %c = tensor.cast %6 : tensor<4xi32> to tensor<*xi32>
  call @printMemrefI32(%c) : (tensor<*xi32>) -> ()
  // CHECK: [-2]
  // CHECK: [-2]
  %d = tensor.cast %7 : tensor<2x1xi32> to tensor<*xi32>
  call @printMemrefI32(%d) : (tensor<*xi32>) -> ()
  return
}
