// What the ops of one position, and a recurrence with a streamed input, reject.
// RUN: memformer-opt %s -verify-diagnostics -split-input-file

func.func @axis(%t: tensor<5x6xf32>, %p: tensor<i32>) {
  // expected-error@+1 {{expected axis to be in [0, 2) for an operand of shape [5, 6], but got 2}}
  %0 = memformer.row %t axis 2 at %p : (tensor<5x6xf32>, tensor<i32>) -> tensor<1x6xf32>
  return
}

// -----

func.func @extent(%t: tensor<5x6xf32>, %p: tensor<i32>) {
  // expected-error@+1 {{'memformer.row' op expected result to have shape [1, 6]}}
  %0 = memformer.row %t axis 0 at %p : (tensor<5x6xf32>, tensor<i32>) -> tensor<2x6xf32>
  return
}

// -----

func.func @positions(%t: tensor<5x6xf32>, %p: tensor<2xi32>) {
  // expected-error@+1 {{'memformer.row' op expected position to have shape []}}
  %0 = memformer.row %t axis 0 at %p : (tensor<5x6xf32>, tensor<2xi32>) -> tensor<1x6xf32>
  return
}

// -----

func.func @query(%q: tensor<2x3x6xf32>, %c: tensor<2x5x6xf32>, %p: tensor<i32>) {
  // expected-error@+1 {{'memformer.attention_step' op expected query to have shape [2, 1, 6]}}
  %0:3 = memformer.attention_step %q, %q, %q cache(%c, %c) at %p heads 3 scale 0.5
    : (tensor<2x3x6xf32>, tensor<2x3x6xf32>, tensor<2x3x6xf32>, tensor<2x5x6xf32>, tensor<2x5x6xf32>, tensor<i32>) -> (tensor<2x3x6xf32>, tensor<2x5x6xf32>, tensor<2x5x6xf32>)
  return
}

// -----

func.func @caches(%q: tensor<2x1x6xf32>, %c: tensor<2x5x6xf32>, %d: tensor<2x4x6xf32>, %p: tensor<i32>) {
  // expected-error@+1 {{'memformer.attention_step' op expected value_cache to have shape [2, 5, 6]}}
  %0:3 = memformer.attention_step %q, %q, %q cache(%c, %d) at %p heads 3 scale 0.5
    : (tensor<2x1x6xf32>, tensor<2x1x6xf32>, tensor<2x1x6xf32>, tensor<2x5x6xf32>, tensor<2x4x6xf32>, tensor<i32>) -> (tensor<2x1x6xf32>, tensor<2x5x6xf32>, tensor<2x4x6xf32>)
  return
}

// -----

func.func @heads(%q: tensor<2x1x6xf32>, %c: tensor<2x5x6xf32>, %p: tensor<i32>) {
  // expected-error@+1 {{'memformer.attention_step' op expected heads to}}
  %0:3 = memformer.attention_step %q, %q, %q cache(%c, %c) at %p heads 4 scale 0.5
    : (tensor<2x1x6xf32>, tensor<2x1x6xf32>, tensor<2x1x6xf32>, tensor<2x5x6xf32>, tensor<2x5x6xf32>, tensor<i32>) -> (tensor<2x1x6xf32>, tensor<2x5x6xf32>, tensor<2x5x6xf32>)
  return
}

// -----

// expected-error@+1 {{expected the streamed input to be one of the inputs, but got 'words'}}
memformer.recurrence @model states [] inputs ["tokens"] outputs ["logits"] streamed "words" to "logits" initial {
  memformer.yield
} segment {
^bb0(%tokens: tensor<2x5xi32>):
  %logits = arith.constant dense<0.0> : tensor<2x5x6xf32>
  memformer.yield outputs(%logits : tensor<2x5x6xf32>)
}

// -----

// expected-error@+1 {{expected the streamed output to be one of the outputs, but got 'loss'}}
memformer.recurrence @model states [] inputs ["tokens"] outputs ["logits"] streamed "tokens" to "loss" initial {
  memformer.yield
} segment {
^bb0(%tokens: tensor<2x5xi32>):
  %logits = arith.constant dense<0.0> : tensor<2x5x6xf32>
  memformer.yield outputs(%logits : tensor<2x5x6xf32>)
}

// -----

// expected-error@+1 {{expected the streamed input 'tokens' to be [B, L, ...], but got 'tensor<5xi32>'}}
memformer.recurrence @model states [] inputs ["tokens"] outputs ["logits"] streamed "tokens" to "logits" initial {
  memformer.yield
} segment {
^bb0(%tokens: tensor<5xi32>):
  %logits = arith.constant dense<0.0> : tensor<5x6xf32>
  memformer.yield outputs(%logits : tensor<5x6xf32>)
}

// -----

// expected-error@+1 {{expected the streamed input and output to have one batch and length, but got 'tensor<2x5xi32>' and 'tensor<2x4x6xf32>'}}
memformer.recurrence @model states [] inputs ["tokens"] outputs ["logits"] streamed "tokens" to "logits" initial {
  memformer.yield
} segment {
^bb0(%tokens: tensor<2x5xi32>):
  %logits = arith.constant dense<0.0> : tensor<2x4x6xf32>
  memformer.yield outputs(%logits : tensor<2x4x6xf32>)
}

// -----

// expected-error@+1 {{expected a streamed input and the output of its positions together}}
"memformer.recurrence"() <{sym_name = "model", states = [], inputs = ["tokens"], outputs = [], streamed = "tokens"}> ({
  "memformer.yield"() <{operandSegmentSizes = array<i32: 0, 0, 0>}> : () -> ()
}, {
^bb0(%tokens: tensor<2x5xi32>):
  "memformer.yield"() <{operandSegmentSizes = array<i32: 0, 0, 0>}> : () -> ()
}, {
}) : () -> ()
