// What linear layers, norms, embedding and loss reject.
// RUN: memformer-opt %s -verify-diagnostics -split-input-file

func.func @wrong(%x: tensor<f32>, %w: tensor<3x6xf32>) {
  // expected-error@+1 {{expected input to be [..., in], but got shape []}}
  %0 = memformer.linear %x, %w : (tensor<f32>, tensor<3x6xf32>) -> tensor<3xf32>
  return
}

// -----

func.func @wrong(%x: tensor<2x6xf32>, %w: tensor<6xf32>) {
  // expected-error@+1 {{expected weight to be [out, in], but got shape [6]}}
  %0 = memformer.linear %x, %w : (tensor<2x6xf32>, tensor<6xf32>) -> tensor<2x3xf32>
  return
}

// -----

func.func @wrong(%x: tensor<2x6xf32>, %w: tensor<6xf32>) {
  // expected-error@+1 {{expected weight to be [in, out], but got shape [6]}}
  %0 = memformer.linear %x, %w transposed : (tensor<2x6xf32>, tensor<6xf32>) -> tensor<2x3xf32>
  return
}

// -----

func.func @wrong(%x: tensor<2x5xf32>, %w: tensor<3x6xf32>) {
  // expected-error@+1 {{expected the input's last dimension to be in = 6 of the weight [out, in], but got 5}}
  %0 = memformer.linear %x, %w : (tensor<2x5xf32>, tensor<3x6xf32>) -> tensor<2x3xf32>
  return
}

// -----

func.func @wrong(%x: tensor<2x6xf32>, %w: tensor<3x6xf32>) {
  // expected-error@+1 {{expected the input's last dimension to be in = 3 of the weight [in, out], but got 6}}
  %0 = memformer.linear %x, %w transposed : (tensor<2x6xf32>, tensor<3x6xf32>) -> tensor<2x3xf32>
  return
}

// -----

func.func @wrong(%x: tensor<2x6xf32>, %w: tensor<3x6xf32>, %b: tensor<6xf32>) {
  // expected-error@+1 {{expected bias to have shape [3] (out of the weight), but got [6]}}
  %0 = memformer.linear %x, %w, %b : (tensor<2x6xf32>, tensor<3x6xf32>, tensor<6xf32>) -> tensor<2x3xf32>
  return
}

// -----

func.func @wrong(%x: tensor<2x6xf32>, %w: tensor<3x6xf32>) {
  // expected-error@+1 {{expected result to have shape [2, 3] ([..., out]), but got [2, 6]}}
  %0 = memformer.linear %x, %w : (tensor<2x6xf32>, tensor<3x6xf32>) -> tensor<2x6xf32>
  return
}

// -----

func.func @wrong(%x: tensor<2x3xf32>, %w: tensor<3x6xf32>) {
  // expected-error@+1 {{expected result to have shape [2, 6] ([..., out]), but got [2, 3]}}
  %0 = memformer.linear %x, %w transposed : (tensor<2x3xf32>, tensor<3x6xf32>) -> tensor<2x3xf32>
  return
}

// -----

func.func @wrong(%x: tensor<2x6xf32>, %w: tensor<3x6xf64>) {
  // expected-error@+1 {{expected one floating-point element type throughout, but operand #1 has 'f64' where others have 'f32'}}
  %0 = memformer.linear %x, %w : (tensor<2x6xf32>, tensor<3x6xf64>) -> tensor<2x3xf32>
  return
}

// -----

func.func @wrong(%a: tensor<f32>, %b: tensor<2x6xf32>) {
  // expected-error@+1 {{expected gradient to be [..., out], but got shape []}}
  %0 = memformer.weight_gradient %a, %b : (tensor<f32>, tensor<2x6xf32>) -> tensor<3x6xf32>
  return
}

// -----

