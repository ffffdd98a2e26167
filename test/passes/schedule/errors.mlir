// RUN: memformer-opt %s -memformer-schedule -split-input-file -verify-diagnostics

// expected-error @+1 {{expected a replay region, but got none: run -memformer-differentiate first}}
memformer.recurrence @model states [] inputs [] outputs [] initial {
  memformer.yield
} segment {
  memformer.yield
}

// -----

// expected-note @+1 {{the first is here}}
memformer.recurrence @one states [] inputs [] outputs [] initial {
  memformer.yield
} segment {
  memformer.yield
}
// expected-error @+1 {{expected one recurrence in a module, but this is another}}
memformer.recurrence @two states [] inputs [] outputs [] initial {
  memformer.yield
} segment {
  memformer.yield
}

// -----

// expected-error @+1 {{has the name @trace, which a schedule's function needs}}
memformer.param @trace : tensor<1xf32> = <constant, 1.0>
memformer.recurrence @model states [] inputs [] outputs [] initial {
  memformer.yield
} segment {
  memformer.yield
} replay {
  memformer.yield
}

// -----

// expected-error @+1 {{expected outputs to have names of their own, but 'loss' is the loss}}
memformer.recurrence @model states [] inputs ["x"] outputs ["loss"] initial {
  memformer.yield
} segment {
^bb0(%x: tensor<1xf32>):
  memformer.yield outputs(%x : tensor<1xf32>)
} replay {
^bb0(%x: tensor<1xf32>):
  memformer.yield outputs(%x : tensor<1xf32>)
}
