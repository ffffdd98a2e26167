// What the attention family rejects.
// RUN: memformer-opt %s -verify-diagnostics -split-input-file

func.func @wrong(%q: tensor<2x5x6xf32>, %k: tensor<2x7x6xf32>, %r: tensor<7x6xf32>) {
  // expected-error@+1 {{expected relative attention to be causal}}
  %0:2 = memformer.attention %q, %k, %k relative(%q, %r) heads 3 scale 0.5 : (tensor<2x5x6xf32>, tensor<2x7x6xf32>, tensor<2x7x6xf32>, tensor<2x5x6xf32>, tensor<7x6xf32>) -> (tensor<2x5x6xf32>, tensor<2x3x5xf32>)
  return
}

// -----

func.func @wrong(%q: tensor<2x5x6xf32>, %k: tensor<2x7x6xf32>, %r: tensor<5x6xf32>) {
  // expected-error@+1 {{expected relative_key to have shape [7, 6] ([Lk, d]: a row for each distance), but got [5, 6]}}
  %0:2 = memformer.attention %q, %k, %k relative(%q, %r) heads 3 scale 0.5 causal : (tensor<2x5x6xf32>, tensor<2x7x6xf32>, tensor<2x7x6xf32>, tensor<2x5x6xf32>, tensor<5x6xf32>) -> (tensor<2x5x6xf32>, tensor<2x3x5xf32>)
  return
}

// -----

func.func @wrong(%q: tensor<5x6xf32>, %k: tensor<2x7x6xf32>, %v: tensor<2x7x6xf32>) {
  // expected-error@+1 {{expected query to be [B, Lq, d], but got shape [5, 6]}}
  %0:2 = memformer.attention %q, %k, %v heads 3 scale 0.5 : (tensor<5x6xf32>, tensor<2x7x6xf32>, tensor<2x7x6xf32>) -> (tensor<2x5x6xf32>, tensor<2x3x5xf32>)
  return
}

// -----

func.func @wrong(%q: tensor<2x5x6xf32>, %k: tensor<7x6xf32>, %v: tensor<2x7x6xf32>) {
  // expected-error@+1 {{expected key to be [B, L, d], but got shape [7, 6]}}
  %0:2 = memformer.attention %q, %k, %v heads 3 scale 0.5 : (tensor<2x5x6xf32>, tensor<7x6xf32>, tensor<2x7x6xf32>) -> (tensor<2x5x6xf32>, tensor<2x3x5xf32>)
  return
}

// -----

func.func @wrong(%q: tensor<2x5x6xf32>, %k: tensor<1x7x6xf32>, %v: tensor<2x7x6xf32>) {
  // expected-error@+1 {{expected key to have shape [2, 7, 6] (batch and width those of the query), but got [1, 7, 6]}}
  %0:2 = memformer.attention %q, %k, %v heads 3 scale 0.5 : (tensor<2x5x6xf32>, tensor<1x7x6xf32>, tensor<2x7x6xf32>) -> (tensor<2x5x6xf32>, tensor<2x3x5xf32>)
  return
}

// -----

func.func @wrong(%q: tensor<2x5x6xf32>, %k: tensor<2x7x8xf32>, %v: tensor<2x7x6xf32>) {
  // expected-error@+1 {{expected key to have shape [2, 7, 6] (batch and width those of the query), but got [2, 7, 8]}}
  %0:2 = memformer.attention %q, %k, %v heads 3 scale 0.5 : (tensor<2x5x6xf32>, tensor<2x7x8xf32>, tensor<2x7x6xf32>) -> (tensor<2x5x6xf32>, tensor<2x3x5xf32>)
  return
}

// -----

func.func @wrong(%q: tensor<2x5x6xf32>, %k: tensor<2x7x6xf32>, %v: tensor<2x5x6xf32>) {
  // expected-error@+1 {{expected value to have shape [2, 7, 6] (that of the key), but got [2, 5, 6]}}
  %0:2 = memformer.attention %q, %k, %v heads 3 scale 0.5 : (tensor<2x5x6xf32>, tensor<2x7x6xf32>, tensor<2x5x6xf32>) -> (tensor<2x5x6xf32>, tensor<2x3x5xf32>)
  return
}

// -----

func.func @wrong(%q: tensor<2x5x6xf32>, %k: tensor<2x7x6xf32>, %v: tensor<2x7x6xf32>) {
  // expected-error@+1 {{expected heads to divide the width 6, but got 4}}
  %0:2 = memformer.attention %q, %k, %v heads 4 scale 0.5 : (tensor<2x5x6xf32>, tensor<2x7x6xf32>, tensor<2x7x6xf32>) -> (tensor<2x5x6xf32>, tensor<2x3x5xf32>)
  return
}

// -----

func.func @wrong(%q: tensor<2x5x6xf32>, %k: tensor<2x7x6xf32>, %v: tensor<2x7x6xf32>) {
  // expected-error@+1 {{expected heads to divide the width 6, but got 0}}
  %0:2 = memformer.attention %q, %k, %v heads 0 scale 0.5 : (tensor<2x5x6xf32>, tensor<2x7x6xf32>, tensor<2x7x6xf32>) -> (tensor<2x5x6xf32>, tensor<2x3x5xf32>)
  return
}

// -----

func.func @wrong(%q: tensor<2x5x6xf32>, %k: tensor<2x7x6xf32>, %v: tensor<2x7x6xf32>) {
  // expected-error@+1 {{expected heads to divide the width 6, but got -3}}
  %0:2 = memformer.attention %q, %k, %v heads -3 scale 0.5 : (tensor<2x5x6xf32>, tensor<2x7x6xf32>, tensor<2x7x6xf32>) -> (tensor<2x5x6xf32>, tensor<2x3x5xf32>)
  return
}

// -----

func.func @wrong(%q: tensor<2x5x6xf32>, %k: tensor<2x7x6xf32>, %v: tensor<2x7x6xf32>) {
  // expected-error@+1 {{expected scale to be a positive number, but got 0}}
  %0:2 = memformer.attention %q, %k, %v heads 3 scale 0.0 : (tensor<2x5x6xf32>, tensor<2x7x6xf32>, tensor<2x7x6xf32>) -> (tensor<2x5x6xf32>, tensor<2x3x5xf32>)
  return
}

// -----

