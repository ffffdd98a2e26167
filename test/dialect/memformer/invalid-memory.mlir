// What memory read and write reject.
// RUN: memformer-opt %s -verify-diagnostics -split-input-file

func.func @wrong(%x: tensor<5x6xf32>, %m: tensor<2x7x6xf32>, %qw: tensor<6x6xf32>, %qb: tensor<6xf32>, %kw: tensor<6x6xf32>, %kb: tensor<6xf32>, %vw: tensor<6x6xf32>, %vb: tensor<6xf32>, %ow: tensor<6x6xf32>, %ob: tensor<6xf32>) {
  // expected-error@+1 {{expected input to be [B, S, d], but got shape [5, 6]}}
  %0 = memformer.read %x, %m query(%qw, %qb) key(%kw, %kb) value(%vw, %vb) output(%ow, %ob) heads 2
    : (tensor<5x6xf32>, tensor<2x7x6xf32>, tensor<6x6xf32>, tensor<6xf32>, tensor<6x6xf32>, tensor<6xf32>, tensor<6x6xf32>, tensor<6xf32>, tensor<6x6xf32>, tensor<6xf32>) -> tensor<2x5x6xf32>
  return
}

// -----

func.func @wrong(%x: tensor<2x5x6xf32>, %m: tensor<7x6xf32>, %qw: tensor<6x6xf32>, %qb: tensor<6xf32>, %kw: tensor<6x6xf32>, %kb: tensor<6xf32>, %vw: tensor<6x6xf32>, %vb: tensor<6xf32>, %ow: tensor<6x6xf32>, %ob: tensor<6xf32>) {
  // expected-error@+1 {{expected memory to be [B, K, d], but got shape [7, 6]}}
  %0 = memformer.read %x, %m query(%qw, %qb) key(%kw, %kb) value(%vw, %vb) output(%ow, %ob) heads 2
    : (tensor<2x5x6xf32>, tensor<7x6xf32>, tensor<6x6xf32>, tensor<6xf32>, tensor<6x6xf32>, tensor<6xf32>, tensor<6x6xf32>, tensor<6xf32>, tensor<6x6xf32>, tensor<6xf32>) -> tensor<2x5x6xf32>
  return
}

// -----

func.func @wrong(%x: tensor<2x5x6xf32>, %m: tensor<3x7x6xf32>, %qw: tensor<6x6xf32>, %qb: tensor<6xf32>, %kw: tensor<6x6xf32>, %kb: tensor<6xf32>, %vw: tensor<6x6xf32>, %vb: tensor<6xf32>, %ow: tensor<6x6xf32>, %ob: tensor<6xf32>) {
  // expected-error@+1 {{expected memory to have shape [2, 7, 6] (batch and width those of the input), but got [3, 7, 6]}}
  %0 = memformer.read %x, %m query(%qw, %qb) key(%kw, %kb) value(%vw, %vb) output(%ow, %ob) heads 2
    : (tensor<2x5x6xf32>, tensor<3x7x6xf32>, tensor<6x6xf32>, tensor<6xf32>, tensor<6x6xf32>, tensor<6xf32>, tensor<6x6xf32>, tensor<6xf32>, tensor<6x6xf32>, tensor<6xf32>) -> tensor<2x5x6xf32>
  return
}

// -----

func.func @wrong(%x: tensor<2x5x6xf32>, %m: tensor<2x7x6xf32>, %qw: tensor<6x5xf32>, %qb: tensor<6xf32>, %kw: tensor<6x6xf32>, %kb: tensor<6xf32>, %vw: tensor<6x6xf32>, %vb: tensor<6xf32>, %ow: tensor<6x6xf32>, %ob: tensor<6xf32>) {
  // expected-error@+1 {{expected query_weight to have shape [6, 6] ([d, d]), but got [6, 5]}}
  %0 = memformer.read %x, %m query(%qw, %qb) key(%kw, %kb) value(%vw, %vb) output(%ow, %ob) heads 2
    : (tensor<2x5x6xf32>, tensor<2x7x6xf32>, tensor<6x5xf32>, tensor<6xf32>, tensor<6x6xf32>, tensor<6xf32>, tensor<6x6xf32>, tensor<6xf32>, tensor<6x6xf32>, tensor<6xf32>) -> tensor<2x5x6xf32>
  return
}

// -----

