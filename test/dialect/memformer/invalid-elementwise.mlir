// What element-wise and structural ops reject.
// RUN: memformer-opt %s -verify-diagnostics -split-input-file

func.func @wrong(%x: tensor<2x5x6xf32>, %b: tensor<5x7xf32>) {
  // expected-error@+1 {{expected the shape of rhs to be the trailing dimensions of lhs [2, 5, 6], but got [5, 7]}}
  %0 = memformer.add %x, %b : (tensor<2x5x6xf32>, tensor<5x7xf32>) -> tensor<2x5x6xf32>
  return
}

// -----

func.func @wrong(%x: tensor<2x5x6xf32>, %b: tensor<2x5xf32>) {
  // expected-error@+1 {{expected the shape of rhs to be the trailing dimensions of lhs [2, 5, 6], but got [2, 5]}}
  %0 = memformer.add %x, %b : (tensor<2x5x6xf32>, tensor<2x5xf32>) -> tensor<2x5x6xf32>
  return
}

// -----

func.func @wrong(%x: tensor<2x5x6xf32>, %b: tensor<6xf64>) {
  // expected-error@+1 {{expected one floating-point element type throughout, but operand #1 has 'f64' where others have 'f32'}}
  %0 = memformer.add %x, %b : (tensor<2x5x6xf32>, tensor<6xf64>) -> tensor<2x5x6xf32>
  return
}

// -----

func.func @wrong(%x: tensor<2x5x6xf32>) {
  // expected-error@+1 {{expected one floating-point element type throughout, but result #0 has 'f64' where others have 'f32'}}
  %0 = memformer.add %x, %x : (tensor<2x5x6xf32>, tensor<2x5x6xf32>) -> tensor<2x5x6xf64>
  return
}

// -----

func.func @wrong(%x: tensor<2x5x6xf32>) {
  // expected-error@+1 {{expected result to have shape [2, 5, 6] (that of lhs), but got [10, 6]}}
  %0 = memformer.add %x, %x : (tensor<2x5x6xf32>, tensor<2x5x6xf32>) -> tensor<10x6xf32>
  return
}

// -----

func.func @wrong(%x: tensor<2x?xf32>) {
  // expected-error@+1 {{operand #0 must be statically shaped tensor of 32-bit float or 64-bit float values without empty dimensions}}
  %0 = memformer.relu %x : (tensor<2x?xf32>) -> tensor<2x?xf32>
  return
}

// -----

func.func @wrong(%x: tensor<2x0xf32>) {
  // expected-error@+1 {{operand #0 must be statically shaped tensor of 32-bit float or 64-bit float values without empty dimensions}}
  %0 = memformer.relu %x : (tensor<2x0xf32>) -> tensor<2x0xf32>
  return
}

// -----

func.func @wrong(%x: tensor<2x3xbf16>) {
  // expected-error@+1 {{operand #0 must be statically shaped tensor of 32-bit float or 64-bit float values without empty dimensions}}
  %0 = memformer.relu %x : (tensor<2x3xbf16>) -> tensor<2x3xbf16>
  return
}

// -----

func.func @wrong(%x: tensor<2x5x6xf32>) {
  // expected-error@+1 {{expected the shape of the operand to be the trailing dimensions of the result [2, 5, 6, 3], but got [2, 5, 6]}}
  %0 = memformer.broadcast %x : (tensor<2x5x6xf32>) -> tensor<2x5x6x3xf32>
  return
}

// -----

func.func @wrong(%x: tensor<2x5x6xf32>) {
  // expected-error@+1 {{expected one floating-point element type throughout}}
  %0 = memformer.broadcast %x : (tensor<2x5x6xf32>) -> tensor<2x2x5x6xf64>
  return
}

// -----

func.func @wrong(%x: tensor<2x5x6xf32>) {
  // expected-error@+1 {{expected the shape of the result to be the trailing dimensions of the operand [2, 5, 6], but got [5]}}
  %0 = memformer.sum_leading %x : (tensor<2x5x6xf32>) -> tensor<5xf32>
  return
}

// -----

func.func @wrong(%x: tensor<2x5x6xf32>) {
  // expected-error@+1 {{expected one floating-point element type throughout}}
  %0 = memformer.sum_leading %x : (tensor<2x5x6xf32>) -> tensor<6xf64>
  return
}

// -----

