// RUN: memformer-opt %s -program-verify -split-input-file -verify-diagnostics

program.space @parameters "parameters" bytes 64
program.space @workspace "workspace" bytes 192
program.kernel @cut attributes {flops = 0 : i64, bytes = 32 : i64} {
^bb0(%x: tensor<5xf32>):
  %y = kernel.slice %x axis 0 offset 2 : (tensor<5xf32>) -> tensor<3xf32>
  program.return %y : tensor<3xf32>
}
program.kernel @join attributes {flops = 0 : i64, bytes = 48 : i64} {
^bb0(%a: tensor<3xf32>, %b: tensor<3xf32>):
  %y = kernel.concat %a, %b axis 0 : (tensor<3xf32>, tensor<3xf32>) -> tensor<6xf32>
  program.return %y : tensor<6xf32>
}
program.function @right {
  program.dispatch @cut [#program.address<@parameters, 0>, #program.address<@workspace, 0>]
  program.copy <@workspace, 64> from <@workspace, 0> bytes 64
  program.dispatch @join [#program.address<@workspace, 0>, #program.address<@workspace, 64>, #program.address<@workspace, 128>]
}
program.function @unwritten {
  program.dispatch @cut [#program.address<@parameters, 0>, #program.address<@workspace, 0>]
  // expected-error@+1 {{expected argument 1 at #program.address<@workspace, 64> to have been written before}}
  program.dispatch @join [#program.address<@workspace, 0>, #program.address<@workspace, 64>, #program.address<@workspace, 128>]
}

// -----
program.space @workspace "workspace" bytes 192
program.kernel @join attributes {flops = 0 : i64, bytes = 48 : i64} {
^bb0(%a: tensor<3xf32>, %b: tensor<3xf32>):
  %y = kernel.concat %a, %b axis 0 : (tensor<3xf32>, tensor<3xf32>) -> tensor<6xf32>
  program.return %y : tensor<6xf32>
}
program.function @overlap {
  program.fill <@workspace, 0> bytes 128
  // expected-error@+1 {{expected argument 2, which is written, apart from the others, but it overlaps argument 1 at #program.address<@workspace, 64>}}
  program.dispatch @join [#program.address<@workspace, 0>, #program.address<@workspace, 64>, #program.address<@workspace, 64>]
}

// -----
// What runs together may read the same, but nothing that another writes.
program.space @parameters "parameters" bytes 64
program.space @workspace "workspace" bytes 192
program.kernel @cut attributes {flops = 0 : i64, bytes = 32 : i64} {
^bb0(%x: tensor<5xf32>):
  %y = kernel.slice %x axis 0 offset 2 : (tensor<5xf32>) -> tensor<3xf32>
  program.return %y : tensor<3xf32>
}
program.kernel @join attributes {flops = 0 : i64, bytes = 48 : i64} {
^bb0(%a: tensor<3xf32>, %b: tensor<3xf32>):
  %y = kernel.concat %a, %b axis 0 : (tensor<3xf32>, tensor<3xf32>) -> tensor<6xf32>
  program.return %y : tensor<6xf32>
}
program.function @together {
  program.dispatch @cut [#program.address<@parameters, 0>, #program.address<@workspace, 0>]
  program.dispatch together @cut [#program.address<@parameters, 0>, #program.address<@workspace, 64>]
  program.dispatch @join [#program.address<@workspace, 0>, #program.address<@workspace, 64>, #program.address<@workspace, 128>]
}
program.function @too_early {
  // expected-error@+1 {{expected argument 1, which is written, apart from the others, but it overlaps argument 0 at #program.address<@workspace, 0>}}
  program.dispatch @cut [#program.address<@parameters, 0>, #program.address<@workspace, 0>]
  program.dispatch together @cut [#program.address<@parameters, 0>, #program.address<@workspace, 64>]
  // expected-note@+1 {{of this one, which runs together with it}}
  program.dispatch together @join [#program.address<@workspace, 0>, #program.address<@workspace, 64>, #program.address<@workspace, 128>]
}

// -----
program.space @parameters "parameters" bytes 64
program.space @workspace "workspace" bytes 192
program.kernel @cut attributes {flops = 0 : i64, bytes = 32 : i64} {
^bb0(%x: tensor<5xf32>):
  %y = kernel.slice %x axis 0 offset 2 : (tensor<5xf32>) -> tensor<3xf32>
  program.return %y : tensor<3xf32>
}
program.function @same_place {
  // expected-error@+1 {{expected argument 1, which is written, apart from the others, but it overlaps argument 1 at #program.address<@workspace, 0>}}
  program.dispatch @cut [#program.address<@parameters, 0>, #program.address<@workspace, 0>]
  // expected-note@+1 {{of this one, which runs together with it}}
  program.dispatch together @cut [#program.address<@parameters, 0>, #program.address<@workspace, 0>]
}

// -----
program.space @workspace "workspace" bytes 192
program.kernel @cut attributes {flops = 0 : i64, bytes = 32 : i64} {
^bb0(%x: tensor<5xf32>):
  %y = kernel.slice %x axis 0 offset 2 : (tensor<5xf32>) -> tensor<3xf32>
  program.return %y : tensor<3xf32>
}
program.function @with_nothing {
  program.fill <@workspace, 0> bytes 64
  // expected-error@+1 {{expected a dispatch before one that runs together with it}}
  program.dispatch together @cut [#program.address<@workspace, 0>, #program.address<@workspace, 64>]
}

// -----
// A loop may run for no segment, and a copy for none but the last.
program.space @workspace "workspace" bytes 128
program.function @conditional {
  program.loop outputs [] {
    program.fill <@workspace, 0> bytes 64
    program.copy <@workspace, 64> from <@workspace, 0> bytes 64 {when = 2 : i32}
    // expected-error@+1 {{expected #program.address<@workspace, 64> to have been written before it is copied}}
    program.copy <@workspace, 0> from <@workspace, 64> bytes 64
  }
}

// -----
program.space @workspace "workspace" bytes 128
program.function @loop {
  program.loop outputs [] {
    program.fill <@workspace, 0> bytes 64
  }
  // expected-error@+1 {{expected #program.address<@workspace, 0> to have been written before it is copied}}
  program.copy <@workspace, 64> from <@workspace, 0> bytes 64
}

// -----
// In a chain blocks do not run in step: what one writes must not lie over what another still reads.
program.space @parameters "parameters" bytes 128
program.space @workspace "workspace" bytes 256
program.kernel @chain attributes {flops = 0 : i64, bytes = 256 : i64, parts = 2 : i64} {
^bb0(%x: tensor<2x16xf32>):
  %y = kernel.slice %x axis 1 offset 0 : (tensor<2x16xf32>) -> tensor<2x16xf32>
  %z = kernel.slice %y axis 1 offset 0 : (tensor<2x16xf32>) -> tensor<2x16xf32>
  program.return %z : tensor<2x16xf32>
}
program.function @apart {
  program.dispatch @chain [#program.address<@parameters, 0>, #program.address<@workspace, 0>, #program.address<@workspace, 128>]
}
program.function @over_each_other {
  // expected-error@+1 {{expected argument 1, which is written, apart from the others, but it overlaps argument 2 at #program.address<@workspace, 64>}}
  program.dispatch @chain [#program.address<@parameters, 0>, #program.address<@workspace, 0>, #program.address<@workspace, 64>]
}

// -----
program.space @parameters "parameters" bytes 128
program.space @workspace "workspace" bytes 256
program.kernel @chain attributes {flops = 0 : i64, bytes = 256 : i64, parts = 2 : i64} {
^bb0(%x: tensor<2x16xf32>):
  %y = kernel.slice %x axis 1 offset 0 : (tensor<2x16xf32>) -> tensor<2x16xf32>
  %z = kernel.slice %y axis 1 offset 0 : (tensor<2x16xf32>) -> tensor<2x16xf32>
  program.return %z : tensor<2x16xf32>
}
program.function @over_an_operand {
  program.fill <@workspace, 0> bytes 128
  // expected-error@+1 {{expected argument 2, which is written, apart from the others, but it overlaps argument 0 at #program.address<@workspace, 0>}}
  program.dispatch @chain [#program.address<@workspace, 0>, #program.address<@workspace, 128>, #program.address<@workspace, 0>]
}