func.func @wrong(%x: tensor<2x5x6xf32>, %m: tensor<2x7x6xf32>, %qw: tensor<6x6xf32>, %qb: tensor<5xf32>, %kw: tensor<6x6xf32>, %kb: tensor<6xf32>, %vw: tensor<6x6xf32>, %vb: tensor<6xf32>, %ow: tensor<6x6xf32>, %ob: tensor<6xf32>) {
  // expected-error@+1 {{expected query_bias to have shape [6] ([d]), but got [5]}}
  %0 = memformer.read %x, %m query(%qw, %qb) key(%kw, %kb) value(%vw, %vb) output(%ow, %ob) heads 2
    : (tensor<2x5x6xf32>, tensor<2x7x6xf32>, tensor<6x6xf32>, tensor<5xf32>, tensor<6x6xf32>, tensor<6xf32>, tensor<6x6xf32>, tensor<6xf32>, tensor<6x6xf32>, tensor<6xf32>) -> tensor<2x5x6xf32>
  return
}

// -----

func.func @wrong(%x: tensor<2x5x6xf32>, %m: tensor<2x7x6xf32>, %qw: tensor<6x6xf32>, %qb: tensor<6xf32>, %kw: tensor<6x5xf32>, %kb: tensor<6xf32>, %vw: tensor<6x6xf32>, %vb: tensor<6xf32>, %ow: tensor<6x6xf32>, %ob: tensor<6xf32>) {
  // expected-error@+1 {{expected key_weight to have shape [6, 6] ([d, d]), but got [6, 5]}}
  %0 = memformer.read %x, %m query(%qw, %qb) key(%kw, %kb) value(%vw, %vb) output(%ow, %ob) heads 2
    : (tensor<2x5x6xf32>, tensor<2x7x6xf32>, tensor<6x6xf32>, tensor<6xf32>, tensor<6x5xf32>, tensor<6xf32>, tensor<6x6xf32>, tensor<6xf32>, tensor<6x6xf32>, tensor<6xf32>) -> tensor<2x5x6xf32>
  return
}

// -----

func.func @wrong(%x: tensor<2x5x6xf32>, %m: tensor<2x7x6xf32>, %qw: tensor<6x6xf32>, %qb: tensor<6xf32>, %kw: tensor<6x6xf32>, %kb: tensor<5xf32>, %vw: tensor<6x6xf32>, %vb: tensor<6xf32>, %ow: tensor<6x6xf32>, %ob: tensor<6xf32>) {
  // expected-error@+1 {{expected key_bias to have shape [6] ([d]), but got [5]}}
  %0 = memformer.read %x, %m query(%qw, %qb) key(%kw, %kb) value(%vw, %vb) output(%ow, %ob) heads 2
    : (tensor<2x5x6xf32>, tensor<2x7x6xf32>, tensor<6x6xf32>, tensor<6xf32>, tensor<6x6xf32>, tensor<5xf32>, tensor<6x6xf32>, tensor<6xf32>, tensor<6x6xf32>, tensor<6xf32>) -> tensor<2x5x6xf32>
  return
}

// -----

func.func @wrong(%x: tensor<2x5x6xf32>, %m: tensor<2x7x6xf32>, %qw: tensor<6x6xf32>, %qb: tensor<6xf32>, %kw: tensor<6x6xf32>, %kb: tensor<6xf32>, %vw: tensor<6x5xf32>, %vb: tensor<6xf32>, %ow: tensor<6x6xf32>, %ob: tensor<6xf32>) {
  // expected-error@+1 {{expected value_weight to have shape [6, 6] ([d, d]), but got [6, 5]}}
  %0 = memformer.read %x, %m query(%qw, %qb) key(%kw, %kb) value(%vw, %vb) output(%ow, %ob) heads 2
    : (tensor<2x5x6xf32>, tensor<2x7x6xf32>, tensor<6x6xf32>, tensor<6xf32>, tensor<6x6xf32>, tensor<6xf32>, tensor<6x5xf32>, tensor<6xf32>, tensor<6x6xf32>, tensor<6xf32>) -> tensor<2x5x6xf32>
  return
}

// -----

func.func @wrong(%x: tensor<2x5x6xf32>, %m: tensor<2x7x6xf32>, %qw: tensor<6x6xf32>, %qb: tensor<6xf32>, %kw: tensor<6x6xf32>, %kb: tensor<6xf32>, %vw: tensor<6x6xf32>, %vb: tensor<5xf32>, %ow: tensor<6x6xf32>, %ob: tensor<6xf32>) {
  // expected-error@+1 {{expected value_bias to have shape [6] ([d]), but got [5]}}
  %0 = memformer.read %x, %m query(%qw, %qb) key(%kw, %kb) value(%vw, %vb) output(%ow, %ob) heads 2
    : (tensor<2x5x6xf32>, tensor<2x7x6xf32>, tensor<6x6xf32>, tensor<6xf32>, tensor<6x6xf32>, tensor<6xf32>, tensor<6x6xf32>, tensor<5xf32>, tensor<6x6xf32>, tensor<6xf32>) -> tensor<2x5x6xf32>
  return
}

// -----