func.func @wrong(%a: tensor<2x6xf32>, %b: tensor<f32>) {
  // expected-error@+1 {{expected input to be [..., in], but got shape []}}
  %0 = memformer.weight_gradient %a, %b : (tensor<2x6xf32>, tensor<f32>) -> tensor<3x6xf32>
  return
}

// -----

func.func @wrong(%a: tensor<2x3xf32>, %b: tensor<5x6xf32>) {
  // expected-error@+1 {{expected gradient and input to agree but for the last dimension, but got [2, 3] and [5, 6]}}
  %0 = memformer.weight_gradient %a, %b : (tensor<2x3xf32>, tensor<5x6xf32>) -> tensor<3x6xf32>
  return
}

// -----

func.func @wrong(%a: tensor<2x3xf32>, %b: tensor<2x6xf32>) {
  // expected-error@+1 {{expected result to have shape [3, 6] ([out, in]), but got [6, 3]}}
  %0 = memformer.weight_gradient %a, %b : (tensor<2x3xf32>, tensor<2x6xf32>) -> tensor<6x3xf32>
  return
}

// -----

func.func @wrong(%a: tensor<2x3xf32>, %b: tensor<2x6xf64>) {
  // expected-error@+1 {{expected one floating-point element type throughout}}
  %0 = memformer.weight_gradient %a, %b : (tensor<2x3xf32>, tensor<2x6xf64>) -> tensor<3x6xf32>
  return
}

// -----

func.func @wrong(%x: tensor<f32>, %s: tensor<6xf32>, %h: tensor<6xf32>) {
  // expected-error@+1 {{expected input to be [..., d], but got shape []}}
  %0 = memformer.layer_norm %x, %s, %h : (tensor<f32>, tensor<6xf32>, tensor<6xf32>) -> tensor<f32>
  return
}

// -----

func.func @wrong(%x: tensor<2x6xf32>, %s: tensor<5xf32>, %h: tensor<6xf32>) {
  // expected-error@+1 {{expected scale to have shape [6] (the input's last dimension), but got [5]}}
  %0 = memformer.layer_norm %x, %s, %h : (tensor<2x6xf32>, tensor<5xf32>, tensor<6xf32>) -> tensor<2x6xf32>
  return
}

// -----

func.func @wrong(%x: tensor<2x6xf32>, %s: tensor<6xf32>, %h: tensor<2x6xf32>) {
  // expected-error@+1 {{expected shift to have shape [6] (the input's last dimension), but got [2, 6]}}
  %0 = memformer.layer_norm %x, %s, %h : (tensor<2x6xf32>, tensor<6xf32>, tensor<2x6xf32>) -> tensor<2x6xf32>
  return
}

// -----

func.func @wrong(%x: tensor<2x6xf32>, %s: tensor<6xf32>, %h: tensor<6xf32>) {
  // expected-error@+1 {{expected result to have shape [2, 6] (that of the input), but got [6]}}
  %0 = memformer.layer_norm %x, %s, %h : (tensor<2x6xf32>, tensor<6xf32>, tensor<6xf32>) -> tensor<6xf32>
  return
}

// -----

func.func @wrong(%x: tensor<2x6xf32>, %s: tensor<6xf32>, %h: tensor<6xf64>) {
  // expected-error@+1 {{expected one floating-point element type throughout}}
  %0 = memformer.layer_norm %x, %s, %h : (tensor<2x6xf32>, tensor<6xf32>, tensor<6xf64>) -> tensor<2x6xf32>
  return
}

// -----

func.func @wrong(%x: tensor<2x6xf32>, %s: tensor<6xf32>, %h: tensor<6xf32>) {
  // expected-error@+1 {{expected epsilon to be a number of at least 0, but got -1}}
  %0 = memformer.layer_norm %x, %s, %h {epsilon = -1.0} : (tensor<2x6xf32>, tensor<6xf32>, tensor<6xf32>) -> tensor<2x6xf32>
  return
}

// -----

