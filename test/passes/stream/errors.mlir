// What cannot be computed token by token, by the op that stands in the way.
// RUN: memformer-opt %s -memformer-expand -memformer-differentiate -memformer-stream -split-input-file -verify-diagnostics

memformer.recurrence @model states [] inputs ["x"] outputs ["y"] streamed "x" to "y" initial {
  memformer.yield
} segment {
^bb0(%x: tensor<2x5x6xf32>):
  // expected-error@+1 {{expected an op that can be computed one position of the streamed input at a time, but a position of it needs positions that come later}}
  %r, %l = memformer.attention %x, %x, %x heads 2 scale 0.5 : (tensor<2x5x6xf32>, tensor<2x5x6xf32>, tensor<2x5x6xf32>) -> (tensor<2x5x6xf32>, tensor<2x2x5xf32>)
  memformer.yield outputs(%r : tensor<2x5x6xf32>)
}

// -----

memformer.param @k : tensor<2x5x6xf32> = <normal, 0.5>
memformer.recurrence @model states [] inputs ["x"] outputs ["y"] streamed "x" to "y" initial {
  memformer.yield
} segment {
^bb0(%x: tensor<2x5x6xf32>):
  %k = memformer.load_param @k : tensor<2x5x6xf32>
  // expected-error@+1 {{expected an op that can be computed one position of the streamed input at a time, but a position of it needs positions that come later}}
  %r, %l = memformer.attention %k, %x, %x heads 2 scale 0.5 causal : (tensor<2x5x6xf32>, tensor<2x5x6xf32>, tensor<2x5x6xf32>) -> (tensor<2x5x6xf32>, tensor<2x2x5xf32>)
  memformer.yield outputs(%r : tensor<2x5x6xf32>)
}

// -----

memformer.param @k : tensor<2x3x6xf32> = <normal, 0.5>
memformer.recurrence @model states [] inputs ["x"] outputs ["y"] streamed "x" to "y" initial {
  memformer.yield
} segment {
^bb0(%x: tensor<2x5x6xf32>):
  %k = memformer.load_param @k : tensor<2x3x6xf32>
  %j = memformer.concat %k, %x axis 1 : (tensor<2x3x6xf32>, tensor<2x5x6xf32>) -> tensor<2x8x6xf32>
  // expected-error@+1 {{expected an op that can be computed one position of the streamed input at a time, but it joins or cuts along the axis of positions}}
  %r = memformer.slice %j axis 1 offset 0 : (tensor<2x8x6xf32>) -> tensor<2x5x6xf32>
  memformer.yield outputs(%r : tensor<2x5x6xf32>)
}

// -----

memformer.recurrence @model states [] inputs ["x"] outputs ["y"] streamed "x" to "y" initial {
  memformer.yield
} segment {
^bb0(%x: tensor<2x5x6xf32>):
  // expected-error@+1 {{expected an op that can be computed one position of the streamed input at a time, but it joins or cuts along the axis of positions}}
  %s = memformer.slice %x axis 1 offset 1 : (tensor<2x5x6xf32>) -> tensor<2x4x6xf32>
  %z = memformer.slice %x axis 1 offset 0 : (tensor<2x5x6xf32>) -> tensor<2x1x6xf32>
  %r = memformer.concat %s, %z axis 1 : (tensor<2x4x6xf32>, tensor<2x1x6xf32>) -> tensor<2x5x6xf32>
  memformer.yield outputs(%r : tensor<2x5x6xf32>)
}

// -----

memformer.recurrence @model states [] inputs ["x"] outputs ["y"] streamed "x" to "y" initial {
  memformer.yield
} segment {
^bb0(%x: tensor<2x5x6xf32>):
  // expected-error@+1 {{expected an op that can be computed one position of the streamed input at a time, but it mixes positions}}
  %s = memformer.sum_leading %x : (tensor<2x5x6xf32>) -> tensor<5x6xf32>
  %r = memformer.broadcast %s : (tensor<5x6xf32>) -> tensor<2x5x6xf32>
  memformer.yield outputs(%r : tensor<2x5x6xf32>)
}

// -----

// A vector of all positions is what the op works on.
memformer.param @w : tensor<5x5xf32> = <normal, 0.5>
memformer.recurrence @model states [] inputs ["x"] outputs ["y"] streamed "x" to "y" initial {
  memformer.yield
} segment {
^bb0(%x: tensor<2x5xf32>):
  %w = memformer.load_param @w : tensor<5x5xf32>
  // expected-error@+1 {{expected an op that can be computed one position of the streamed input at a time, but it computes across positions}}
  %r = memformer.linear %x, %w : (tensor<2x5xf32>, tensor<5x5xf32>) -> tensor<2x5xf32>
  memformer.yield outputs(%r : tensor<2x5xf32>)
}

// -----

memformer.recurrence @model states [] inputs ["x"] outputs ["y"] streamed "x" to "y" initial {
  memformer.yield
} segment {
^bb0(%x: tensor<2x5xf32>):
  // expected-error@+1 {{expected an op that can be computed one position of the streamed input at a time, but it moves the axis of positions}}
  %s = memformer.broadcast %x : (tensor<2x5xf32>) -> tensor<5x2x5xf32>
  %t = memformer.sum_leading %s : (tensor<5x2x5xf32>) -> tensor<2x5xf32>
  memformer.yield outputs(%t : tensor<2x5xf32>)
}

// -----

memformer.param @m : tensor<2x5x6xf32> = <normal, 0.5>
// expected-error@+1 {{expected the output 'y' to depend on the streamed input}}
memformer.recurrence @model states [] inputs ["x"] outputs ["y"] streamed "x" to "y" initial {
  memformer.yield
} segment {
^bb0(%x: tensor<2x5x6xf32>):
  %m = memformer.load_param @m : tensor<2x5x6xf32>
  memformer.yield outputs(%m : tensor<2x5x6xf32>)
}

// -----

// expected-error@+1 {{expected a streamed input, as generation needs: streamed "INPUT" to "OUTPUT"}}
memformer.recurrence @model states [] inputs [] outputs [] initial {
  memformer.yield
} segment {
  memformer.yield
}

// -----

// expected-error@+1 {{has the name @step, which generation needs}}
memformer.param @step : tensor<1xf32> = <constant, 1.0>
memformer.recurrence @model states [] inputs ["x"] outputs ["y"] streamed "x" to "y" initial {
  memformer.yield
} segment {
^bb0(%x: tensor<2x5xf32>):
  %r = memformer.relu %x : (tensor<2x5xf32>) -> tensor<2x5xf32>
  memformer.yield outputs(%r : tensor<2x5xf32>)
}
