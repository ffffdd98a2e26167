// RUN: memformer-opt %s -split-input-file -verify-diagnostics

// expected-error@+1 {{expected a category of parameters, gradients, optimizer, replay, saved and workspace, but got 'heap'}}
program.space @a "heap" bytes 64

// -----
// expected-error@+1 {{expected a multiple of 64 bytes, but got 60}}
program.space @a "workspace" bytes 60

// -----
// expected-error@+1 {{expected ops of the kernel dialect and program.return}}
program.kernel @k attributes {flops = 0 : i64, bytes = 0 : i64} {
^bb0(%x: tensor<5xf32>):
  program.return %x : tensor<5xf32>
}

// -----
// expected-error@+1 {{expected the arguments to be the kernel's operands in order}}
program.kernel @k attributes {flops = 0 : i64, bytes = 0 : i64} {
^bb0(%a: tensor<5xf32>, %b: tensor<2xf32>):
  %y = kernel.concat %b, %a axis 0 : (tensor<2xf32>, tensor<5xf32>) -> tensor<7xf32>
  program.return %y : tensor<7xf32>
}

// -----
program.space @workspace "workspace" bytes 128
// expected-note@+1 {{the kernel is here}}
program.kernel @k attributes {flops = 0 : i64, bytes = 32 : i64} {
^bb0(%x: tensor<5xf32>):
  %y = kernel.slice %x axis 0 offset 2 : (tensor<5xf32>) -> tensor<3xf32>
  program.return %y : tensor<3xf32>
}
program.function @train {
  // expected-error@+1 {{expected 2 arguments, but got 1}}
  program.dispatch @k [#program.address<@workspace, 0>]
}

// -----
// expected-note@+1 {{the space is here}}
program.space @workspace "workspace" bytes 64
program.kernel @k attributes {flops = 0 : i64, bytes = 32 : i64} {
^bb0(%x: tensor<5xf32>):
  %y = kernel.slice %x axis 0 offset 2 : (tensor<5xf32>) -> tensor<3xf32>
  program.return %y : tensor<3xf32>
}
program.function @train {
  // expected-error@+1 {{expected bytes within the 64 of @workspace, but got 64 to 76}}
  program.dispatch @k [#program.address<@workspace, 0>, #program.address<@workspace, 64>]
}

// -----
program.space @workspace "workspace" bytes 64
program.function @train {
  // expected-error@+1 {{expected a kernel, but got @k}}
  program.dispatch @k [#program.address<@workspace, 0>]
}

// -----
program.function @train {
  // expected-error@+1 {{expected a space, but got @workspace}}
  program.fill <@workspace, 0> bytes 64
}

// -----
program.space @replay "replay" bytes 0 {segment_bytes = 64, extra_segments = 1}
program.function @train {
  // expected-error@+1 {{expected a stride of 0 outside a loop, but got 64}}
  program.fill <@replay, 0, stride 64> bytes 64
}

// -----
program.space @replay "replay" bytes 0 {segment_bytes = 64, extra_segments = 1}
program.function @train {
  program.loop outputs [] {
    // expected-error@+1 {{expected a stride of at most the 64 bytes of a segment of @replay, but got 128}}
    program.fill <@replay, 0, stride 128> bytes 64
  }
}

// -----
program.space @workspace "workspace" bytes 128
program.function @train {
  // expected-error@+1 {{expected a condition inside a loop only}}
  program.copy <@workspace, 0> from <@workspace, 64> bytes 64 {when = 1 : i32}
}

// -----
program.space @parameters "parameters" bytes 64
// expected-error@+1 {{expected an initializer with a parameter and only then}}
program.tensor parameter "w" at <@parameters, 0> : tensor<5xf32>

// -----
program.space @inputs "workspace" bytes 128
// expected-error@+1 {{expected an aligned offset, but got 4}}
program.tensor input "w" at <@inputs, 4> : tensor<5xf32>

// -----

program.space @workspace "workspace" bytes 256
program.kernel @map_0 attributes {flops = 0 : i64, bytes = 136 : i64} {
^bb0(%x: tensor<17xf32>):
  %y = kernel.map %x trailing : (tensor<17xf32>) -> tensor<17xf32> {
  ^bb0(%a: f32, %i: i32):
    kernel.yield %a : f32
  }
  program.return %y : tensor<17xf32>
}
program.function @train {
  // expected-error@+1 {{expected an argument of 68 bytes at a multiple of 64 bytes, but got}}
  program.dispatch @map_0 [#program.address<@workspace, 4>, #program.address<@workspace, 128>]
}

// -----
program.kernel @launch attributes {flops = 0 : i64, bytes = 0 : i64} {
^bb0(%x: tensor<2x16xf32>):
  %y = kernel.slice %x axis 1 offset 0 : (tensor<2x16xf32>) -> tensor<2x16xf32>
  // expected-error@+1 {{expected operands from outside of a launch without parts}}
  %z = kernel.slice %y axis 1 offset 0 : (tensor<2x16xf32>) -> tensor<2x16xf32>
  program.return %z : tensor<2x16xf32>
}

// -----
program.kernel @launch attributes {flops = 0 : i64, bytes = 0 : i64, parts = 2 : i64} {
^bb0(%x: tensor<2x16xf32>):
  %y = kernel.slice %x axis 1 offset 0 : (tensor<2x16xf32>) -> tensor<2x16xf32>
  // expected-error@+1 {{expected an op of a launch to be one that can be computed in 2 parts}}
  %z = kernel.reduce %y entries 16 : (tensor<2x16xf32>) -> tensor<16xf32>
  program.return %z : tensor<16xf32>
}

// -----
// A part of 68 bytes would not begin at a multiple of 16.
program.kernel @launch attributes {flops = 0 : i64, bytes = 0 : i64, parts = 2 : i64} {
^bb0(%x: tensor<2x17xf32>):
  // expected-error@+1 {{expected an op of a launch to be one that can be computed in 2 parts}}
  %y = kernel.slice %x axis 1 offset 0 : (tensor<2x17xf32>) -> tensor<2x6xf32>
  program.return %y : tensor<2x6xf32>
}

// -----
program.kernel @launch attributes {flops = 0 : i64, bytes = 0 : i64, parts = 2 : i64} {
^bb0(%x: tensor<2x16xf32>, %i: tensor<2x4xi32>):
  %y = kernel.slice %x axis 1 offset 0 : (tensor<2x16xf32>) -> tensor<2x16xf32>
  // expected-error@+1 {{expected operand 1, which is read whole, from outside of a launch in parts}}
  %z = kernel.gather %i, %y : (tensor<2x4xi32>, tensor<2x16xf32>) -> tensor<2x4x16xf32> {
  ^bb0(%a: f32, %j: i32):
    kernel.yield %a : f32
  }
  program.return %z : tensor<2x4x16xf32>
}

// -----
// expected-error@+1 {{expected to return results of its ops}}
program.kernel @launch attributes {flops = 0 : i64, bytes = 0 : i64, parts = 2 : i64} {
^bb0(%x: tensor<2x16xf32>):
  %y = kernel.slice %x axis 1 offset 0 : (tensor<2x16xf32>) -> tensor<2x16xf32>
  program.return %x : tensor<2x16xf32>
}