func.func @wrong(%x: tensor<2x6xf32>, %s: tensor<6xf32>, %h: tensor<6xf32>) {
  // expected-error@+1 {{expected epsilon to be a number of at least 0, but got +Inf}}
  %0 = memformer.layer_norm %x, %s, %h {epsilon = 0x7FF0000000000000 : f64} : (tensor<2x6xf32>, tensor<6xf32>, tensor<6xf32>) -> tensor<2x6xf32>
  return
}

// -----

func.func @wrong(%g: tensor<f32>, %x: tensor<f32>, %s: tensor<6xf32>) {
  // expected-error@+1 {{expected input to be [..., d], but got shape []}}
  %0:3 = memformer.layer_norm_gradient %g, %x, %s : (tensor<f32>, tensor<f32>, tensor<6xf32>) -> (tensor<f32>, tensor<6xf32>, tensor<6xf32>)
  return
}

// -----

func.func @wrong(%g: tensor<6xf32>, %x: tensor<2x6xf32>, %s: tensor<6xf32>) {
  // expected-error@+1 {{expected gradient to have shape [2, 6] (that of the input), but got [6]}}
  %0:3 = memformer.layer_norm_gradient %g, %x, %s : (tensor<6xf32>, tensor<2x6xf32>, tensor<6xf32>) -> (tensor<2x6xf32>, tensor<6xf32>, tensor<6xf32>)
  return
}

// -----

func.func @wrong(%g: tensor<2x6xf32>, %x: tensor<2x6xf32>, %s: tensor<5xf32>) {
  // expected-error@+1 {{expected scale to have shape [6] (the input's last dimension), but got [5]}}
  %0:3 = memformer.layer_norm_gradient %g, %x, %s : (tensor<2x6xf32>, tensor<2x6xf32>, tensor<5xf32>) -> (tensor<2x6xf32>, tensor<6xf32>, tensor<6xf32>)
  return
}

// -----

func.func @wrong(%g: tensor<2x6xf32>, %x: tensor<2x6xf32>, %s: tensor<6xf32>) {
  // expected-error@+1 {{expected input_gradient to have shape [2, 6] (that of the input), but got [6]}}
  %0:3 = memformer.layer_norm_gradient %g, %x, %s : (tensor<2x6xf32>, tensor<2x6xf32>, tensor<6xf32>) -> (tensor<6xf32>, tensor<6xf32>, tensor<6xf32>)
  return
}

// -----

func.func @wrong(%g: tensor<2x6xf32>, %x: tensor<2x6xf32>, %s: tensor<6xf32>) {
  // expected-error@+1 {{expected scale_gradient to have shape [6] (that of the scale), but got [5]}}
  %0:3 = memformer.layer_norm_gradient %g, %x, %s : (tensor<2x6xf32>, tensor<2x6xf32>, tensor<6xf32>) -> (tensor<2x6xf32>, tensor<5xf32>, tensor<6xf32>)
  return
}

// -----

func.func @wrong(%g: tensor<2x6xf32>, %x: tensor<2x6xf32>, %s: tensor<6xf32>) {
  // expected-error@+1 {{expected shift_gradient to have shape [6] (that of the scale), but got [5]}}
  %0:3 = memformer.layer_norm_gradient %g, %x, %s : (tensor<2x6xf32>, tensor<2x6xf32>, tensor<6xf32>) -> (tensor<2x6xf32>, tensor<6xf32>, tensor<5xf32>)
  return
}

// -----

func.func @wrong(%g: tensor<2x6xf32>, %x: tensor<2x6xf64>, %s: tensor<6xf32>) {
  // expected-error@+1 {{expected one floating-point element type throughout}}
  %0:3 = memformer.layer_norm_gradient %g, %x, %s : (tensor<2x6xf32>, tensor<2x6xf64>, tensor<6xf32>) -> (tensor<2x6xf32>, tensor<6xf32>, tensor<6xf32>)
  return
}

// -----