func.func @wrong(%x: tensor<2x5x6xf32>, %m: tensor<2x7x6xf32>, %qw: tensor<6x6xf32>, %qb: tensor<6xf32>, %kw: tensor<6x6xf32>, %kb: tensor<6xf32>, %vw: tensor<6x6xf32>, %vb: tensor<6xf32>, %ow: tensor<6x5xf32>, %ob: tensor<6xf32>) {
  // expected-error@+1 {{expected output_weight to have shape [6, 6] ([d, d]), but got [6, 5]}}
  %0 = memformer.read %x, %m query(%qw, %qb) key(%kw, %kb) value(%vw, %vb) output(%ow, %ob) heads 2
    : (tensor<2x5x6xf32>, tensor<2x7x6xf32>, tensor<6x6xf32>, tensor<6xf32>, tensor<6x6xf32>, tensor<6xf32>, tensor<6x6xf32>, tensor<6xf32>, tensor<6x5xf32>, tensor<6xf32>) -> tensor<2x5x6xf32>
  return
}

// -----

func.func @wrong(%x: tensor<2x5x6xf32>, %m: tensor<2x7x6xf32>, %qw: tensor<6x6xf32>, %qb: tensor<6xf32>, %kw: tensor<6x6xf32>, %kb: tensor<6xf32>, %vw: tensor<6x6xf32>, %vb: tensor<6xf32>, %ow: tensor<6x6xf32>, %ob: tensor<5xf32>) {
  // expected-error@+1 {{expected output_bias to have shape [6] ([d]), but got [5]}}
  %0 = memformer.read %x, %m query(%qw, %qb) key(%kw, %kb) value(%vw, %vb) output(%ow, %ob) heads 2
    : (tensor<2x5x6xf32>, tensor<2x7x6xf32>, tensor<6x6xf32>, tensor<6xf32>, tensor<6x6xf32>, tensor<6xf32>, tensor<6x6xf32>, tensor<6xf32>, tensor<6x6xf32>, tensor<5xf32>) -> tensor<2x5x6xf32>
  return
}

// -----

func.func @wrong(%x: tensor<2x5x6xf32>, %m: tensor<2x7x6xf32>, %qw: tensor<6x6xf32>, %qb: tensor<6xf32>, %kw: tensor<6x6xf32>, %kb: tensor<6xf32>, %vw: tensor<6x6xf32>, %vb: tensor<6xf32>, %ow: tensor<6x6xf32>, %ob: tensor<6xf32>) {
  // expected-error@+1 {{expected result to have shape [2, 5, 6] (that of the input), but got [2, 7, 6]}}
  %0 = memformer.read %x, %m query(%qw, %qb) key(%kw, %kb) value(%vw, %vb) output(%ow, %ob) heads 2
    : (tensor<2x5x6xf32>, tensor<2x7x6xf32>, tensor<6x6xf32>, tensor<6xf32>, tensor<6x6xf32>, tensor<6xf32>, tensor<6x6xf32>, tensor<6xf32>, tensor<6x6xf32>, tensor<6xf32>) -> tensor<2x7x6xf32>
  return
}

// -----

func.func @wrong(%x: tensor<2x5x6xf32>, %m: tensor<2x7x6xf32>, %qw: tensor<6x6xf32>, %qb: tensor<6xf32>, %kw: tensor<6x6xf32>, %kb: tensor<6xf32>, %vw: tensor<6x6xf32>, %vb: tensor<6xf32>, %ow: tensor<6x6xf32>, %ob: tensor<6xf32>) {
  // expected-error@+1 {{expected heads to divide the width 6, but got 4}}
  %0 = memformer.read %x, %m query(%qw, %qb) key(%kw, %kb) value(%vw, %vb) output(%ow, %ob) heads 4
    : (tensor<2x5x6xf32>, tensor<2x7x6xf32>, tensor<6x6xf32>, tensor<6xf32>, tensor<6x6xf32>, tensor<6xf32>, tensor<6x6xf32>, tensor<6xf32>, tensor<6x6xf32>, tensor<6xf32>) -> tensor<2x5x6xf32>
  return
}

// -----

func.func @wrong(%x: tensor<2x5x6xf32>, %m: tensor<2x7x6xf32>, %qw: tensor<6x6xf32>, %qb: tensor<6xf32>, %kw: tensor<6x6xf32>, %kb: tensor<6xf32>, %vw: tensor<6x6xf32>, %vb: tensor<6xf32>, %ow: tensor<6x6xf32>, %ob: tensor<6xf32>) {
  // expected-error@+1 {{expected a dropout key where probability is 0.5}}
  %0 = memformer.read %x, %m query(%qw, %qb) key(%kw, %kb) value(%vw, %vb) output(%ow, %ob) heads 2 {probability = 0.5}
    : (tensor<2x5x6xf32>, tensor<2x7x6xf32>, tensor<6x6xf32>, tensor<6xf32>, tensor<6x6xf32>, tensor<6xf32>, tensor<6x6xf32>, tensor<6xf32>, tensor<6x6xf32>, tensor<6xf32>) -> tensor<2x5x6xf32>
  return
}