func.func @wrong(%q: tensor<2x5x6xf32>, %k: tensor<2x7x6xf32>, %v: tensor<2x7x6xf32>) {
  // expected-error@+1 {{expected scale to be a positive number, but got +Inf}}
  %0:2 = memformer.attention %q, %k, %v heads 3 scale 0x7FF0000000000000 : (tensor<2x5x6xf32>, tensor<2x7x6xf32>, tensor<2x7x6xf32>) -> (tensor<2x5x6xf32>, tensor<2x3x5xf32>)
  return
}

// -----

func.func @wrong(%q: tensor<2x5x6xf32>, %k: tensor<2x3x6xf32>, %v: tensor<2x3x6xf32>) {
  // expected-error@+1 {{expected at least as many keys as queries in causal attention, but got 3 keys and 5 queries}}
  %0:2 = memformer.attention %q, %k, %v heads 3 scale 0.5 causal : (tensor<2x5x6xf32>, tensor<2x3x6xf32>, tensor<2x3x6xf32>) -> (tensor<2x5x6xf32>, tensor<2x3x5xf32>)
  return
}

// -----

func.func @wrong(%q: tensor<2x5x6xf32>, %k: tensor<2x7x6xf32>, %v: tensor<2x7x6xf32>) {
  // expected-error@+1 {{expected lse to have shape [2, 3, 5] ([B, H, Lq]), but got [2, 5, 3]}}
  %0:2 = memformer.attention %q, %k, %v heads 3 scale 0.5 : (tensor<2x5x6xf32>, tensor<2x7x6xf32>, tensor<2x7x6xf32>) -> (tensor<2x5x6xf32>, tensor<2x5x3xf32>)
  return
}

// -----

func.func @wrong(%q: tensor<2x5x6xf32>, %k: tensor<2x7x6xf32>, %v: tensor<2x7x6xf32>) {
  // expected-error@+1 {{expected result to have shape [2, 5, 6] (that of the query), but got [2, 7, 6]}}
  %0:2 = memformer.attention %q, %k, %v heads 3 scale 0.5 : (tensor<2x5x6xf32>, tensor<2x7x6xf32>, tensor<2x7x6xf32>) -> (tensor<2x7x6xf32>, tensor<2x3x5xf32>)
  return
}

// -----

func.func @wrong(%q: tensor<2x5x6xf32>, %k: tensor<2x7x6xf32>, %v: tensor<2x7x6xf64>) {
  // expected-error@+1 {{expected one floating-point element type throughout, but operand #2 has 'f64' where others have 'f32'}}
  %0:2 = memformer.attention %q, %k, %v heads 3 scale 0.5 : (tensor<2x5x6xf32>, tensor<2x7x6xf32>, tensor<2x7x6xf64>) -> (tensor<2x5x6xf32>, tensor<2x3x5xf32>)
  return
}

// -----

func.func @wrong(%q: tensor<2x5x6xf32>, %k: tensor<2x7x6xf32>, %v: tensor<2x7x6xf32>, %key: tensor<2xi32>) {
  // expected-error@+1 {{expected probability to be in [0, 1), but got 1.5}}
  %0:2 = memformer.attention %q, %k, %v dropout(%key probability 1.5 stream 0) heads 3 scale 0.5 : (tensor<2x5x6xf32>, tensor<2x7x6xf32>, tensor<2x7x6xf32>, tensor<2xi32>) -> (tensor<2x5x6xf32>, tensor<2x3x5xf32>)
  return
}

// -----

func.func @wrong(%q: tensor<2x5x6xf32>, %k: tensor<2x7x6xf32>, %v: tensor<2x7x6xf32>, %key: tensor<4xi32>) {
  // expected-error@+1 {{expected dropout key to have shape [2], but got [4]}}
  %0:2 = memformer.attention %q, %k, %v dropout(%key probability 0.5 stream 0) heads 3 scale 0.5 : (tensor<2x5x6xf32>, tensor<2x7x6xf32>, tensor<2x7x6xf32>, tensor<4xi32>) -> (tensor<2x5x6xf32>, tensor<2x3x5xf32>)
  return
}

// -----

func.func @wrong(%q: tensor<2x5x6xf32>, %k: tensor<2x7x6xf32>, %v: tensor<2x7x6xf32>) {
  // expected-error@+1 {{expected a dropout key where probability is 0.1}}
  %0:2 = memformer.attention %q, %k, %v heads 3 scale 0.5 {probability = 0.1} : (tensor<2x5x6xf32>, tensor<2x7x6xf32>, tensor<2x7x6xf32>) -> (tensor<2x5x6xf32>, tensor<2x3x5xf32>)
  return
}

// -----

func.func @wrong(%g: tensor<2x7x6xf32>, %q: tensor<2x5x6xf32>, %k: tensor<2x7x6xf32>, %v: tensor<2x7x6xf32>, %o: tensor<2x5x6xf32>, %l: tensor<2x3x5xf32>) {
  // expected-error@+1 {{expected gradient to have shape [2, 5, 6] (that of the query), but got [2, 7, 6]}}
  %0:3 = memformer.attention_gradient %g, %q, %k, %v, %o, %l heads 3 scale 0.5 : (tensor<2x7x6xf32>, tensor<2x5x6xf32>, tensor<2x7x6xf32>, tensor<2x7x6xf32>, tensor<2x5x6xf32>, tensor<2x3x5xf32>) -> (tensor<2x5x6xf32>, tensor<2x7x6xf32>, tensor<2x7x6xf32>)
  return
}

// -----

func.func @wrong(%g: tensor<2x5x6xf32>, %q: tensor<5x6xf32>, %k: tensor<2x7x6xf32>, %v: tensor<2x7x6xf32>, %o: tensor<2x5x6xf32>, %l: tensor<2x3x5xf32>) {
  // expected-error@+1 {{expected query to be [B, Lq, d], but got shape [5, 6]}}
  %0:3 = memformer.attention_gradient %g, %q, %k, %v, %o, %l heads 3 scale 0.5 : (tensor<2x5x6xf32>, tensor<5x6xf32>, tensor<2x7x6xf32>, tensor<2x7x6xf32>, tensor<2x5x6xf32>, tensor<2x3x5xf32>) -> (tensor<2x5x6xf32>, tensor<2x7x6xf32>, tensor<2x7x6xf32>)
  return
}

// -----