func.func @wrong(%g: tensor<2x6xf32>, %x: tensor<2x6xf32>, %s: tensor<6xf32>) {
  // expected-error@+1 {{expected epsilon to be a number of at least 0, but got -1}}
  %0:3 = memformer.layer_norm_gradient %g, %x, %s {epsilon = -1.0} : (tensor<2x6xf32>, tensor<2x6xf32>, tensor<6xf32>) -> (tensor<2x6xf32>, tensor<6xf32>, tensor<6xf32>)
  return
}

// -----

func.func @wrong(%x: tensor<f32>) {
  // expected-error@+1 {{expected input to be [..., d], but got shape []}}
  %0 = memformer.bmn %x : (tensor<f32>) -> tensor<f32>
  return
}

// -----

func.func @wrong(%a: tensor<2x3x6xf32>, %b: tensor<2x6xf32>) {
  // expected-error@+1 {{expected the shape of bias to be the trailing dimensions of the input [2, 3, 6], but got [2, 6]}}
  %0 = memformer.bmn %a, %b : (tensor<2x3x6xf32>, tensor<2x6xf32>) -> tensor<2x3x6xf32>
  return
}

// -----

func.func @wrong(%a: tensor<2x3x6xf32>, %b: tensor<f32>) {
  // expected-error@+1 {{expected bias to be [..., d], but got shape []}}
  %0 = memformer.bmn %a, %b : (tensor<2x3x6xf32>, tensor<f32>) -> tensor<2x3x6xf32>
  return
}

// -----

func.func @wrong(%a: tensor<2x3x6xf32>, %b: tensor<3x6xf32>) {
  // expected-error@+1 {{expected result to have shape [2, 3, 6] (that of the input), but got [3, 6]}}
  %0 = memformer.bmn %a, %b : (tensor<2x3x6xf32>, tensor<3x6xf32>) -> tensor<3x6xf32>
  return
}

// -----

func.func @wrong(%a: tensor<2x3x6xf32>, %b: tensor<3x6xf64>) {
  // expected-error@+1 {{expected one floating-point element type throughout}}
  %0 = memformer.bmn %a, %b : (tensor<2x3x6xf32>, tensor<3x6xf64>) -> tensor<2x3x6xf32>
  return
}

// -----

func.func @wrong(%a: tensor<3x6xf32>, %b: tensor<2x3x6xf32>) {
  // expected-error@+1 {{expected gradient to have shape [2, 3, 6] (that of the input), but got [3, 6]}}
  %0 = memformer.bmn_gradient %a, %b : (tensor<3x6xf32>, tensor<2x3x6xf32>) -> tensor<2x3x6xf32>
  return
}

// -----

func.func @wrong(%a: tensor<2x3x6xf32>, %b: tensor<2x3x6xf32>) {
  // expected-error@+1 {{expected result to have shape [2, 3, 6] (that of the input), but got [3, 6]}}
  %0 = memformer.bmn_gradient %a, %b : (tensor<2x3x6xf32>, tensor<2x3x6xf32>) -> tensor<3x6xf32>
  return
}

// -----

func.func @wrong(%x: tensor<2x3x6xf32>, %b: tensor<6x3xf32>) {
  // expected-error@+1 {{expected the shape of bias to be the trailing dimensions of the input [2, 3, 6], but got [6, 3]}}
  %0 = memformer.bmn_gradient %x, %x, %b : (tensor<2x3x6xf32>, tensor<2x3x6xf32>, tensor<6x3xf32>) -> tensor<2x3x6xf32>
  return
}

// -----

func.func @wrong(%a: tensor<2x5xi32>, %b: tensor<11xf32>) {
  // expected-error@+1 {{expected table to be [V, d], but got shape [11]}}
  %0 = memformer.embedding %a, %b : (tensor<2x5xi32>, tensor<11xf32>) -> tensor<2x5x11xf32>
  return
}

// -----