// -----

func.func @wrong(%x: tensor<2x5x6xf32>, %m: tensor<2x7x6xf32>, %qw: tensor<6x6xf32>, %qb: tensor<6xf32>, %kw: tensor<6x6xf32>, %kb: tensor<6xf32>, %vw: tensor<6x6xf32>, %vb: tensor<6xf32>, %ow: tensor<6x6xf32>, %ob: tensor<6xf32>, %key: tensor<2xi32>) {
  // expected-error@+1 {{expected probability to be in [0, 1), but got 1}}
  %0 = memformer.read %x, %m query(%qw, %qb) key(%kw, %kb) value(%vw, %vb) output(%ow, %ob) dropout(%key probability 1.0 stream 0) heads 2
    : (tensor<2x5x6xf32>, tensor<2x7x6xf32>, tensor<6x6xf32>, tensor<6xf32>, tensor<6x6xf32>, tensor<6xf32>, tensor<6x6xf32>, tensor<6xf32>, tensor<6x6xf32>, tensor<6xf32>, tensor<2xi32>) -> tensor<2x5x6xf32>
  return
}

// -----

func.func @wrong(%x: tensor<2x5x6xf32>, %m: tensor<2x7x6xf32>, %qw: tensor<6x6xf32>, %qb: tensor<6xf64>, %kw: tensor<6x6xf32>, %kb: tensor<6xf32>, %vw: tensor<6x6xf32>, %vb: tensor<6xf32>, %ow: tensor<6x6xf32>, %ob: tensor<6xf32>) {
  // expected-error@+1 {{expected one floating-point element type throughout}}
  %0 = memformer.read %x, %m query(%qw, %qb) key(%kw, %kb) value(%vw, %vb) output(%ow, %ob) heads 2
    : (tensor<2x5x6xf32>, tensor<2x7x6xf32>, tensor<6x6xf32>, tensor<6xf64>, tensor<6x6xf32>, tensor<6xf32>, tensor<6x6xf32>, tensor<6xf32>, tensor<6x6xf32>, tensor<6xf32>) -> tensor<2x5x6xf32>
  return
}

// -----

func.func @wrong(%m: tensor<7x6xf32>, %x: tensor<2x5x6xf32>, %qw: tensor<6x6xf32>, %qb: tensor<6xf32>, %kw: tensor<6x6xf32>, %kb: tensor<6xf32>, %vw: tensor<6x6xf32>, %vb: tensor<6xf32>) {
  // expected-error@+1 {{expected memory to be [B, K, d], but got shape [7, 6]}}
  %0:2 = memformer.write %m, %x query(%qw, %qb) key(%kw, %kb) value(%vw, %vb) heads 2 temperature 0.25
    : (tensor<7x6xf32>, tensor<2x5x6xf32>, tensor<6x6xf32>, tensor<6xf32>, tensor<6x6xf32>, tensor<6xf32>, tensor<6x6xf32>, tensor<6xf32>) -> (tensor<2x7x6xf32>, tensor<2x2x7x6xf32>)
  return
}

// -----

func.func @wrong(%m: tensor<2x7x8xf32>, %x: tensor<2x5x6xf32>, %qw: tensor<6x6xf32>, %qb: tensor<6xf32>, %kw: tensor<6x6xf32>, %kb: tensor<6xf32>, %vw: tensor<6x6xf32>, %vb: tensor<6xf32>) {
  // expected-error@+1 {{expected memory to have shape [2, 7, 6] (batch and width those of the input), but got [2, 7, 8]}}
  %0:2 = memformer.write %m, %x query(%qw, %qb) key(%kw, %kb) value(%vw, %vb) heads 2 temperature 0.25
    : (tensor<2x7x8xf32>, tensor<2x5x6xf32>, tensor<6x6xf32>, tensor<6xf32>, tensor<6x6xf32>, tensor<6xf32>, tensor<6x6xf32>, tensor<6xf32>) -> (tensor<2x7x6xf32>, tensor<2x2x7x6xf32>)
  return
}

// -----