func.func @wrong(%x: tensor<2x5x6xf32>, %m: tensor<3xi32>) {
  // expected-error@+1 {{expected mask to have shape [2] (the first dimension of the result), but got [3]}}
  %0 = memformer.select_rows %m, %x, %x : (tensor<3xi32>, tensor<2x5x6xf32>, tensor<2x5x6xf32>) -> tensor<2x5x6xf32>
  return
}

// -----

func.func @wrong(%x: tensor<2x5x6xf32>, %m: tensor<2xi32>, %a: tensor<2x5xf32>) {
  // expected-error@+1 {{expected the shape of on_true to be the trailing dimensions of the result [2, 5, 6], but got [2, 5]}}
  %0 = memformer.select_rows %m, %a, %x : (tensor<2xi32>, tensor<2x5xf32>, tensor<2x5x6xf32>) -> tensor<2x5x6xf32>
  return
}

// -----

func.func @wrong(%x: tensor<2x5x6xf32>, %m: tensor<2xi32>, %a: tensor<2x5xf32>) {
  // expected-error@+1 {{expected the shape of on_false to be the trailing dimensions of the result [2, 5, 6], but got [2, 5]}}
  %0 = memformer.select_rows %m, %x, %a : (tensor<2xi32>, tensor<2x5x6xf32>, tensor<2x5xf32>) -> tensor<2x5x6xf32>
  return
}

// -----

func.func @wrong(%m: tensor<i32>, %a: tensor<f32>) {
  // expected-error@+1 {{expected result to be [B, ...], but got shape []}}
  %0 = memformer.select_rows %m, %a, %a : (tensor<i32>, tensor<f32>, tensor<f32>) -> tensor<f32>
  return
}

// -----

func.func @wrong(%x: tensor<2x5x6xf32>, %m: tensor<2xi32>) {
  // expected-error@+1 {{expected one floating-point element type throughout}}
  %0 = memformer.select_rows %m, %x, %x : (tensor<2xi32>, tensor<2x5x6xf32>, tensor<2x5x6xf32>) -> tensor<2x5x6xf64>
  return
}

// -----

func.func @wrong(%x: tensor<2x5x6xf32>) {
  // expected-error@+1 {{expected axis to be in [0, 3) for an operand of shape [2, 5, 6], but got 3}}
  %0 = memformer.concat %x, %x axis 3 : (tensor<2x5x6xf32>, tensor<2x5x6xf32>) -> tensor<2x10x6xf32>
  return
}

// -----

func.func @wrong(%x: tensor<2x5x6xf32>) {
  // expected-error@+1 {{expected axis to be in [0, 3) for an operand of shape [2, 5, 6], but got -1}}
  %0 = memformer.concat %x, %x axis -1 : (tensor<2x5x6xf32>, tensor<2x5x6xf32>) -> tensor<2x10x6xf32>
  return
}

// -----

func.func @wrong(%x: tensor<2x5x6xf32>, %b: tensor<2x5x7xf32>) {
  // expected-error@+1 {{expected operands of equal shape but for axis 1, but got [2, 5, 6] and [2, 5, 7]}}
  %0 = memformer.concat %x, %b axis 1 : (tensor<2x5x6xf32>, tensor<2x5x7xf32>) -> tensor<2x10x6xf32>
  return
}

// -----

func.func @wrong(%x: tensor<2x5x6xf32>, %b: tensor<2x5xf32>) {
  // expected-error@+1 {{expected operands of equal shape but for axis 2, but got [2, 5, 6] and [2, 5]}}
  %0 = memformer.concat %x, %b axis 2 : (tensor<2x5x6xf32>, tensor<2x5xf32>) -> tensor<2x5x7xf32>
  return
}

// -----

func.func @wrong(%x: tensor<2x5x6xf32>) {
  // expected-error@+1 {{expected result to have shape [2, 10, 6] (the operands one after the other), but got [2, 11, 6]}}
  %0 = memformer.concat %x, %x axis 1 : (tensor<2x5x6xf32>, tensor<2x5x6xf32>) -> tensor<2x11x6xf32>
  return
}

// -----

func.func @wrong(%x: tensor<2x5x6xf32>) {
  // expected-error@+1 {{expected one floating-point element type throughout}}
  %0 = memformer.concat %x, %x axis 1 : (tensor<2x5x6xf32>, tensor<2x5x6xf32>) -> tensor<2x10x6xf64>
  return
}

// -----

func.func @wrong(%x: tensor<2x5x6xf32>) {
  // expected-error@+1 {{expected axis to be in [0, 3) for an operand of shape [2, 5, 6], but got 4}}
  %0 = memformer.slice %x axis 4 offset 0 : (tensor<2x5x6xf32>) -> tensor<2x3x6xf32>
  return
}

