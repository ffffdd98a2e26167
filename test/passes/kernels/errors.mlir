// RUN: memformer-opt %s -memformer-to-kernels -split-input-file -verify-diagnostics

func.func @double(%x: tensor<3xf64>) -> tensor<3xf64> {
  // expected-error@+1 {{expected tensors of f32, in which kernels compute, but got 'tensor<3xf64>'}}
  %y = memformer.relu %x : (tensor<3xf64>) -> tensor<3xf64>
  return %y : tensor<3xf64>
}

// -----
func.func @uneven(%x: tensor<2xf32>) -> tensor<2xf32> {
  // expected-error@+1 {{expected a tensor whose entries are equal}}
  %c = arith.constant dense<[1.0, 2.0]> : tensor<2xf32>
  %y = memformer.add %x, %c : (tensor<2xf32>, tensor<2xf32>) -> tensor<2xf32>
  return %y : tensor<2xf32>
}

// -----
func.func @other(%x: tensor<2xf32>) -> tensor<2xf32> {
  // expected-error@+1 {{expected an op of the memformer dialect that kernels compute}}
  %y = tensor.cast %x : tensor<2xf32> to tensor<2xf32>
  return %y : tensor<2xf32>
}

// -----
// expected-error@+1 {{expected a body of one block}}
func.func private @external(tensor<2xf32>)

// -----
// expected-error@+1 {{expected memformer.precision to be f32, tf32, bf16 or f16, but got f64}}
module attributes {memformer.precision = f64} {
}

// -----
// expected-error@+1 {{expected memformer.generation_weights to be f32, bf16 or i8, but got i16}}
module attributes {memformer.generation_weights = i16} {
}