func.func @wrong(%g: tensor<2x5x6xf32>, %q: tensor<2x5x6xf32>, %k: tensor<1x7x6xf32>, %v: tensor<2x7x6xf32>, %o: tensor<2x5x6xf32>, %l: tensor<2x3x5xf32>) {
  // expected-error@+1 {{expected key to have shape [2, 7, 6] (batch and width those of the query), but got [1, 7, 6]}}
  %0:3 = memformer.attention_gradient %g, %q, %k, %v, %o, %l heads 3 scale 0.5 : (tensor<2x5x6xf32>, tensor<2x5x6xf32>, tensor<1x7x6xf32>, tensor<2x7x6xf32>, tensor<2x5x6xf32>, tensor<2x3x5xf32>) -> (tensor<2x5x6xf32>, tensor<2x7x6xf32>, tensor<2x7x6xf32>)
  return
}

// -----

func.func @wrong(%g: tensor<2x5x6xf32>, %q: tensor<2x5x6xf32>, %k: tensor<2x7x6xf32>, %v: tensor<2x5x6xf32>, %o: tensor<2x5x6xf32>, %l: tensor<2x3x5xf32>) {
  // expected-error@+1 {{expected value to have shape [2, 7, 6] (that of the key), but got [2, 5, 6]}}
  %0:3 = memformer.attention_gradient %g, %q, %k, %v, %o, %l heads 3 scale 0.5 : (tensor<2x5x6xf32>, tensor<2x5x6xf32>, tensor<2x7x6xf32>, tensor<2x5x6xf32>, tensor<2x5x6xf32>, tensor<2x3x5xf32>) -> (tensor<2x5x6xf32>, tensor<2x7x6xf32>, tensor<2x7x6xf32>)
  return
}

// -----

func.func @wrong(%g: tensor<2x5x6xf32>, %q: tensor<2x5x6xf32>, %k: tensor<2x7x6xf32>, %v: tensor<2x7x6xf32>, %o: tensor<2x7x6xf32>, %l: tensor<2x3x5xf32>) {
  // expected-error@+1 {{expected result_value to have shape [2, 5, 6] (that of the query), but got [2, 7, 6]}}
  %0:3 = memformer.attention_gradient %g, %q, %k, %v, %o, %l heads 3 scale 0.5 : (tensor<2x5x6xf32>, tensor<2x5x6xf32>, tensor<2x7x6xf32>, tensor<2x7x6xf32>, tensor<2x7x6xf32>, tensor<2x3x5xf32>) -> (tensor<2x5x6xf32>, tensor<2x7x6xf32>, tensor<2x7x6xf32>)
  return
}

// -----

func.func @wrong(%g: tensor<2x5x6xf32>, %q: tensor<2x5x6xf32>, %k: tensor<2x7x6xf32>, %v: tensor<2x7x6xf32>, %o: tensor<2x5x6xf32>, %l: tensor<2x5xf32>) {
  // expected-error@+1 {{expected lse to have shape [2, 3, 5] ([B, H, Lq]), but got [2, 5]}}
  %0:3 = memformer.attention_gradient %g, %q, %k, %v, %o, %l heads 3 scale 0.5 : (tensor<2x5x6xf32>, tensor<2x5x6xf32>, tensor<2x7x6xf32>, tensor<2x7x6xf32>, tensor<2x5x6xf32>, tensor<2x5xf32>) -> (tensor<2x5x6xf32>, tensor<2x7x6xf32>, tensor<2x7x6xf32>)
  return
}

// -----

func.func @wrong(%g: tensor<2x5x6xf32>, %q: tensor<2x5x6xf32>, %k: tensor<2x7x6xf32>, %v: tensor<2x7x6xf32>, %o: tensor<2x5x6xf32>, %l: tensor<2x3x5xf32>) {
  // expected-error@+1 {{expected query_gradient to have shape [2, 5, 6] (that of the query), but got [2, 7, 6]}}
  %0:3 = memformer.attention_gradient %g, %q, %k, %v, %o, %l heads 3 scale 0.5 : (tensor<2x5x6xf32>, tensor<2x5x6xf32>, tensor<2x7x6xf32>, tensor<2x7x6xf32>, tensor<2x5x6xf32>, tensor<2x3x5xf32>) -> (tensor<2x7x6xf32>, tensor<2x7x6xf32>, tensor<2x7x6xf32>)
  return
}

// -----

func.func @wrong(%g: tensor<2x5x6xf32>, %q: tensor<2x5x6xf32>, %k: tensor<2x7x6xf32>, %v: tensor<2x7x6xf32>, %o: tensor<2x5x6xf32>, %l: tensor<2x3x5xf32>) {
  // expected-error@+1 {{expected key_gradient to have shape [2, 7, 6] (that of the key), but got [2, 5, 6]}}
  %0:3 = memformer.attention_gradient %g, %q, %k, %v, %o, %l heads 3 scale 0.5 : (tensor<2x5x6xf32>, tensor<2x5x6xf32>, tensor<2x7x6xf32>, tensor<2x7x6xf32>, tensor<2x5x6xf32>, tensor<2x3x5xf32>) -> (tensor<2x5x6xf32>, tensor<2x5x6xf32>, tensor<2x7x6xf32>)
  return
}

// -----

func.func @wrong(%g: tensor<2x5x6xf32>, %q: tensor<2x5x6xf32>, %k: tensor<2x7x6xf32>, %v: tensor<2x7x6xf32>, %o: tensor<2x5x6xf32>, %l: tensor<2x3x5xf32>) {
  // expected-error@+1 {{expected value_gradient to have shape [2, 7, 6] (that of the value), but got [2, 5, 6]}}
  %0:3 = memformer.attention_gradient %g, %q, %k, %v, %o, %l heads 3 scale 0.5 : (tensor<2x5x6xf32>, tensor<2x5x6xf32>, tensor<2x7x6xf32>, tensor<2x7x6xf32>, tensor<2x5x6xf32>, tensor<2x3x5xf32>) -> (tensor<2x5x6xf32>, tensor<2x7x6xf32>, tensor<2x5x6xf32>)
  return
}

// -----

