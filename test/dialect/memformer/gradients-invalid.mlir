// Results that are for observation have no gradient, which is an error and not a zero.
// RUN: memformer-opt %s -memformer-differentiate -verify-diagnostics -split-input-file

memformer.param @p : tensor<2x5xf32> = <constant, 1.0>
memformer.recurrence @cross_entropy states [] inputs ["targets"] outputs [] initial { memformer.yield } segment {
^bb0(%targets: tensor<2xi32>):
  %p = memformer.load_param @p : tensor<2x5xf32>
  // expected-error@+1 {{expected the loss to be differentiated through the first result only, but a gradient arrives at lse}}
  %loss, %lse = memformer.cross_entropy %p, %targets : (tensor<2x5xf32>, tensor<2xi32>) -> (tensor<2xf32>, tensor<2xf32>)
  memformer.yield loss(%lse : tensor<2xf32>)
}

// -----

memformer.param @p : tensor<2x5x6xf32> = <constant, 1.0>
memformer.recurrence @attention states [] inputs [] outputs [] initial { memformer.yield } segment {
  %p = memformer.load_param @p : tensor<2x5x6xf32>
  // expected-error@+1 {{expected attention to be differentiated through the first result only, but a gradient arrives at lse}}
  %o, %lse = memformer.attention %p, %p, %p heads 3 scale 0.5 : (tensor<2x5x6xf32>, tensor<2x5x6xf32>, tensor<2x5x6xf32>) -> (tensor<2x5x6xf32>, tensor<2x3x5xf32>)
  memformer.yield loss(%lse : tensor<2x3x5xf32>)
}

// -----

memformer.param @p : tensor<2x5x6xf32> = <constant, 1.0>
memformer.recurrence @weights states [] inputs [] outputs [] initial { memformer.yield } segment {
  %p = memformer.load_param @p : tensor<2x5x6xf32>
  %o, %lse = memformer.attention %p, %p, %p heads 3 scale 0.5 : (tensor<2x5x6xf32>, tensor<2x5x6xf32>, tensor<2x5x6xf32>) -> (tensor<2x5x6xf32>, tensor<2x3x5xf32>)
  // expected-error@+1 {{expected attention weights to be observed only, but the loss or the next state depends on them}}
  %w = memformer.attention_weights %p, %p, %lse heads 3 scale 0.5 : (tensor<2x5x6xf32>, tensor<2x5x6xf32>, tensor<2x3x5xf32>) -> tensor<2x3x5x5xf32>
  memformer.yield loss(%w : tensor<2x3x5x5xf32>)
}