func.func @wrong(%m: tensor<2x7x6xf32>, %x: tensor<2x6xf32>, %qw: tensor<6x6xf32>, %qb: tensor<6xf32>, %kw: tensor<6x6xf32>, %kb: tensor<6xf32>, %vw: tensor<6x6xf32>, %vb: tensor<6xf32>) {
  // expected-error@+1 {{expected input to be [B, S, d], but got shape [2, 6]}}
  %0:2 = memformer.write %m, %x query(%qw, %qb) key(%kw, %kb) value(%vw, %vb) heads 2 temperature 0.25
    : (tensor<2x7x6xf32>, tensor<2x6xf32>, tensor<6x6xf32>, tensor<6xf32>, tensor<6x6xf32>, tensor<6xf32>, tensor<6x6xf32>, tensor<6xf32>) -> (tensor<2x7x6xf32>, tensor<2x2x7x6xf32>)
  return
}

// -----

func.func @wrong(%m: tensor<2x7x6xf32>, %x: tensor<2x5x6xf32>, %qw: tensor<5x6xf32>, %qb: tensor<6xf32>, %kw: tensor<6x6xf32>, %kb: tensor<6xf32>, %vw: tensor<6x6xf32>, %vb: tensor<6xf32>, %sw: tensor<6x6xf32>, %sb: tensor<6xf32>, %ow: tensor<6x6xf32>, %ob: tensor<6xf32>) {
  // expected-error@+1 {{expected query_weight to have shape [6, 6] ([d, d]), but got [5, 6]}}
  %0:2 = memformer.write %m, %x query(%qw, %qb) key(%kw, %kb) value(%vw, %vb) slot_value(%sw, %sb) output(%ow, %ob) heads 2 temperature 0.25
    : (tensor<2x7x6xf32>, tensor<2x5x6xf32>, tensor<5x6xf32>, tensor<6xf32>, tensor<6x6xf32>, tensor<6xf32>, tensor<6x6xf32>, tensor<6xf32>, tensor<6x6xf32>, tensor<6xf32>, tensor<6x6xf32>, tensor<6xf32>) -> (tensor<2x7x6xf32>, tensor<2x2x7x6xf32>)
  return
}

// -----

func.func @wrong(%m: tensor<2x7x6xf32>, %x: tensor<2x5x6xf32>, %qw: tensor<6x6xf32>, %qb: tensor<6x1xf32>, %kw: tensor<6x6xf32>, %kb: tensor<6xf32>, %vw: tensor<6x6xf32>, %vb: tensor<6xf32>, %sw: tensor<6x6xf32>, %sb: tensor<6xf32>, %ow: tensor<6x6xf32>, %ob: tensor<6xf32>) {
  // expected-error@+1 {{expected query_bias to have shape [6] ([d]), but got [6, 1]}}
  %0:2 = memformer.write %m, %x query(%qw, %qb) key(%kw, %kb) value(%vw, %vb) slot_value(%sw, %sb) output(%ow, %ob) heads 2 temperature 0.25
    : (tensor<2x7x6xf32>, tensor<2x5x6xf32>, tensor<6x6xf32>, tensor<6x1xf32>, tensor<6x6xf32>, tensor<6xf32>, tensor<6x6xf32>, tensor<6xf32>, tensor<6x6xf32>, tensor<6xf32>, tensor<6x6xf32>, tensor<6xf32>) -> (tensor<2x7x6xf32>, tensor<2x2x7x6xf32>)
  return
}

// -----

func.func @wrong(%m: tensor<2x7x6xf32>, %x: tensor<2x5x6xf32>, %qw: tensor<6x6xf32>, %qb: tensor<6xf32>, %kw: tensor<5x6xf32>, %kb: tensor<6xf32>, %vw: tensor<6x6xf32>, %vb: tensor<6xf32>, %sw: tensor<6x6xf32>, %sb: tensor<6xf32>, %ow: tensor<6x6xf32>, %ob: tensor<6xf32>) {
  // expected-error@+1 {{expected key_weight to have shape [6, 6] ([d, d]), but got [5, 6]}}
  %0:2 = memformer.write %m, %x query(%qw, %qb) key(%kw, %kb) value(%vw, %vb) slot_value(%sw, %sb) output(%ow, %ob) heads 2 temperature 0.25
    : (tensor<2x7x6xf32>, tensor<2x5x6xf32>, tensor<6x6xf32>, tensor<6xf32>, tensor<5x6xf32>, tensor<6xf32>, tensor<6x6xf32>, tensor<6xf32>, tensor<6x6xf32>, tensor<6xf32>, tensor<6x6xf32>, tensor<6xf32>) -> (tensor<2x7x6xf32>, tensor<2x2x7x6xf32>)
  return
}

// -----