func.func @wrong(%g: tensor<2x5x6xf32>, %q: tensor<2x5x6xf32>, %k: tensor<2x7x6xf32>, %v: tensor<2x7x6xf32>, %o: tensor<2x5x6xf32>, %l: tensor<2x3x5xf32>) {
  // expected-error@+1 {{expected heads to divide the width 6, but got 5}}
  %0:3 = memformer.attention_gradient %g, %q, %k, %v, %o, %l heads 5 scale 0.5 : (tensor<2x5x6xf32>, tensor<2x5x6xf32>, tensor<2x7x6xf32>, tensor<2x7x6xf32>, tensor<2x5x6xf32>, tensor<2x3x5xf32>) -> (tensor<2x5x6xf32>, tensor<2x7x6xf32>, tensor<2x7x6xf32>)
  return
}

// -----

func.func @wrong(%g: tensor<2x5x6xf32>, %q: tensor<2x5x6xf32>, %k: tensor<2x3x6xf32>, %v: tensor<2x3x6xf32>, %o: tensor<2x5x6xf32>, %l: tensor<2x3x5xf32>) {
  // expected-error@+1 {{expected at least as many keys as queries in causal attention}}
  %0:3 = memformer.attention_gradient %g, %q, %k, %v, %o, %l heads 3 scale 0.5 causal : (tensor<2x5x6xf32>, tensor<2x5x6xf32>, tensor<2x3x6xf32>, tensor<2x3x6xf32>, tensor<2x5x6xf32>, tensor<2x3x5xf32>) -> (tensor<2x5x6xf32>, tensor<2x3x6xf32>, tensor<2x3x6xf32>)
  return
}

// -----

func.func @wrong(%g: tensor<2x5x6xf32>, %q: tensor<2x5x6xf32>, %k: tensor<2x7x6xf32>, %v: tensor<2x7x6xf32>, %o: tensor<2x5x6xf32>, %l: tensor<2x3x5xf32>) {
  // expected-error@+1 {{expected a dropout key where probability is 0.1}}
  %0:3 = memformer.attention_gradient %g, %q, %k, %v, %o, %l heads 3 scale 0.5 {probability = 0.1} : (tensor<2x5x6xf32>, tensor<2x5x6xf32>, tensor<2x7x6xf32>, tensor<2x7x6xf32>, tensor<2x5x6xf32>, tensor<2x3x5xf32>) -> (tensor<2x5x6xf32>, tensor<2x7x6xf32>, tensor<2x7x6xf32>)
  return
}

// -----

func.func @wrong(%g: tensor<2x5x6xf64>, %q: tensor<2x5x6xf32>, %k: tensor<2x7x6xf32>, %v: tensor<2x7x6xf32>, %o: tensor<2x5x6xf32>, %l: tensor<2x3x5xf32>) {
  // expected-error@+1 {{expected one floating-point element type throughout}}
  %0:3 = memformer.attention_gradient %g, %q, %k, %v, %o, %l heads 3 scale 0.5 : (tensor<2x5x6xf64>, tensor<2x5x6xf32>, tensor<2x7x6xf32>, tensor<2x7x6xf32>, tensor<2x5x6xf32>, tensor<2x3x5xf32>) -> (tensor<2x5x6xf32>, tensor<2x7x6xf32>, tensor<2x7x6xf32>)
  return
}

// -----

func.func @wrong(%q: tensor<6xf32>, %sk: tensor<2x5x6xf32>, %sv: tensor<2x5x6xf32>, %k: tensor<2x7x6xf32>, %v: tensor<2x7x6xf32>) {
  // expected-error@+1 {{expected query to be [B, Lq, d], but got shape [6]}}
  %0:2 = memformer.slot_attention %q self(%sk, %sv), %k, %v heads 3 scale 0.5 : (tensor<6xf32>, tensor<2x5x6xf32>, tensor<2x5x6xf32>, tensor<2x7x6xf32>, tensor<2x7x6xf32>) -> (tensor<2x5x6xf32>, tensor<2x3x5xf32>)
  return
}

// -----

func.func @wrong(%q: tensor<2x5x6xf32>, %sk: tensor<2x7x6xf32>, %sv: tensor<2x5x6xf32>, %k: tensor<2x7x6xf32>, %v: tensor<2x7x6xf32>) {
  // expected-error@+1 {{expected self_key to have shape [2, 5, 6] (that of the query), but got [2, 7, 6]}}
  %0:2 = memformer.slot_attention %q self(%sk, %sv), %k, %v heads 3 scale 0.5 : (tensor<2x5x6xf32>, tensor<2x7x6xf32>, tensor<2x5x6xf32>, tensor<2x7x6xf32>, tensor<2x7x6xf32>) -> (tensor<2x5x6xf32>, tensor<2x3x5xf32>)
  return
}

// -----

func.func @wrong(%q: tensor<2x5x6xf32>, %sk: tensor<2x5x6xf32>, %sv: tensor<2x7x6xf32>, %k: tensor<2x7x6xf32>, %v: tensor<2x7x6xf32>) {
  // expected-error@+1 {{expected self_value to have shape [2, 5, 6] (that of the query), but got [2, 7, 6]}}
  %0:2 = memformer.slot_attention %q self(%sk, %sv), %k, %v heads 3 scale 0.5 : (tensor<2x5x6xf32>, tensor<2x5x6xf32>, tensor<2x7x6xf32>, tensor<2x7x6xf32>, tensor<2x7x6xf32>) -> (tensor<2x5x6xf32>, tensor<2x3x5xf32>)
  return
}

// -----

func.func @wrong(%q: tensor<2x5x6xf32>, %sk: tensor<2x5x6xf32>, %sv: tensor<2x5x6xf32>, %k: tensor<3x7x6xf32>, %v: tensor<2x7x6xf32>) {
  // expected-error@+1 {{expected key to have shape [2, 7, 6] (batch and width those of the query), but got [3, 7, 6]}}
  %0:2 = memformer.slot_attention %q self(%sk, %sv), %k, %v heads 3 scale 0.5 : (tensor<2x5x6xf32>, tensor<2x5x6xf32>, tensor<2x5x6xf32>, tensor<3x7x6xf32>, tensor<2x7x6xf32>) -> (tensor<2x5x6xf32>, tensor<2x3x5xf32>)
  return
}

// -----

func.func @wrong(%q: tensor<2x5x6xf32>, %sk: tensor<2x5x6xf32>, %sv: tensor<2x5x6xf32>, %k: tensor<2x7x6xf32>, %v: tensor<2x5x6xf32>) {
  // expected-error@+1 {{expected value to have shape [2, 7, 6] (that of the key), but got [2, 5, 6]}}
  %0:2 = memformer.slot_attention %q self(%sk, %sv), %k, %v heads 3 scale 0.5 : (tensor<2x5x6xf32>, tensor<2x5x6xf32>, tensor<2x5x6xf32>, tensor<2x7x6xf32>, tensor<2x5x6xf32>) -> (tensor<2x5x6xf32>, tensor<2x3x5xf32>)
  return
}

