// What parameters and recurrences reject.
// RUN: memformer-opt %s -verify-diagnostics -split-input-file

// expected-error@+1 {{expected the value of the initializer uniform to be at least 0, but got -1}}
memformer.param @p : tensor<3xf32> = <uniform, -1.0>

// -----

// expected-error@+1 {{expected the initializer's value to be finite, but got NaN}}
"memformer.param"() <{sym_name = "p", type = tensor<3xf32>, initializer = #memformer.initializer<normal, 0x7FF8000000000000>}> : () -> ()

// -----

// expected-error@+1 {{expected floating point literal}}
memformer.param @p : tensor<3xf32> = <normal, "much">

// -----

// expected-error@+2 {{expected ::memformer::InitializerKind to be one of: uniform, normal, constant, rows}}
// expected-error@+1 {{failed to parse Memformer_InitializerAttr parameter 'kind'}}
memformer.param @p : tensor<3xf32> = <gaussian, 1.0>

// -----

// expected-error@+1 {{expected a parameter with rows for the initializer rows, but got 'tensor<f32>'}}
memformer.param @p : tensor<f32> = <rows, 1.0>

// -----

// expected-error@+1 {{failed to satisfy constraint: type attribute of statically shaped tensor}}
memformer.param @p : tensor<3xi32> = <constant, 1.0>

// -----

func.func @wrong() {
  // expected-error@+1 {{expected a parameter named @p, but there is none}}
  %0 = memformer.load_param @p : tensor<3xf32>
  return
}

// -----

// expected-note@+1 {{declared here}}
memformer.param @p : tensor<3xf32> = <constant, 1.0>
func.func @wrong() {
  // expected-error@+1 {{expected the type of @p, 'tensor<3xf32>', but got 'tensor<3xf64>'}}
  %0 = memformer.load_param @p : tensor<3xf64>
  return
}

// -----

// expected-error@+2 {{expected @wrong to be a parameter, but it is 'func.func'}}
// expected-note@+1 {{defined here}}
func.func @wrong() { %0 = memformer.load_param @wrong : tensor<3xf64> return }

// -----

// expected-note@+1 {{declared here}}
memformer.param @p : tensor<3xf32> = <constant, 1.0>
func.func @wrong(%g: tensor<1x3xf32>) {
  // expected-error@+1 {{expected the type of @p, 'tensor<3xf32>', but got 'tensor<1x3xf32>'}}
  memformer.accumulate @p, %g : tensor<1x3xf32>
  return
}

// -----

func.func @wrong(%g: tensor<1x3xf32>) {
  // expected-error@+1 {{expected a parameter named @p, but there is none}}
  memformer.accumulate @p, %g : tensor<1x3xf32>
  return
}

// -----

func.func @wrong() {
  // expected-error@+1 {{expects parent op 'memformer.recurrence'}}
  memformer.yield
}

// -----

// expected-error@+1 {{expected names to differ, but got 'x' twice, the second time in inputs}}
memformer.recurrence @r states ["x"] inputs ["x"] outputs [] initial { memformer.yield } segment { memformer.yield }

// -----

// expected-error@+1 {{expected names to differ, but got 'x' twice, the second time in outputs}}
memformer.recurrence @r states ["x"] inputs [] outputs ["x"] initial { memformer.yield } segment { memformer.yield }

// -----

// expected-error@+1 {{expected every one of outputs to have a name}}
memformer.recurrence @r states [] inputs [] outputs [""] initial { memformer.yield } segment { memformer.yield }

// -----

// expected-error@+1 {{expected inputs to have names of the model's own, but 'reset' is what every recurrence is given}}
memformer.recurrence @r states [] inputs ["reset"] outputs [] initial { memformer.yield } segment { memformer.yield }

// -----

memformer.recurrence @r states [] inputs [] outputs [] initial {
  // expected-error@+1 {{block with no terminator}}
  %0 = arith.constant 1 : i32
} segment { memformer.yield }

// -----

// expected-error@+1 {{expected region initial to end in 'memformer.yield'}}
memformer.recurrence @r states [] inputs [] outputs [] initial {
  // expected-note@+1 {{it ends here}}
  ub.unreachable
} segment { memformer.yield }

// -----

// expected-error@+1 {{expected region segment to end in 'memformer.yield'}}
memformer.recurrence @r states [] inputs [] outputs [] initial { memformer.yield } segment {
  // expected-note@+1 {{it ends here}}
  ub.unreachable
}

// -----

// expected-error@+1 {{expected region segment to have 2 arguments (1 states and 1 inputs), but got 1}}
memformer.recurrence @r states ["s"] inputs ["x"] outputs [] initial { memformer.yield } segment {
^bb0(%s: tensor<2xf32>):
  memformer.yield
}

// -----

// expected-error@+1 {{expected argument #1 of region segment to be a static tensor of f32, f64 or i32 without empty dimensions, but got 'tensor<?xf32>'}}
memformer.recurrence @r states ["s"] inputs ["x"] outputs [] initial { memformer.yield } segment {
^bb0(%s: tensor<2xf32>, %x: tensor<?xf32>):
  memformer.yield
}

// -----

// expected-error@+1 {{expected argument #0 of region segment to be a static tensor of f32, f64 or i32 without empty dimensions, but got 'index'}}
memformer.recurrence @r states [] inputs ["x"] outputs [] initial { memformer.yield } segment {
^bb0(%x: index):
  memformer.yield
}

// -----

// expected-error@+1 {{expected state 's' to have the batch as its first dimension, but got 'tensor<f32>'}}
memformer.recurrence @r states ["s"] inputs [] outputs [] initial { memformer.yield } segment {
^bb0(%s: tensor<f32>):
  memformer.yield
}

// -----

// expected-error@+1 {{expected all states to have one batch, but got 2 and 3 for state 't'}}
memformer.recurrence @r states ["s", "t"] inputs [] outputs [] initial { memformer.yield } segment {
^bb0(%s: tensor<2x5xf32>, %t: tensor<3x5xf32>):
  memformer.yield
}

// -----

// expected-error@+1 {{expected input 'dropout_key' to be tensor<2xi32>, but got 'tensor<2xf32>'}}
memformer.recurrence @r states [] inputs ["dropout_key"] outputs [] initial { memformer.yield } segment {
^bb0(%x: tensor<2xf32>):
  memformer.yield
}

// -----

// expected-error@+1 {{expected region initial to have no arguments, but got 1}}
memformer.recurrence @r states [] inputs [] outputs [] initial {
^bb0(%x: tensor<2xf32>):
  memformer.yield
} segment { memformer.yield }

// -----

// expected-error@+1 {{expected region initial to yield states alone}}
memformer.recurrence @r states [] inputs [] outputs [] initial {
  %0 = arith.constant dense<0.0> : tensor<2xf32>
  memformer.yield loss(%0 : tensor<2xf32>)
} segment { memformer.yield }

// -----

// expected-error@+1 {{expected region initial to have 1 state value, but got 0}}
memformer.recurrence @r states ["s"] inputs [] outputs [] initial {
  // expected-note@+1 {{these values}}
  memformer.yield
} segment {
^bb0(%s: tensor<2xf32>):
  memformer.yield state(%s : tensor<2xf32>)
}

// -----

// expected-error@+1 {{expected state value #0 of region initial to have type 'tensor<2xf32>', but got 'tensor<2xf64>'}}
memformer.recurrence @r states ["s"] inputs [] outputs [] initial {
  %0 = arith.constant dense<0.0> : tensor<2xf64>
  // expected-note@+1 {{this value}}
  memformer.yield state(%0 : tensor<2xf64>)
} segment {
^bb0(%s: tensor<2xf32>):
  memformer.yield state(%s : tensor<2xf32>)
}

// -----

// expected-error@+1 {{expected state value #0 of region segment to have type 'tensor<2xf32>', but got 'tensor<3xf32>'}}
memformer.recurrence @r states ["s"] inputs ["x"] outputs [] initial {
  %0 = arith.constant dense<0.0> : tensor<2xf32>
  memformer.yield state(%0 : tensor<2xf32>)
} segment {
^bb0(%s: tensor<2xf32>, %x: tensor<3xf32>):
  // expected-note@+1 {{this value}}
  memformer.yield state(%x : tensor<3xf32>)
}

// -----

// expected-error@+1 {{expected region segment to yield 1 outputs, one for each name, but got 2}}
memformer.recurrence @r states [] inputs ["x"] outputs ["y"] initial { memformer.yield } segment {
^bb0(%x: tensor<2xf32>):
  memformer.yield outputs(%x, %x : tensor<2xf32>, tensor<2xf32>)
}

// -----

// expected-error@+1 {{expected region segment to yield at most one loss, but got 2}}
memformer.recurrence @r states [] inputs ["x"] outputs [] initial { memformer.yield } segment {
^bb0(%x: tensor<2xf32>):
  memformer.yield loss(%x, %x : tensor<2xf32>, tensor<2xf32>)
}

// -----

// A region sees nothing of what is around the recurrence.
func.func @wrong(%x: tensor<2xf32>) {
  return
}
memformer.recurrence @r states [] inputs [] outputs [] initial { memformer.yield } segment {
  // expected-error@+1 {{use of undeclared SSA value name}}
  memformer.yield loss(%x : tensor<2xf32>)
}

// -----

// expected-error@+1 {{expected region replay to end in 'memformer.yield'}}
memformer.recurrence @r states [] inputs [] outputs [] initial { memformer.yield } segment { memformer.yield } replay {
  // expected-note@+1 {{it ends here}}
  ub.unreachable
}

// -----

// expected-error@+1 {{expected region replay to be empty or to have one block}}
memformer.recurrence @r states [] inputs [] outputs [] initial { memformer.yield } segment { memformer.yield } replay {
  memformer.yield
^bb1:
  memformer.yield
}

// -----

// expected-error@+1 {{expected region replay to have 4 argument values, but got 3}}
memformer.recurrence @r states ["s"] inputs [] outputs [] initial {
  %0 = arith.constant dense<0.0> : tensor<2x3xf32>
  memformer.yield state(%0 : tensor<2x3xf32>)
} segment {
^bb0(%s: tensor<2x3xf32>):
  memformer.yield state(%s : tensor<2x3xf32>) loss(%s : tensor<2x3xf32>)
} replay {
^bb0(%s: tensor<2x3xf32>, %reset: tensor<2xi32>, %loss_scale: tensor<f32>):
  // expected-note@+1 {{these values}}
  memformer.yield state(%s : tensor<2x3xf32>) loss(%s : tensor<2x3xf32>) outputs(%s : tensor<2x3xf32>)
}

// -----

// expected-error@+1 {{expected argument value #1 of region replay to have type 'tensor<2xi32>', but got 'tensor<3xi32>'}}
memformer.recurrence @r states ["s"] inputs [] outputs [] initial {
  %0 = arith.constant dense<0.0> : tensor<2x3xf32>
  memformer.yield state(%0 : tensor<2x3xf32>)
} segment {
^bb0(%s: tensor<2x3xf32>):
  memformer.yield state(%s : tensor<2x3xf32>)
} replay {
^bb0(%s: tensor<2x3xf32>, %reset: tensor<3xi32>, %gradient: tensor<2x3xf32>):
  // expected-note@+1 {{this value}}
  memformer.yield state(%gradient : tensor<2x3xf32>) outputs(%s : tensor<2x3xf32>)
}

// -----

// expected-error@+1 {{expected region replay to have 1 state value, but got 0}}
memformer.recurrence @r states ["s"] inputs [] outputs [] initial {
  %0 = arith.constant dense<0.0> : tensor<2x3xf32>
  memformer.yield state(%0 : tensor<2x3xf32>)
} segment {
^bb0(%s: tensor<2x3xf32>):
  memformer.yield state(%s : tensor<2x3xf32>)
} replay {
^bb0(%s: tensor<2x3xf32>, %reset: tensor<2xi32>, %gradient: tensor<2x3xf32>):
  // expected-note@+1 {{these values}}
  memformer.yield outputs(%s : tensor<2x3xf32>)
}

// -----

// expected-error@+1 {{expected region replay to have 1 loss value, but got 0}}
memformer.recurrence @r states [] inputs ["x"] outputs [] initial { memformer.yield } segment {
^bb0(%x: tensor<2xf32>):
  memformer.yield loss(%x : tensor<2xf32>)
} replay {
^bb0(%x: tensor<2xf32>, %loss_scale: tensor<f32>):
  // expected-note@+1 {{these values}}
  memformer.yield
}

// -----

// expected-error@+1 {{expected region replay to have 2 output values, but got 1}}
memformer.recurrence @r states ["s"] inputs [] outputs ["y"] initial {
  %0 = arith.constant dense<0.0> : tensor<2x3xf32>
  memformer.yield state(%0 : tensor<2x3xf32>)
} segment {
^bb0(%s: tensor<2x3xf32>):
  memformer.yield state(%s : tensor<2x3xf32>) outputs(%s : tensor<2x3xf32>)
} replay {
^bb0(%s: tensor<2x3xf32>, %reset: tensor<2xi32>, %gradient: tensor<2x3xf32>):
  // expected-note@+1 {{these values}}
  memformer.yield state(%gradient : tensor<2x3xf32>) outputs(%s : tensor<2x3xf32>)
}