func.func @wrong(%m: tensor<2x7x6xf32>, %x: tensor<2x5x6xf32>, %qw: tensor<6x6xf32>, %qb: tensor<6xf32>, %kw: tensor<6x6xf32>, %kb: tensor<6x1xf32>, %vw: tensor<6x6xf32>, %vb: tensor<6xf32>, %sw: tensor<6x6xf32>, %sb: tensor<6xf32>, %ow: tensor<6x6xf32>, %ob: tensor<6xf32>) {
  // expected-error@+1 {{expected key_bias to have shape [6] ([d]), but got [6, 1]}}
  %0:2 = memformer.write %m, %x query(%qw, %qb) key(%kw, %kb) value(%vw, %vb) slot_value(%sw, %sb) output(%ow, %ob) heads 2 temperature 0.25
    : (tensor<2x7x6xf32>, tensor<2x5x6xf32>, tensor<6x6xf32>, tensor<6xf32>, tensor<6x6xf32>, tensor<6x1xf32>, tensor<6x6xf32>, tensor<6xf32>, tensor<6x6xf32>, tensor<6xf32>, tensor<6x6xf32>, tensor<6xf32>) -> (tensor<2x7x6xf32>, tensor<2x2x7x6xf32>)
  return
}

// -----

func.func @wrong(%m: tensor<2x7x6xf32>, %x: tensor<2x5x6xf32>, %qw: tensor<6x6xf32>, %qb: tensor<6xf32>, %kw: tensor<6x6xf32>, %kb: tensor<6xf32>, %vw: tensor<5x6xf32>, %vb: tensor<6xf32>, %sw: tensor<6x6xf32>, %sb: tensor<6xf32>, %ow: tensor<6x6xf32>, %ob: tensor<6xf32>) {
  // expected-error@+1 {{expected value_weight to have shape [6, 6] ([d, d]), but got [5, 6]}}
  %0:2 = memformer.write %m, %x query(%qw, %qb) key(%kw, %kb) value(%vw, %vb) slot_value(%sw, %sb) output(%ow, %ob) heads 2 temperature 0.25
    : (tensor<2x7x6xf32>, tensor<2x5x6xf32>, tensor<6x6xf32>, tensor<6xf32>, tensor<6x6xf32>, tensor<6xf32>, tensor<5x6xf32>, tensor<6xf32>, tensor<6x6xf32>, tensor<6xf32>, tensor<6x6xf32>, tensor<6xf32>) -> (tensor<2x7x6xf32>, tensor<2x2x7x6xf32>)
  return
}

// -----

func.func @wrong(%m: tensor<2x7x6xf32>, %x: tensor<2x5x6xf32>, %qw: tensor<6x6xf32>, %qb: tensor<6xf32>, %kw: tensor<6x6xf32>, %kb: tensor<6xf32>, %vw: tensor<6x6xf32>, %vb: tensor<6x1xf32>, %sw: tensor<6x6xf32>, %sb: tensor<6xf32>, %ow: tensor<6x6xf32>, %ob: tensor<6xf32>) {
  // expected-error@+1 {{expected value_bias to have shape [6] ([d]), but got [6, 1]}}
  %0:2 = memformer.write %m, %x query(%qw, %qb) key(%kw, %kb) value(%vw, %vb) slot_value(%sw, %sb) output(%ow, %ob) heads 2 temperature 0.25
    : (tensor<2x7x6xf32>, tensor<2x5x6xf32>, tensor<6x6xf32>, tensor<6xf32>, tensor<6x6xf32>, tensor<6xf32>, tensor<6x6xf32>, tensor<6x1xf32>, tensor<6x6xf32>, tensor<6xf32>, tensor<6x6xf32>, tensor<6xf32>) -> (tensor<2x7x6xf32>, tensor<2x2x7x6xf32>)
  return
}

// -----

func.func @wrong(%m: tensor<2x7x6xf32>, %x: tensor<2x5x6xf32>, %qw: tensor<6x6xf32>, %qb: tensor<6xf32>, %kw: tensor<6x6xf32>, %kb: tensor<6xf32>, %vw: tensor<6x6xf32>, %vb: tensor<6xf32>, %sw: tensor<5x6xf32>, %sb: tensor<6xf32>, %ow: tensor<6x6xf32>, %ob: tensor<6xf32>) {
  // expected-error@+1 {{expected slot_value_weight to have shape [6, 6] ([d, d]), but got [5, 6]}}
  %0:2 = memformer.write %m, %x query(%qw, %qb) key(%kw, %kb) value(%vw, %vb) slot_value(%sw, %sb) output(%ow, %ob) heads 2 temperature 0.25
    : (tensor<2x7x6xf32>, tensor<2x5x6xf32>, tensor<6x6xf32>, tensor<6xf32>, tensor<6x6xf32>, tensor<6xf32>, tensor<6x6xf32>, tensor<6xf32>, tensor<5x6xf32>, tensor<6xf32>, tensor<6x6xf32>, tensor<6xf32>) -> (tensor<2x7x6xf32>, tensor<2x2x7x6xf32>)
  return
}