// -----

func.func @wrong(%q: tensor<2x5x6xf32>, %sk: tensor<2x5x6xf32>, %sv: tensor<2x5x6xf32>, %k: tensor<2x7x6xf32>, %v: tensor<2x7x6xf32>) {
  // expected-error@+1 {{expected result to have shape [2, 5, 6] (that of the query), but got [2, 7, 6]}}
  %0:2 = memformer.slot_attention %q self(%sk, %sv), %k, %v heads 3 scale 0.5 : (tensor<2x5x6xf32>, tensor<2x5x6xf32>, tensor<2x5x6xf32>, tensor<2x7x6xf32>, tensor<2x7x6xf32>) -> (tensor<2x7x6xf32>, tensor<2x3x5xf32>)
  return
}

// -----

func.func @wrong(%q: tensor<2x5x6xf32>, %sk: tensor<2x5x6xf32>, %sv: tensor<2x5x6xf32>, %k: tensor<2x7x6xf32>, %v: tensor<2x7x6xf32>) {
  // expected-error@+1 {{expected lse to have shape [2, 3, 5] ([B, H, Lq]), but got [2, 5, 6]}}
  %0:2 = memformer.slot_attention %q self(%sk, %sv), %k, %v heads 3 scale 0.5 : (tensor<2x5x6xf32>, tensor<2x5x6xf32>, tensor<2x5x6xf32>, tensor<2x7x6xf32>, tensor<2x7x6xf32>) -> (tensor<2x5x6xf32>, tensor<2x5x6xf32>)
  return
}

// -----

func.func @wrong(%q: tensor<2x5x6xf32>, %sk: tensor<2x5x6xf32>, %sv: tensor<2x5x6xf32>, %k: tensor<2x7x6xf32>, %v: tensor<2x7x6xf32>) {
  // expected-error@+1 {{expected heads to divide the width 6, but got 4}}
  %0:2 = memformer.slot_attention %q self(%sk, %sv), %k, %v heads 4 scale 0.5 : (tensor<2x5x6xf32>, tensor<2x5x6xf32>, tensor<2x5x6xf32>, tensor<2x7x6xf32>, tensor<2x7x6xf32>) -> (tensor<2x5x6xf32>, tensor<2x3x5xf32>)
  return
}

// -----

func.func @wrong(%q: tensor<2x5x6xf32>, %sk: tensor<2x5x6xf32>, %sv: tensor<2x5x6xf32>, %k: tensor<2x7x6xf32>, %v: tensor<2x7x6xf32>) {
  // expected-error@+1 {{expected scale to be a positive number, but got -1}}
  %0:2 = memformer.slot_attention %q self(%sk, %sv), %k, %v heads 3 scale -1.0 : (tensor<2x5x6xf32>, tensor<2x5x6xf32>, tensor<2x5x6xf32>, tensor<2x7x6xf32>, tensor<2x7x6xf32>) -> (tensor<2x5x6xf32>, tensor<2x3x5xf32>)
  return
}

// -----

func.func @wrong(%q: tensor<2x5x6xf32>, %sk: tensor<2x5x6xf32>, %sv: tensor<2x5x6xf32>, %k: tensor<2x7x6xf32>, %v: tensor<2x7x6xf64>) {
  // expected-error@+1 {{expected one floating-point element type throughout}}
  %0:2 = memformer.slot_attention %q self(%sk, %sv), %k, %v heads 3 scale 0.5 : (tensor<2x5x6xf32>, tensor<2x5x6xf32>, tensor<2x5x6xf32>, tensor<2x7x6xf32>, tensor<2x7x6xf64>) -> (tensor<2x5x6xf32>, tensor<2x3x5xf32>)
  return
}

// -----

func.func @wrong(%g: tensor<2x7x6xf32>, %q: tensor<2x5x6xf32>, %sk: tensor<2x5x6xf32>, %sv: tensor<2x5x6xf32>, %k: tensor<2x7x6xf32>, %v: tensor<2x7x6xf32>, %o: tensor<2x5x6xf32>, %l: tensor<2x3x5xf32>) {
  // expected-error@+1 {{expected gradient to have shape [2, 5, 6] (that of the query), but got [2, 7, 6]}}
  %0:5 = memformer.slot_attention_gradient %g, %q self(%sk, %sv), %k, %v, %o, %l heads 3 scale 0.5 : (tensor<2x7x6xf32>, tensor<2x5x6xf32>, tensor<2x5x6xf32>, tensor<2x5x6xf32>, tensor<2x7x6xf32>, tensor<2x7x6xf32>, tensor<2x5x6xf32>, tensor<2x3x5xf32>) -> (tensor<2x5x6xf32>, tensor<2x5x6xf32>, tensor<2x5x6xf32>, tensor<2x7x6xf32>, tensor<2x7x6xf32>)
  return
}

// -----

func.func @wrong(%g: tensor<2x5x6xf32>, %q: tensor<2x5x6xf32>, %sk: tensor<2x7x6xf32>, %sv: tensor<2x5x6xf32>, %k: tensor<2x7x6xf32>, %v: tensor<2x7x6xf32>, %o: tensor<2x5x6xf32>, %l: tensor<2x3x5xf32>) {
  // expected-error@+1 {{expected self_key to have shape [2, 5, 6] (that of the query), but got [2, 7, 6]}}
  %0:5 = memformer.slot_attention_gradient %g, %q self(%sk, %sv), %k, %v, %o, %l heads 3 scale 0.5 : (tensor<2x5x6xf32>, tensor<2x5x6xf32>, tensor<2x7x6xf32>, tensor<2x5x6xf32>, tensor<2x7x6xf32>, tensor<2x7x6xf32>, tensor<2x5x6xf32>, tensor<2x3x5xf32>) -> (tensor<2x5x6xf32>, tensor<2x5x6xf32>, tensor<2x5x6xf32>, tensor<2x7x6xf32>, tensor<2x7x6xf32>)
  return
}

// -----