func.func @wrong(%a: tensor<2x5xi32>, %b: tensor<11x6xf32>) {
  // expected-error@+1 {{expected result to have shape [2, 5, 6] ([tokens..., d]), but got [2, 5, 11]}}
  %0 = memformer.embedding %a, %b : (tensor<2x5xi32>, tensor<11x6xf32>) -> tensor<2x5x11xf32>
  return
}

// -----

func.func @wrong(%a: tensor<2x5xi32>, %b: tensor<11x6xf32>) {
  // expected-error@+1 {{expected one floating-point element type throughout}}
  %0 = memformer.embedding %a, %b : (tensor<2x5xi32>, tensor<11x6xf32>) -> tensor<2x5x6xf64>
  return
}

// -----

func.func @wrong(%a: tensor<2x5xf32>, %b: tensor<11x6xf32>) {
  // expected-error@+1 {{operand #0 must be statically shaped tensor of 32-bit signless integer values without empty dimensions, but got 'tensor<2x5xf32>'}}
  %0 = memformer.embedding %a, %b : (tensor<2x5xf32>, tensor<11x6xf32>) -> tensor<2x5x6xf32>
  return
}

// -----

func.func @wrong(%a: tensor<2x5x6xf32>, %b: tensor<2x5xi32>) {
  // expected-error@+1 {{expected result to be [V, d], but got shape [11]}}
  %0 = memformer.embedding_gradient %a, %b : (tensor<2x5x6xf32>, tensor<2x5xi32>) -> tensor<11xf32>
  return
}

// -----

func.func @wrong(%a: tensor<2x5x6xf32>, %b: tensor<2x5xi32>) {
  // expected-error@+1 {{expected gradient to have shape [2, 5, 7] ([tokens..., d]), but got [2, 5, 6]}}
  %0 = memformer.embedding_gradient %a, %b : (tensor<2x5x6xf32>, tensor<2x5xi32>) -> tensor<11x7xf32>
  return
}

// -----

func.func @wrong(%a: tensor<2x5x6xf32>, %b: tensor<2x5xi32>) {
  // expected-error@+1 {{expected one floating-point element type throughout}}
  %0 = memformer.embedding_gradient %a, %b : (tensor<2x5x6xf32>, tensor<2x5xi32>) -> tensor<11x6xf64>
  return
}

// -----

func.func @wrong(%z: tensor<f32>, %t: tensor<i32>) {
  // expected-error@+1 {{expected logits to be [..., V], but got shape []}}
  %0:2 = memformer.cross_entropy %z, %t : (tensor<f32>, tensor<i32>) -> (tensor<f32>, tensor<f32>)
  return
}

// -----

func.func @wrong(%z: tensor<2x5x11xf32>, %t: tensor<2xi32>) {
  // expected-error@+1 {{expected targets to have shape [2, 5] (the logits' but for the last), but got [2]}}
  %0:2 = memformer.cross_entropy %z, %t : (tensor<2x5x11xf32>, tensor<2xi32>) -> (tensor<2x5xf32>, tensor<2x5xf32>)
  return
}

// -----

func.func @wrong(%z: tensor<2x5x11xf32>, %t: tensor<2x5xi32>) {
  // expected-error@+1 {{expected loss to have shape [2, 5] (the logits' but for the last), but got [2]}}
  %0:2 = memformer.cross_entropy %z, %t : (tensor<2x5x11xf32>, tensor<2x5xi32>) -> (tensor<2xf32>, tensor<2x5xf32>)
  return
}

// -----

func.func @wrong(%z: tensor<2x5x11xf32>, %t: tensor<2x5xi32>) {
  // expected-error@+1 {{expected lse to have shape [2, 5] (the logits' but for the last), but got [2]}}
  %0:2 = memformer.cross_entropy %z, %t : (tensor<2x5x11xf32>, tensor<2x5xi32>) -> (tensor<2x5xf32>, tensor<2xf32>)
  return
}

// -----