// -----

func.func @wrong(%m: tensor<2x7x6xf32>, %x: tensor<2x5x6xf32>, %qw: tensor<6x6xf32>, %qb: tensor<6xf32>, %kw: tensor<6x6xf32>, %kb: tensor<6xf32>, %vw: tensor<6x6xf32>, %vb: tensor<6xf32>, %sw: tensor<6x6xf32>, %sb: tensor<6x1xf32>, %ow: tensor<6x6xf32>, %ob: tensor<6xf32>) {
  // expected-error@+1 {{expected slot_value_bias to have shape [6] ([d]), but got [6, 1]}}
  %0:2 = memformer.write %m, %x query(%qw, %qb) key(%kw, %kb) value(%vw, %vb) slot_value(%sw, %sb) output(%ow, %ob) heads 2 temperature 0.25
    : (tensor<2x7x6xf32>, tensor<2x5x6xf32>, tensor<6x6xf32>, tensor<6xf32>, tensor<6x6xf32>, tensor<6xf32>, tensor<6x6xf32>, tensor<6xf32>, tensor<6x6xf32>, tensor<6x1xf32>, tensor<6x6xf32>, tensor<6xf32>) -> (tensor<2x7x6xf32>, tensor<2x2x7x6xf32>)
  return
}

// -----

func.func @wrong(%m: tensor<2x7x6xf32>, %x: tensor<2x5x6xf32>, %qw: tensor<6x6xf32>, %qb: tensor<6xf32>, %kw: tensor<6x6xf32>, %kb: tensor<6xf32>, %vw: tensor<6x6xf32>, %vb: tensor<6xf32>, %sw: tensor<6x6xf32>, %sb: tensor<6xf32>, %ow: tensor<5x6xf32>, %ob: tensor<6xf32>) {
  // expected-error@+1 {{expected output_weight to have shape [6, 6] ([d, d]), but got [5, 6]}}
  %0:2 = memformer.write %m, %x query(%qw, %qb) key(%kw, %kb) value(%vw, %vb) slot_value(%sw, %sb) output(%ow, %ob) heads 2 temperature 0.25
    : (tensor<2x7x6xf32>, tensor<2x5x6xf32>, tensor<6x6xf32>, tensor<6xf32>, tensor<6x6xf32>, tensor<6xf32>, tensor<6x6xf32>, tensor<6xf32>, tensor<6x6xf32>, tensor<6xf32>, tensor<5x6xf32>, tensor<6xf32>) -> (tensor<2x7x6xf32>, tensor<2x2x7x6xf32>)
  return
}

// -----

func.func @wrong(%m: tensor<2x7x6xf32>, %x: tensor<2x5x6xf32>, %qw: tensor<6x6xf32>, %qb: tensor<6xf32>, %kw: tensor<6x6xf32>, %kb: tensor<6xf32>, %vw: tensor<6x6xf32>, %vb: tensor<6xf32>, %sw: tensor<6x6xf32>, %sb: tensor<6xf32>, %ow: tensor<6x6xf32>, %ob: tensor<6x1xf32>) {
  // expected-error@+1 {{expected output_bias to have shape [6] ([d]), but got [6, 1]}}
  %0:2 = memformer.write %m, %x query(%qw, %qb) key(%kw, %kb) value(%vw, %vb) slot_value(%sw, %sb) output(%ow, %ob) heads 2 temperature 0.25
    : (tensor<2x7x6xf32>, tensor<2x5x6xf32>, tensor<6x6xf32>, tensor<6xf32>, tensor<6x6xf32>, tensor<6xf32>, tensor<6x6xf32>, tensor<6xf32>, tensor<6x6xf32>, tensor<6xf32>, tensor<6x6xf32>, tensor<6x1xf32>) -> (tensor<2x7x6xf32>, tensor<2x2x7x6xf32>)
  return
}

// -----

func.func @wrong(%m: tensor<2x7x6xf32>, %x: tensor<2x5x6xf32>, %qw: tensor<6x6xf32>, %qb: tensor<6xf32>, %kw: tensor<6x6xf32>, %kb: tensor<6xf32>, %vw: tensor<6x6xf32>, %vb: tensor<6xf32>) {
  // expected-error@+1 {{expected result to have shape [2, 7, 6] (that of the memory), but got [2, 5, 6]}}
  %0:2 = memformer.write %m, %x query(%qw, %qb) key(%kw, %kb) value(%vw, %vb) heads 2 temperature 0.25
    : (tensor<2x7x6xf32>, tensor<2x5x6xf32>, tensor<6x6xf32>, tensor<6xf32>, tensor<6x6xf32>, tensor<6xf32>, tensor<6x6xf32>, tensor<6xf32>) -> (tensor<2x5x6xf32>, tensor<2x2x7x6xf32>)
  return
}