func.func @wrong(%g: tensor<2x5x6xf32>, %q: tensor<2x5x6xf32>, %sk: tensor<2x5x6xf32>, %sv: tensor<2x7x6xf32>, %k: tensor<2x7x6xf32>, %v: tensor<2x7x6xf32>, %o: tensor<2x5x6xf32>, %l: tensor<2x3x5xf32>) {
  // expected-error@+1 {{expected self_value to have shape [2, 5, 6] (that of the query), but got [2, 7, 6]}}
  %0:5 = memformer.slot_attention_gradient %g, %q self(%sk, %sv), %k, %v, %o, %l heads 3 scale 0.5 : (tensor<2x5x6xf32>, tensor<2x5x6xf32>, tensor<2x5x6xf32>, tensor<2x7x6xf32>, tensor<2x7x6xf32>, tensor<2x7x6xf32>, tensor<2x5x6xf32>, tensor<2x3x5xf32>) -> (tensor<2x5x6xf32>, tensor<2x5x6xf32>, tensor<2x5x6xf32>, tensor<2x7x6xf32>, tensor<2x7x6xf32>)
  return
}

// -----

func.func @wrong(%g: tensor<2x5x6xf32>, %q: tensor<2x5x6xf32>, %sk: tensor<2x5x6xf32>, %sv: tensor<2x5x6xf32>, %k: tensor<2x7x6xf32>, %v: tensor<2x7x6xf32>, %o: tensor<2x7x6xf32>, %l: tensor<2x3x5xf32>) {
  // expected-error@+1 {{expected result_value to have shape [2, 5, 6] (that of the query), but got [2, 7, 6]}}
  %0:5 = memformer.slot_attention_gradient %g, %q self(%sk, %sv), %k, %v, %o, %l heads 3 scale 0.5 : (tensor<2x5x6xf32>, tensor<2x5x6xf32>, tensor<2x5x6xf32>, tensor<2x5x6xf32>, tensor<2x7x6xf32>, tensor<2x7x6xf32>, tensor<2x7x6xf32>, tensor<2x3x5xf32>) -> (tensor<2x5x6xf32>, tensor<2x5x6xf32>, tensor<2x5x6xf32>, tensor<2x7x6xf32>, tensor<2x7x6xf32>)
  return
}

// -----

func.func @wrong(%g: tensor<2x5x6xf32>, %q: tensor<6xf32>, %sk: tensor<2x5x6xf32>, %sv: tensor<2x5x6xf32>, %k: tensor<2x7x6xf32>, %v: tensor<2x7x6xf32>, %o: tensor<2x5x6xf32>, %l: tensor<2x3x5xf32>) {
  // expected-error@+1 {{expected query to be [B, Lq, d], but got shape [6]}}
  %0:5 = memformer.slot_attention_gradient %g, %q self(%sk, %sv), %k, %v, %o, %l heads 3 scale 0.5 : (tensor<2x5x6xf32>, tensor<6xf32>, tensor<2x5x6xf32>, tensor<2x5x6xf32>, tensor<2x7x6xf32>, tensor<2x7x6xf32>, tensor<2x5x6xf32>, tensor<2x3x5xf32>) -> (tensor<2x5x6xf32>, tensor<2x5x6xf32>, tensor<2x5x6xf32>, tensor<2x7x6xf32>, tensor<2x7x6xf32>)
  return
}

// -----

func.func @wrong(%g: tensor<2x5x6xf32>, %q: tensor<2x5x6xf32>, %sk: tensor<2x5x6xf32>, %sv: tensor<2x5x6xf32>, %k: tensor<6xf32>, %v: tensor<2x7x6xf32>, %o: tensor<2x5x6xf32>, %l: tensor<2x3x5xf32>) {
  // expected-error@+1 {{expected key to be [B, L, d], but got shape [6]}}
  %0:5 = memformer.slot_attention_gradient %g, %q self(%sk, %sv), %k, %v, %o, %l heads 3 scale 0.5 : (tensor<2x5x6xf32>, tensor<2x5x6xf32>, tensor<2x5x6xf32>, tensor<2x5x6xf32>, tensor<6xf32>, tensor<2x7x6xf32>, tensor<2x5x6xf32>, tensor<2x3x5xf32>) -> (tensor<2x5x6xf32>, tensor<2x5x6xf32>, tensor<2x5x6xf32>, tensor<2x7x6xf32>, tensor<2x7x6xf32>)
  return
}

// -----

func.func @wrong(%g: tensor<2x5x6xf32>, %q: tensor<2x5x6xf32>, %sk: tensor<2x5x6xf32>, %sv: tensor<2x5x6xf32>, %k: tensor<2x7x6xf32>, %v: tensor<2x5x6xf32>, %o: tensor<2x5x6xf32>, %l: tensor<2x3x5xf32>) {
  // expected-error@+1 {{expected value to have shape [2, 7, 6] (that of the key), but got [2, 5, 6]}}
  %0:5 = memformer.slot_attention_gradient %g, %q self(%sk, %sv), %k, %v, %o, %l heads 3 scale 0.5 : (tensor<2x5x6xf32>, tensor<2x5x6xf32>, tensor<2x5x6xf32>, tensor<2x5x6xf32>, tensor<2x7x6xf32>, tensor<2x5x6xf32>, tensor<2x5x6xf32>, tensor<2x3x5xf32>) -> (tensor<2x5x6xf32>, tensor<2x5x6xf32>, tensor<2x5x6xf32>, tensor<2x7x6xf32>, tensor<2x7x6xf32>)
  return
}

// -----

func.func @wrong(%g: tensor<2x5x6xf32>, %q: tensor<2x5x6xf32>, %sk: tensor<2x5x6xf32>, %sv: tensor<2x5x6xf32>, %k: tensor<2x7x6xf32>, %v: tensor<2x7x6xf32>, %o: tensor<2x5x6xf32>, %l: tensor<2x5x6xf32>) {
  // expected-error@+1 {{expected lse to have shape [2, 3, 5] ([B, H, Lq]), but got [2, 5, 6]}}
  %0:5 = memformer.slot_attention_gradient %g, %q self(%sk, %sv), %k, %v, %o, %l heads 3 scale 0.5 : (tensor<2x5x6xf32>, tensor<2x5x6xf32>, tensor<2x5x6xf32>, tensor<2x5x6xf32>, tensor<2x7x6xf32>, tensor<2x7x6xf32>, tensor<2x5x6xf32>, tensor<2x5x6xf32>) -> (tensor<2x5x6xf32>, tensor<2x5x6xf32>, tensor<2x5x6xf32>, tensor<2x7x6xf32>, tensor<2x7x6xf32>)
  return
}