// -----

func.func @wrong(%x: tensor<2x5x6xf32>) {
  // expected-error@+1 {{expected 3 entries from offset 3 to lie within the 5 of axis 1}}
  %0 = memformer.slice %x axis 1 offset 3 : (tensor<2x5x6xf32>) -> tensor<2x3x6xf32>
  return
}

// -----

func.func @wrong(%x: tensor<2x5x6xf32>) {
  // expected-error@+1 {{expected 3 entries from offset -1 to lie within the 5 of axis 1}}
  %0 = memformer.slice %x axis 1 offset -1 : (tensor<2x5x6xf32>) -> tensor<2x3x6xf32>
  return
}

// -----

func.func @wrong(%x: tensor<2x5x6xf32>) {
  // expected-error@+1 {{expected 3 entries from offset 9223372036854775807 to lie within the 5 of axis 1}}
  %0 = memformer.slice %x axis 1 offset 9223372036854775807 : (tensor<2x5x6xf32>) -> tensor<2x3x6xf32>
  return
}

// -----

func.func @wrong(%x: tensor<2x5x6xf32>) {
  // expected-error@+1 {{expected the result to have the operand's shape [2, 5, 6] but for axis 1, but got [2, 3, 5]}}
  %0 = memformer.slice %x axis 1 offset 0 : (tensor<2x5x6xf32>) -> tensor<2x3x5xf32>
  return
}

// -----

func.func @wrong(%x: tensor<2x5x6xf32>) {
  // expected-error@+1 {{expected the result to have the operand's shape [2, 5, 6] but for axis 1, but got [5, 6]}}
  %0 = memformer.slice %x axis 1 offset 0 : (tensor<2x5x6xf32>) -> tensor<5x6xf32>
  return
}

// -----

func.func @wrong(%x: tensor<2x5x6xf32>) {
  // expected-error@+1 {{expected one floating-point element type throughout}}
  %0 = memformer.slice %x axis 1 offset 0 : (tensor<2x5x6xf32>) -> tensor<2x3x6xf64>
  return
}

// -----

func.func @wrong(%x: tensor<2x5x6xf32>) {
  // expected-error@+1 {{expected result to have shape [2, 5, 6] (that of the operand), but got [2, 5]}}
  %0 = memformer.relu %x : (tensor<2x5x6xf32>) -> tensor<2x5xf32>
  return
}

// -----

func.func @wrong(%x: tensor<2x5x6xf32>) {
  // expected-error@+1 {{expected one floating-point element type throughout}}
  %0 = memformer.gelu %x : (tensor<2x5x6xf32>) -> tensor<2x5x6xf64>
  return
}

// -----

func.func @wrong(%x: tensor<2x5x6xf32>) {
  // expected-error@+1 {{expected result to have shape [2, 5, 6] (that of the operand), but got [6]}}
  %0 = memformer.gelu %x : (tensor<2x5x6xf32>) -> tensor<6xf32>
  return
}

// -----

func.func @wrong(%x: tensor<2x5x6xf32>, %g: tensor<6xf32>) {
  // expected-error@+1 {{expected gradient to have shape [2, 5, 6] (that of the input), but got [6]}}
  %0 = memformer.relu_gradient %g, %x : (tensor<6xf32>, tensor<2x5x6xf32>) -> tensor<2x5x6xf32>
  return
}

// -----

func.func @wrong(%x: tensor<2x5x6xf32>) {
  // expected-error@+1 {{expected result to have shape [2, 5, 6] (that of the operand), but got [6]}}
  %0 = memformer.relu_gradient %x, %x : (tensor<2x5x6xf32>, tensor<2x5x6xf32>) -> tensor<6xf32>
  return
}

// -----

func.func @wrong(%x: tensor<2x5x6xf32>, %g: tensor<6xf32>) {
  // expected-error@+1 {{expected gradient to have shape [2, 5, 6] (that of the input), but got [6]}}
  %0 = memformer.gelu_gradient %g, %x : (tensor<6xf32>, tensor<2x5x6xf32>) -> tensor<2x5x6xf32>
  return
}

// -----

func.func @wrong(%x: tensor<2x5x6xf32>) {
  // expected-error@+1 {{expected result to have shape [2, 5, 6] (that of the operand), but got [6]}}
  %0 = memformer.gelu_gradient %x, %x : (tensor<2x5x6xf32>, tensor<2x5x6xf32>) -> tensor<6xf32>
  return
}

