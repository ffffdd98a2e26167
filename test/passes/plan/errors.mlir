// RUN: memformer-opt %s -kernel-plan -split-input-file -verify-diagnostics

// expected-error@+1 {{expected argument 0 to be a tensor with memformer.role and memformer.name, but got 'tensor<3xf32>'}}
func.func @evaluate(%x: tensor<3xf32>) {
  return
}

// -----
// expected-error@+1 {{has an argument or a result of the unknown role "guest"}}
func.func @evaluate(%x: tensor<3xf32> {memformer.role = "guest", memformer.name = "x"}) {
  return
}

// -----
// expected-note@+1 {{it is of that type here}}
func.func @evaluate(%x: tensor<3xf32> {memformer.role = "input", memformer.name = "x"}) {
  return
}
// expected-error@+1 {{expected the input "x" to be 'tensor<3xf32>' in all functions, but got 'tensor<4xf32>'}}
func.func @trace(%x: tensor<4xf32> {memformer.role = "input", memformer.name = "x"}) {
  return
}

// -----
// expected-error@+1 {{expected no functions but those of docs/levels.md}}
func.func @helper() {
  return
}

// -----
func.func @evaluate(%x: tensor<3xf32> {memformer.role = "input", memformer.name = "x"}) -> (tensor<3xf32> {memformer.role = "output", memformer.name = "y"}) {
  // expected-error@+1 {{expected kernels only: run -memformer-to-kernels first}}
  %y = memformer.relu %x : (tensor<3xf32>) -> tensor<3xf32>
  return %y : tensor<3xf32>
}

// -----
// expected-note@+1 {{the parameter is here}}
memformer.param @w : tensor<5xf32> = <constant, 1.0>
func.func @evaluate(%x: tensor<2x3xf32> {memformer.role = "input", memformer.name = "x"}) {
  // expected-error@+1 {{expected 20 bytes of @w, but got 12}}
  kernel.reduce %x entries 3 accumulate @w : (tensor<2x3xf32>) -> ()
  return
}

// -----
// expected-error@+1 {{expected "saved0" to be a result of another function}}
func.func @replay(%x: tensor<3xf32> {memformer.role = "saved", memformer.name = "saved0"}) {
  return
}
func.func @forward() {
  return
}

// -----

// expected-error @+1 {{expected @begin and @step together}}
module {
  func.func @begin() {
    return
  }
}

// -----

// What has been written over is not what it was.
func.func @begin() {
  return
}
func.func @step(%p: tensor<i32> {memformer.role = "step_input", memformer.name = "position"}, %q: tensor<2x1x4xf32> {memformer.role = "input", memformer.name = "q"}, %c: tensor<2x5x4xf32> {memformer.role = "cache", memformer.name = "c"},
    %d: tensor<2x5x4xf32> {memformer.role = "cache", memformer.name = "d"}) -> (tensor<2x5x4xf32> {memformer.role = "cache", memformer.name = "c"}, tensor<2x2x4xf32> {memformer.role = "output", memformer.name = "y"}) {
  %o, %k, %v = kernel.attention_step %q, %q, %q cache(%c, %d) at %p heads 2 scale 0.5
    : (tensor<2x1x4xf32>, tensor<2x1x4xf32>, tensor<2x1x4xf32>, tensor<2x5x4xf32>, tensor<2x5x4xf32>, tensor<i32>) -> (tensor<2x1x4xf32>, tensor<2x5x4xf32>, tensor<2x5x4xf32>)
  // expected-error @+1 {{which holds something else: the plan is wrong}}
  %y = kernel.slice %c axis 1 offset 0 : (tensor<2x5x4xf32>) -> tensor<2x2x4xf32>
  return %k, %y : tensor<2x5x4xf32>, tensor<2x2x4xf32>
}

// -----

func.func @begin() {
  return
}
func.func @step(%p: tensor<i32> {memformer.role = "step_input", memformer.name = "position"}, %q: tensor<1x1x4xf32> {memformer.role = "input", memformer.name = "q"}, %x: tensor<1x6x4xf32> {memformer.role = "input", memformer.name = "x"})
    -> (tensor<1x1x4xf32> {memformer.role = "output", memformer.name = "y"}) {
  %c = kernel.slice %x axis 1 offset 0 : (tensor<1x6x4xf32>) -> tensor<1x5x4xf32>
  // expected-error @+1 {{expected what is written in place to be an argument of the function}}
  %o, %k, %v = kernel.attention_step %q, %q, %q cache(%c, %c) at %p heads 2 scale 0.5
    : (tensor<1x1x4xf32>, tensor<1x1x4xf32>, tensor<1x1x4xf32>, tensor<1x5x4xf32>, tensor<1x5x4xf32>, tensor<i32>) -> (tensor<1x1x4xf32>, tensor<1x5x4xf32>, tensor<1x5x4xf32>)
  return %o : tensor<1x1x4xf32>
}