// -----

func.func @wrong(%g: tensor<2x5x6xf32>, %q: tensor<2x5x6xf32>, %sk: tensor<2x5x6xf32>, %sv: tensor<2x5x6xf32>, %k: tensor<2x7x6xf32>, %v: tensor<2x7x6xf32>, %o: tensor<2x5x6xf32>, %l: tensor<2x3x5xf32>) {
  // expected-error@+1 {{expected query_gradient to have shape [2, 5, 6] (that of the query), but got [2, 7, 6]}}
  %0:5 = memformer.slot_attention_gradient %g, %q self(%sk, %sv), %k, %v, %o, %l heads 3 scale 0.5 : (tensor<2x5x6xf32>, tensor<2x5x6xf32>, tensor<2x5x6xf32>, tensor<2x5x6xf32>, tensor<2x7x6xf32>, tensor<2x7x6xf32>, tensor<2x5x6xf32>, tensor<2x3x5xf32>) -> (tensor<2x7x6xf32>, tensor<2x5x6xf32>, tensor<2x5x6xf32>, tensor<2x7x6xf32>, tensor<2x7x6xf32>)
  return
}

// -----

func.func @wrong(%g: tensor<2x5x6xf32>, %q: tensor<2x5x6xf32>, %sk: tensor<2x5x6xf32>, %sv: tensor<2x5x6xf32>, %k: tensor<2x7x6xf32>, %v: tensor<2x7x6xf32>, %o: tensor<2x5x6xf32>, %l: tensor<2x3x5xf32>) {
  // expected-error@+1 {{expected self_key_gradient to have shape [2, 5, 6] (that of the query), but got [2, 7, 6]}}
  %0:5 = memformer.slot_attention_gradient %g, %q self(%sk, %sv), %k, %v, %o, %l heads 3 scale 0.5 : (tensor<2x5x6xf32>, tensor<2x5x6xf32>, tensor<2x5x6xf32>, tensor<2x5x6xf32>, tensor<2x7x6xf32>, tensor<2x7x6xf32>, tensor<2x5x6xf32>, tensor<2x3x5xf32>) -> (tensor<2x5x6xf32>, tensor<2x7x6xf32>, tensor<2x5x6xf32>, tensor<2x7x6xf32>, tensor<2x7x6xf32>)
  return
}

// -----

func.func @wrong(%g: tensor<2x5x6xf32>, %q: tensor<2x5x6xf32>, %sk: tensor<2x5x6xf32>, %sv: tensor<2x5x6xf32>, %k: tensor<2x7x6xf32>, %v: tensor<2x7x6xf32>, %o: tensor<2x5x6xf32>, %l: tensor<2x3x5xf32>) {
  // expected-error@+1 {{expected self_value_gradient to have shape [2, 5, 6] (that of the query), but got [2, 7, 6]}}
  %0:5 = memformer.slot_attention_gradient %g, %q self(%sk, %sv), %k, %v, %o, %l heads 3 scale 0.5 : (tensor<2x5x6xf32>, tensor<2x5x6xf32>, tensor<2x5x6xf32>, tensor<2x5x6xf32>, tensor<2x7x6xf32>, tensor<2x7x6xf32>, tensor<2x5x6xf32>, tensor<2x3x5xf32>) -> (tensor<2x5x6xf32>, tensor<2x5x6xf32>, tensor<2x7x6xf32>, tensor<2x7x6xf32>, tensor<2x7x6xf32>)
  return
}

// -----

func.func @wrong(%g: tensor<2x5x6xf32>, %q: tensor<2x5x6xf32>, %sk: tensor<2x5x6xf32>, %sv: tensor<2x5x6xf32>, %k: tensor<2x7x6xf32>, %v: tensor<2x7x6xf32>, %o: tensor<2x5x6xf32>, %l: tensor<2x3x5xf32>) {
  // expected-error@+1 {{expected key_gradient to have shape [2, 7, 6] (that of the key), but got [2, 5, 6]}}
  %0:5 = memformer.slot_attention_gradient %g, %q self(%sk, %sv), %k, %v, %o, %l heads 3 scale 0.5 : (tensor<2x5x6xf32>, tensor<2x5x6xf32>, tensor<2x5x6xf32>, tensor<2x5x6xf32>, tensor<2x7x6xf32>, tensor<2x7x6xf32>, tensor<2x5x6xf32>, tensor<2x3x5xf32>) -> (tensor<2x5x6xf32>, tensor<2x5x6xf32>, tensor<2x5x6xf32>, tensor<2x5x6xf32>, tensor<2x7x6xf32>)
  return
}

// -----

func.func @wrong(%g: tensor<2x5x6xf32>, %q: tensor<2x5x6xf32>, %sk: tensor<2x5x6xf32>, %sv: tensor<2x5x6xf32>, %k: tensor<2x7x6xf32>, %v: tensor<2x7x6xf32>, %o: tensor<2x5x6xf32>, %l: tensor<2x3x5xf32>) {
  // expected-error@+1 {{expected value_gradient to have shape [2, 7, 6] (that of the key), but got [2, 5, 6]}}
  %0:5 = memformer.slot_attention_gradient %g, %q self(%sk, %sv), %k, %v, %o, %l heads 3 scale 0.5 : (tensor<2x5x6xf32>, tensor<2x5x6xf32>, tensor<2x5x6xf32>, tensor<2x5x6xf32>, tensor<2x7x6xf32>, tensor<2x7x6xf32>, tensor<2x5x6xf32>, tensor<2x3x5xf32>) -> (tensor<2x5x6xf32>, tensor<2x5x6xf32>, tensor<2x5x6xf32>, tensor<2x7x6xf32>, tensor<2x5x6xf32>)
  return
}

// -----

