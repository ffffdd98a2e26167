// Integers that a table is looked up by, or that name a class, are known to be within it: else the op that may make others is named.
// RUN: memformer-opt %s -memformer-differentiate -memformer-schedule -split-input-file -verify-diagnostics

memformer.param @table : tensor<7x4xf32> = <normal, 0.5>
memformer.recurrence @counting states ["count"] inputs [] outputs ["y"] initial {
  %zero = arith.constant dense<0> : tensor<2xi32>
  memformer.yield state(%zero : tensor<2xi32>)
} segment {
^bb0(%count: tensor<2xi32>):
  %one = arith.constant dense<1> : tensor<i32>
  // expected-error @+1 {{'memformer.add' op expected entries in [0, 7), as the table or the loss that they reach needs, but nothing limits them: 'memformer.clamp' does}}
  %next = memformer.add %count, %one : (tensor<2xi32>, tensor<i32>) -> tensor<2xi32>
  %table = memformer.load_param @table : tensor<7x4xf32>
  %y = memformer.embedding %count, %table : (tensor<2xi32>, tensor<7x4xf32>) -> tensor<2x4xf32>
  memformer.yield state(%next : tensor<2xi32>) outputs(%y : tensor<2x4xf32>)
}

// -----

memformer.param @table : tensor<7x4xf32> = <normal, 0.5>
memformer.recurrence @clamped states ["count"] inputs [] outputs ["y"] initial {
  %zero = arith.constant dense<0> : tensor<2xi32>
  memformer.yield state(%zero : tensor<2xi32>)
} segment {
^bb0(%count: tensor<2xi32>):
  // expected-error @+1 {{'memformer.clamp' op expected entries in [0, 7), as the table or the loss that they reach needs, but one may be 7}}
  %next = memformer.clamp %count min 0 max 7 : tensor<2xi32>
  %table = memformer.load_param @table : tensor<7x4xf32>
  %y = memformer.embedding %count, %table : (tensor<2xi32>, tensor<7x4xf32>) -> tensor<2x4xf32>
  memformer.yield state(%next : tensor<2xi32>) outputs(%y : tensor<2x4xf32>)
}

// -----

// Through all that moves entries, round the segment.
memformer.param @table : tensor<7x4xf32> = <normal, 0.5>
memformer.recurrence @begun states ["last"] inputs ["tokens"] outputs ["y"] initial {
  // expected-error @+1 {{'arith.constant' op expected entries in [0, 7), as the table or the loss that they reach needs, but one may be -1}}
  %none = arith.constant dense<-1> : tensor<2x1xi32>
  memformer.yield state(%none : tensor<2x1xi32>)
} segment {
^bb0(%last: tensor<2x1xi32>, %tokens: tensor<2x3xi32>):
  %joined = memformer.concat %last, %tokens axis 1 : (tensor<2x1xi32>, tensor<2x3xi32>) -> tensor<2x4xi32>
  %table = memformer.load_param @table : tensor<7x4xf32>
  %y = memformer.embedding %joined, %table : (tensor<2x4xi32>, tensor<7x4xf32>) -> tensor<2x4x4xf32>
  %next = memformer.slice %joined axis 1 offset 3 : (tensor<2x4xi32>) -> tensor<2x1xi32>
  memformer.yield state(%next : tensor<2x1xi32>) outputs(%y : tensor<2x4x4xf32>)
}

// -----

memformer.param @table : tensor<7x4xf32> = <normal, 0.5>
memformer.recurrence @predicted states ["last"] inputs [] outputs ["y"] initial {
  %zero = arith.constant dense<0> : tensor<2xi32>
  memformer.yield state(%zero : tensor<2xi32>)
} segment {
^bb0(%last: tensor<2xi32>):
  %table = memformer.load_param @table : tensor<7x4xf32>
  %x = memformer.embedding %last, %table : (tensor<2xi32>, tensor<7x4xf32>) -> tensor<2x4xf32>
  %twice = memformer.concat %x, %x axis 1 : (tensor<2x4xf32>, tensor<2x4xf32>) -> tensor<2x8xf32>
  // expected-error @+1 {{'memformer.argmax' op expected entries in [0, 7), as the table or the loss that they reach needs, but one may be 7}}
  %next = memformer.argmax %twice : (tensor<2x8xf32>) -> tensor<2xi32>
  memformer.yield state(%next : tensor<2xi32>) outputs(%x : tensor<2x4xf32>)
}

// -----

memformer.param @table : tensor<7x4xf32> = <normal, 0.5>
memformer.recurrence @chosen states ["last"] inputs ["usage"] outputs ["y"] initial {
  %zero = arith.constant dense<0> : tensor<2x3xi32>
  memformer.yield state(%zero : tensor<2x3xi32>)
} segment {
^bb0(%last: tensor<2x3xi32>, %usage: tensor<2x1x4xf32>):
  %table = memformer.load_param @table : tensor<7x4xf32>
  %x = memformer.embedding %last, %table : (tensor<2x3xi32>, tensor<7x4xf32>) -> tensor<2x3x4xf32>
  // expected-error @+1 {{'memformer.most_used' op expected entries in [0, 7), as the table or the loss that they reach needs, but one may be 7}}
  %next = memformer.most_used %usage seen 4 : (tensor<2x1x4xf32>) -> tensor<2x3xi32>
  memformer.yield state(%next : tensor<2x3xi32>) outputs(%x : tensor<2x3x4xf32>)
}