// -----

func.func @wrong(%x: tensor<2x5x6xf32>, %key: tensor<2xi32>) {
  // expected-error@+1 {{expected probability to be in [0, 1), but got 1}}
  %0 = memformer.dropout %x, %key probability 1.0 stream 0 : (tensor<2x5x6xf32>, tensor<2xi32>) -> tensor<2x5x6xf32>
  return
}

// -----

func.func @wrong(%x: tensor<2x5x6xf32>, %key: tensor<2xi32>) {
  // expected-error@+1 {{expected probability to be in [0, 1), but got -0.1}}
  %0 = memformer.dropout %x, %key probability -0.1 stream 0 : (tensor<2x5x6xf32>, tensor<2xi32>) -> tensor<2x5x6xf32>
  return
}

// -----

func.func @wrong(%x: tensor<2x5x6xf32>, %key: tensor<2xi32>) {
  // expected-error@+1 {{expected probability to be in [0, 1), but got NaN}}
  %0 = memformer.dropout %x, %key probability 0x7FF8000000000000 stream 0 : (tensor<2x5x6xf32>, tensor<2xi32>) -> tensor<2x5x6xf32>
  return
}

// -----

func.func @wrong(%x: tensor<2x5x6xf32>, %key: tensor<3xi32>) {
  // expected-error@+1 {{expected dropout key to have shape [2], but got [3]}}
  %0 = memformer.dropout %x, %key probability 0.1 stream 0 : (tensor<2x5x6xf32>, tensor<3xi32>) -> tensor<2x5x6xf32>
  return
}

// -----

func.func @wrong(%x: tensor<2x5x6xf32>, %key: tensor<2xi32>) {
  // expected-error@+1 {{expected result to have shape [2, 5, 6] (that of the operand), but got [2, 5]}}
  %0 = memformer.dropout %x, %key probability 0.1 stream 0 : (tensor<2x5x6xf32>, tensor<2xi32>) -> tensor<2x5xf32>
  return
}

// -----

func.func @wrong(%x: tensor<2x5xi32>, %b: tensor<5xf32>) {
  // expected-error@+1 {{expected one element type throughout, but got 'i32' and 'f32'}}
  %0 = memformer.add %x, %b : (tensor<2x5xi32>, tensor<5xf32>) -> tensor<2x5xi32>
  return
}

// -----

func.func @wrong(%x: tensor<5xi32>) {
  // expected-error@+1 {{expected one element type throughout, but got 'i32' and 'f32'}}
  %0 = memformer.broadcast %x : (tensor<5xi32>) -> tensor<2x5xf32>
  return
}

// -----

func.func @wrong(%x: tensor<2x5xi32>, %y: tensor<2x5xf32>, %m: tensor<2xi32>) {
  // expected-error@+1 {{expected one element type throughout, but got 'i32' and 'f32'}}
  %0 = memformer.select_rows %m, %x, %y : (tensor<2xi32>, tensor<2x5xi32>, tensor<2x5xf32>) -> tensor<2x5xi32>
  return
}

// -----

func.func @wrong(%x: tensor<2x5xi32>, %y: tensor<2x5xf32>) {
  // expected-error@+1 {{expected one element type throughout, but got 'i32' and 'f32'}}
  %0 = memformer.concat %x, %y axis 1 : (tensor<2x5xi32>, tensor<2x5xf32>) -> tensor<2x10xi32>
  return
}

// -----

func.func @wrong(%x: tensor<2x5xi32>) {
  // expected-error@+1 {{expected one element type throughout, but got 'i32' and 'f32'}}
  %0 = memformer.slice %x axis 1 offset 0 : (tensor<2x5xi32>) -> tensor<2x4xf32>
  return
}

// -----

func.func @wrong(%x: tensor<2x5xi32>) {
  // expected-error@+1 {{expected one element type throughout, but got 'i32' and 'f32'}}
  %0 = memformer.reshape %x : (tensor<2x5xi32>) -> tensor<10xf32>
  return
}

// -----

func.func @wrong(%x: tensor<2x5xi32>) {
  // expected-error@+1 {{expected min to be at most max, but got 3 and -1}}
  %0 = memformer.clamp %x min 3 max -1 : tensor<2x5xi32>
  return
}

// -----

func.func @wrong(%x: tensor<2x5xf32>) {
  // expected-error@+1 {{must be statically shaped tensor of 32-bit signless integer values without empty dimensions}}
  %0 = memformer.clamp %x min 0 max 1 : tensor<2x5xf32>
  return
}