func.func @wrong(%g: tensor<2x5x6xf32>, %q: tensor<2x5x6xf32>, %sk: tensor<2x5x6xf32>, %sv: tensor<2x5x6xf32>, %k: tensor<2x7x6xf32>, %v: tensor<2x7x6xf32>, %o: tensor<2x5x6xf32>, %l: tensor<2x3x5xf32>) {
  // expected-error@+1 {{expected heads to divide the width 6, but got 4}}
  %0:5 = memformer.slot_attention_gradient %g, %q self(%sk, %sv), %k, %v, %o, %l heads 4 scale 0.5 : (tensor<2x5x6xf32>, tensor<2x5x6xf32>, tensor<2x5x6xf32>, tensor<2x5x6xf32>, tensor<2x7x6xf32>, tensor<2x7x6xf32>, tensor<2x5x6xf32>, tensor<2x3x5xf32>) -> (tensor<2x5x6xf32>, tensor<2x5x6xf32>, tensor<2x5x6xf32>, tensor<2x7x6xf32>, tensor<2x7x6xf32>)
  return
}

// -----

func.func @wrong(%q: tensor<2x5x6xf32>, %k: tensor<2x7x6xf32>, %l: tensor<2x3x5xf32>) {
  // expected-error@+1 {{expected result to have shape [2, 3, 5, 7] ([B, H, Lq, Lk]), but got [2, 3, 5, 8]}}
  %0 = memformer.attention_weights %q, %k, %l heads 3 scale 0.5 : (tensor<2x5x6xf32>, tensor<2x7x6xf32>, tensor<2x3x5xf32>) -> tensor<2x3x5x8xf32>
  return
}

// -----

func.func @wrong(%q: tensor<2x5x6xf32>, %k: tensor<2x7x6xf32>, %l: tensor<2x3x5xf32>, %s: tensor<2x5x6xf32>) {
  // expected-error@+1 {{expected result to have shape [2, 3, 5, 8] ([B, H, Lq, 1 + Lk]), but got [2, 3, 5, 7]}}
  %0 = memformer.attention_weights %q self(%s), %k, %l heads 3 scale 0.5 : (tensor<2x5x6xf32>, tensor<2x5x6xf32>, tensor<2x7x6xf32>, tensor<2x3x5xf32>) -> tensor<2x3x5x7xf32>
  return
}

// -----

func.func @wrong(%q: tensor<2x5x6xf32>, %k: tensor<2x7x6xf32>, %l: tensor<2x3x5xf32>, %s: tensor<2x7x6xf32>) {
  // expected-error@+1 {{expected self_key to have shape [2, 5, 6] (that of the query), but got [2, 7, 6]}}
  %0 = memformer.attention_weights %q self(%s), %k, %l heads 3 scale 0.5 : (tensor<2x5x6xf32>, tensor<2x7x6xf32>, tensor<2x7x6xf32>, tensor<2x3x5xf32>) -> tensor<2x3x5x8xf32>
  return
}

// -----

func.func @wrong(%q: tensor<2x5x6xf32>, %k: tensor<2x5x6xf32>, %l: tensor<2x3x5xf32>, %s: tensor<2x5x6xf32>) {
  // expected-error@+1 {{expected either a self key or causal, but got both}}
  %0 = memformer.attention_weights %q self(%s), %k, %l heads 3 scale 0.5 causal : (tensor<2x5x6xf32>, tensor<2x5x6xf32>, tensor<2x5x6xf32>, tensor<2x3x5xf32>) -> tensor<2x3x5x6xf32>
  return
}

// -----

func.func @wrong(%q: tensor<2x5x6xf32>, %k: tensor<2x7x6xf32>, %l: tensor<2x5xf32>) {
  // expected-error@+1 {{expected lse to have shape [2, 3, 5] ([B, H, Lq]), but got [2, 5]}}
  %0 = memformer.attention_weights %q, %k, %l heads 3 scale 0.5 : (tensor<2x5x6xf32>, tensor<2x7x6xf32>, tensor<2x5xf32>) -> tensor<2x3x5x7xf32>
  return
}

// -----

func.func @wrong(%q: tensor<2x5x6xf32>, %k: tensor<2x3x6xf32>, %l: tensor<2x3x5xf32>) {
  // expected-error@+1 {{expected at least as many keys as queries in causal attention}}
  %0 = memformer.attention_weights %q, %k, %l heads 3 scale 0.5 causal : (tensor<2x5x6xf32>, tensor<2x3x6xf32>, tensor<2x3x5xf32>) -> tensor<2x3x5x3xf32>
  return
}

// -----

func.func @wrong(%q: tensor<2x5x6xf32>, %k: tensor<2x7x6xf32>, %l: tensor<2x3x5xf32>) {
  // expected-error@+1 {{expected result to have shape [2, 3, 7] ([B, H, Lk]), but got [2, 3, 5]}}
  %0 = memformer.attention_usage %q, %k, %l heads 3 scale 0.5 : (tensor<2x5x6xf32>, tensor<2x7x6xf32>, tensor<2x3x5xf32>) -> tensor<2x3x5xf32>
  return
}

// -----

func.func @wrong(%q: tensor<2x5x6xf32>, %k: tensor<2x7x6xf32>, %l: tensor<2x3x5xf32>, %r: tensor<7x6xf32>) {
  // expected-error@+1 {{expected relative attention to be causal}}
  %0 = memformer.attention_usage %q, %k, %l relative(%q, %r) heads 3 scale 0.5 : (tensor<2x5x6xf32>, tensor<2x7x6xf32>, tensor<2x3x5xf32>, tensor<2x5x6xf32>, tensor<7x6xf32>) -> tensor<2x3x7xf32>
  return
}

// -----

func.func @wrong(%u: tensor<2x7xf32>) {
  // expected-error@+1 {{expected usage to be [B, H, N]}}
  %0 = memformer.most_used %u seen 7 : (tensor<2x7xf32>) -> tensor<2x3xi32>
  return
}

// -----

func.func @wrong(%u: tensor<2x3x7xf32>) {
  // expected-error@+1 {{expected result to have shape [2, 3] ([B, k]), but got [1, 3]}}
  %0 = memformer.most_used %u seen 7 : (tensor<2x3x7xf32>) -> tensor<1x3xi32>
  return
}

// -----

func.func @wrong(%u: tensor<2x3x7xf32>) {
  // expected-error@+1 {{expected 1 to 7 rows to choose, but got 8}}
  %0 = memformer.most_used %u seen 7 : (tensor<2x3x7xf32>) -> tensor<2x8xi32>
  return
}

// -----

func.func @wrong(%u: tensor<2x3x7xf32>) {
  // expected-error@+1 {{expected each of 7 rows to have been seen: seen of 7 to 16777216, but got 6}}
  %0 = memformer.most_used %u seen 6 : (tensor<2x3x7xf32>) -> tensor<2x3xi32>
  return
}