func.func @wrong(%z: tensor<2x5x11xf32>, %t: tensor<2x5xi32>) {
  // expected-error@+1 {{expected one floating-point element type throughout}}
  %0:2 = memformer.cross_entropy %z, %t : (tensor<2x5x11xf32>, tensor<2x5xi32>) -> (tensor<2x5xf32>, tensor<2x5xf64>)
  return
}

// -----

func.func @wrong(%g: tensor<f32>, %z: tensor<f32>, %t: tensor<i32>, %l: tensor<f32>) {
  // expected-error@+1 {{expected logits to be [..., V], but got shape []}}
  %0 = memformer.cross_entropy_gradient %g, %z, %t, %l : (tensor<f32>, tensor<f32>, tensor<i32>, tensor<f32>) -> tensor<f32>
  return
}

// -----

func.func @wrong(%g: tensor<2xf32>, %z: tensor<2x5x11xf32>, %t: tensor<2x5xi32>, %l: tensor<2x5xf32>) {
  // expected-error@+1 {{expected gradient to have shape [2, 5] (the logits' but for the last), but got [2]}}
  %0 = memformer.cross_entropy_gradient %g, %z, %t, %l : (tensor<2xf32>, tensor<2x5x11xf32>, tensor<2x5xi32>, tensor<2x5xf32>) -> tensor<2x5x11xf32>
  return
}

// -----

func.func @wrong(%g: tensor<2x5xf32>, %z: tensor<2x5x11xf32>, %t: tensor<2xi32>, %l: tensor<2x5xf32>) {
  // expected-error@+1 {{expected targets to have shape [2, 5] (the logits' but for the last), but got [2]}}
  %0 = memformer.cross_entropy_gradient %g, %z, %t, %l : (tensor<2x5xf32>, tensor<2x5x11xf32>, tensor<2xi32>, tensor<2x5xf32>) -> tensor<2x5x11xf32>
  return
}

// -----

func.func @wrong(%g: tensor<2x5xf32>, %z: tensor<2x5x11xf32>, %t: tensor<2x5xi32>, %l: tensor<2xf32>) {
  // expected-error@+1 {{expected lse to have shape [2, 5] (the logits' but for the last), but got [2]}}
  %0 = memformer.cross_entropy_gradient %g, %z, %t, %l : (tensor<2x5xf32>, tensor<2x5x11xf32>, tensor<2x5xi32>, tensor<2xf32>) -> tensor<2x5x11xf32>
  return
}

// -----

func.func @wrong(%g: tensor<2x5xf32>, %z: tensor<2x5x11xf32>, %t: tensor<2x5xi32>, %l: tensor<2x5xf32>) {
  // expected-error@+1 {{expected result to have shape [2, 5, 11] (that of the logits), but got [2, 5]}}
  %0 = memformer.cross_entropy_gradient %g, %z, %t, %l : (tensor<2x5xf32>, tensor<2x5x11xf32>, tensor<2x5xi32>, tensor<2x5xf32>) -> tensor<2x5xf32>
  return
}

// -----

func.func @wrong(%g: tensor<2x5xf32>, %z: tensor<2x5x11xf64>, %t: tensor<2x5xi32>, %l: tensor<2x5xf32>) {
  // expected-error@+1 {{expected one floating-point element type throughout}}
  %0 = memformer.cross_entropy_gradient %g, %z, %t, %l : (tensor<2x5xf32>, tensor<2x5x11xf64>, tensor<2x5xi32>, tensor<2x5xf32>) -> tensor<2x5x11xf32>
  return
}

// -----

func.func @wrong(%x: tensor<f32>) {
  // expected-error@+1 {{expected input to be [..., V], but got shape []}}
  %0 = memformer.argmax %x : (tensor<f32>) -> tensor<i32>
  return
}

// -----

func.func @wrong(%x: tensor<2x5xf32>) {
  // expected-error@+1 {{expected result to have shape [2] (the input's but for the last), but got [5]}}
  %0 = memformer.argmax %x : (tensor<2x5xf32>) -> tensor<5xi32>
  return
}
