// What an LSTM layer and its gradient reject.
// RUN: memformer-opt %s -verify-diagnostics -split-input-file

func.func @wrong(%g: tensor<2x5x12xf32>, %h: tensor<2x1x3xf32>, %w: tensor<9x3xf32>) {
  // expected-error@+1 {{expected weight to have shape [12, 3] ([4d, d]), but got [9, 3]}}
  %0:3 = memformer.lstm %g, %h, %h, %w : (tensor<2x5x12xf32>, tensor<2x1x3xf32>, tensor<2x1x3xf32>, tensor<9x3xf32>) -> (tensor<2x5x3xf32>, tensor<2x5x3xf32>, tensor<2x5x12xf32>)
  return
}

// -----

func.func @wrong(%g: tensor<2x5x8xf32>, %h: tensor<2x1x3xf32>, %w: tensor<12x3xf32>) {
  // expected-error@+1 {{expected gates to have shape [2, 5, 12] ([B, L, 4d] with the weight's d), but got [2, 5, 8]}}
  %0:3 = memformer.lstm %g, %h, %h, %w : (tensor<2x5x8xf32>, tensor<2x1x3xf32>, tensor<2x1x3xf32>, tensor<12x3xf32>) -> (tensor<2x5x3xf32>, tensor<2x5x3xf32>, tensor<2x5x8xf32>)
  return
}

// -----

func.func @wrong(%g: tensor<2x5x12xf32>, %h: tensor<2x3xf32>, %c: tensor<2x1x3xf32>, %w: tensor<12x3xf32>) {
  // expected-error@+1 {{expected hidden to have shape [2, 1, 3] ([B, 1, d]), but got [2, 3]}}
  %0:3 = memformer.lstm %g, %h, %c, %w : (tensor<2x5x12xf32>, tensor<2x3xf32>, tensor<2x1x3xf32>, tensor<12x3xf32>) -> (tensor<2x5x3xf32>, tensor<2x5x3xf32>, tensor<2x5x12xf32>)
  return
}

// -----

func.func @wrong(%a: tensor<2x5x12xf32>, %c: tensor<2x5x3xf32>, %h: tensor<2x1x3xf32>, %w: tensor<12x3xf32>) {
  // expected-error@+1 {{expected hiddens_gradient to have shape [2, 5, 3] ([B, L, d]), but got [2, 1, 3]}}
  %0:3 = memformer.lstm_gradient hiddens(%h) %a, %c, %h, %w : (tensor<2x1x3xf32>, tensor<2x5x12xf32>, tensor<2x5x3xf32>, tensor<2x1x3xf32>, tensor<12x3xf32>) -> (tensor<2x5x12xf32>, tensor<2x1x3xf32>, tensor<2x1x3xf32>)
  return
}

// -----

func.func @wrong(%g: tensor<2x1x12xf32>, %h: tensor<2x1x3xf32>, %w: tensor<12x3xf32>, %k: tensor<2x5x3xf32>, %p: tensor<1xi32>) {
  // expected-error@+1 {{expected position to have shape [] (one number), but got [1]}}
  %0:4 = memformer.lstm_step %g, %h, %h, %w cache(%k, %k) at %p : (tensor<2x1x12xf32>, tensor<2x1x3xf32>, tensor<2x1x3xf32>, tensor<12x3xf32>, tensor<2x5x3xf32>, tensor<2x5x3xf32>, tensor<1xi32>) -> (tensor<2x1x3xf32>, tensor<2x1x3xf32>, tensor<2x5x3xf32>, tensor<2x5x3xf32>)
  return
}

// -----

func.func @wrong(%g: tensor<2x1x12xf32>, %h: tensor<2x1x3xf32>, %w: tensor<12x3xf32>, %k: tensor<2x5x3xf32>, %c: tensor<2x5x4xf32>, %p: tensor<i32>) {
  // expected-error@+1 {{expected cell_cache to have shape [2, 5, 3] (batch and width those of the cell), but got [2, 5, 4]}}
  %0:4 = memformer.lstm_step %g, %h, %h, %w cache(%k, %c) at %p : (tensor<2x1x12xf32>, tensor<2x1x3xf32>, tensor<2x1x3xf32>, tensor<12x3xf32>, tensor<2x5x3xf32>, tensor<2x5x4xf32>, tensor<i32>) -> (tensor<2x1x3xf32>, tensor<2x1x3xf32>, tensor<2x5x3xf32>, tensor<2x5x4xf32>)
  return
}