// -----

func.func @wrong(%m: tensor<2x7x6xf32>, %x: tensor<2x5x6xf32>, %qw: tensor<6x6xf32>, %qb: tensor<6xf32>, %kw: tensor<6x6xf32>, %kb: tensor<6xf32>, %vw: tensor<6x6xf32>, %vb: tensor<6xf32>) {
  // expected-error@+1 {{expected weights to have shape [2, 2, 7, 6] ([B, H, K, 1 + S]), but got [2, 2, 7, 5]}}
  %0:2 = memformer.write %m, %x query(%qw, %qb) key(%kw, %kb) value(%vw, %vb) heads 2 temperature 0.25
    : (tensor<2x7x6xf32>, tensor<2x5x6xf32>, tensor<6x6xf32>, tensor<6xf32>, tensor<6x6xf32>, tensor<6xf32>, tensor<6x6xf32>, tensor<6xf32>) -> (tensor<2x7x6xf32>, tensor<2x2x7x5xf32>)
  return
}

// -----

func.func @wrong(%m: tensor<2x7x6xf32>, %x: tensor<2x5x6xf32>, %qw: tensor<6x6xf32>, %qb: tensor<6xf32>, %kw: tensor<6x6xf32>, %kb: tensor<6xf32>, %vw: tensor<6x6xf32>, %vb: tensor<6xf32>) {
  // expected-error@+1 {{expected heads to divide the width 6, but got 5}}
  %0:2 = memformer.write %m, %x query(%qw, %qb) key(%kw, %kb) value(%vw, %vb) heads 5 temperature 0.25
    : (tensor<2x7x6xf32>, tensor<2x5x6xf32>, tensor<6x6xf32>, tensor<6xf32>, tensor<6x6xf32>, tensor<6xf32>, tensor<6x6xf32>, tensor<6xf32>) -> (tensor<2x7x6xf32>, tensor<2x2x7x6xf32>)
  return
}

// -----

func.func @wrong(%m: tensor<2x7x6xf32>, %x: tensor<2x5x6xf32>, %qw: tensor<6x6xf32>, %qb: tensor<6xf32>, %kw: tensor<6x6xf32>, %kb: tensor<6xf32>, %vw: tensor<6x6xf32>, %vb: tensor<6xf32>) {
  // expected-error@+1 {{expected temperature to be a positive number, but got 0}}
  %0:2 = memformer.write %m, %x query(%qw, %qb) key(%kw, %kb) value(%vw, %vb) heads 2 temperature 0.0
    : (tensor<2x7x6xf32>, tensor<2x5x6xf32>, tensor<6x6xf32>, tensor<6xf32>, tensor<6x6xf32>, tensor<6xf32>, tensor<6x6xf32>, tensor<6xf32>) -> (tensor<2x7x6xf32>, tensor<2x2x7x6xf32>)
  return
}

// -----

func.func @wrong(%m: tensor<2x7x6xf32>, %x: tensor<2x5x6xf32>, %qw: tensor<6x6xf64>, %qb: tensor<6xf32>, %kw: tensor<6x6xf32>, %kb: tensor<6xf32>, %vw: tensor<6x6xf32>, %vb: tensor<6xf32>) {
  // expected-error@+1 {{expected one floating-point element type throughout}}
  %0:2 = memformer.write %m, %x query(%qw, %qb) key(%kw, %kb) value(%vw, %vb) heads 2 temperature 0.25
    : (tensor<2x7x6xf32>, tensor<2x5x6xf32>, tensor<6x6xf64>, tensor<6xf32>, tensor<6x6xf32>, tensor<6xf32>, tensor<6x6xf32>, tensor<6xf32>) -> (tensor<2x7x6xf32>, tensor<2x2x7x6xf32>)
  return
}

// -----

func.func @wrong(%m: tensor<2x7x6xf32>, %x: tensor<2x5x6xf32>, %w: tensor<6x6xf32>, %b: tensor<6xf32>) {
  // expected-error@+1 {{expected slot_value to have both weight and bias, but only the weight is there}}
  %0:2 = "memformer.write"(%m, %x, %w, %b, %w, %b, %w, %b, %w) <{heads = 2 : i64, temperature = 1.0 : f64, operandSegmentSizes = array<i32: 1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0>}>
    : (tensor<2x7x6xf32>, tensor<2x5x6xf32>, tensor<6x6xf32>, tensor<6xf32>, tensor<6x6xf32>, tensor<6xf32>, tensor<6x6xf32>, tensor<6xf32>, tensor<6x6xf32>) -> (tensor<2x7x6xf32>, tensor<2x2x7x6xf32>)
  return
}
