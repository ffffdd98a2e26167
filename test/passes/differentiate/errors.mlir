// RUN: memformer-opt %s -memformer-differentiate -split-input-file -verify-diagnostics

memformer.param @v : tensor<2xf32> = <uniform, 0.5>
memformer.recurrence @foreign states [] inputs ["x"] outputs [] initial {
  memformer.yield
} segment {
^bb0(%x: tensor<2xf32>):
  %v = memformer.load_param @v : tensor<2xf32>
  // No gradient is asked of this one: it depends on no parameter.
  %constant = arith.negf %x : tensor<2xf32>
  // expected-error @+1 {{'arith.negf' op has no gradient, but the loss or the next state depends on it and it depends on a parameter or the state}}
  %loss = arith.negf %v : tensor<2xf32>
  %sum = memformer.add %loss, %constant : (tensor<2xf32>, tensor<2xf32>) -> tensor<2xf32>
  memformer.yield loss(%sum : tensor<2xf32>)
}

// -----

// expected-error @+1 {{expected an empty replay region, but this recurrence is differentiated already}}
memformer.recurrence @done states [] inputs [] outputs [] initial {
  memformer.yield
} segment {
  memformer.yield
} replay {
  memformer.yield
}
