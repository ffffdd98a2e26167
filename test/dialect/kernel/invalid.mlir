// RUN: memformer-opt %s -split-input-file -verify-diagnostics

func.func @precision(%x: tensor<4xf64>) -> tensor<1xf64> {
  // expected-error @below {{expected a tensor of f32, but got 'tensor<4xf64>'}}
  %y = kernel.squared_norm %x : (tensor<4xf64>) -> tensor<1xf64>
  return %y : tensor<1xf64>
}

// -----

func.func @depth(%a: tensor<3x4xf32>, %b: tensor<5x6xf32>) -> tensor<3x6xf32> {
  // expected-error @below {{expected b to have 4 rows of 6, but got 'tensor<5x6xf32>'}}
  %c = kernel.gemm %a, %b n 6 : (tensor<3x4xf32>, tensor<5x6xf32>) -> tensor<3x6xf32> {
  ^bb0(%x: f32, %i: i32):
    kernel.yield %x : f32
  }
  return %c : tensor<3x6xf32>
}

// -----

func.func @panels(%a: tensor<3x4xf32>, %b: tensor<2x4x16xf32>) -> tensor<3x6xf32> {
  // expected-error @below {{expected packed b to have the shape [1, 4, 16], but got [2, 4, 16]}}
  %c = kernel.gemm %a, %b n 6 packed : (tensor<3x4xf32>, tensor<2x4x16xf32>) -> tensor<3x6xf32> {
  ^bb0(%x: f32, %i: i32):
    kernel.yield %x : f32
  }
  return %c : tensor<3x6xf32>
}

// -----

func.func @accumulated(%a: tensor<3x4xf32>, %b: tensor<4x6xf32>) -> tensor<3x6xf32> {
  // expected-error @below {{expected no result of the epilogue, but got 1}}
  %c = kernel.gemm %a, %b n 6 accumulate @w : (tensor<3x4xf32>, tensor<4x6xf32>) -> tensor<3x6xf32> {
  ^bb0(%x: f32, %i: i32):
    kernel.yield %x : f32
  }
  return %c : tensor<3x6xf32>
}

// -----

func.func @extra(%x: tensor<2x3xf32>, %b: tensor<2xf32>) -> tensor<2x3xf32> {
  // expected-error @below {{expected the shape of extra operand 1 to be trailing dimensions of [2, 3], but got [2]}}
  %y = kernel.map %x trailing, %b trailing : (tensor<2x3xf32>, tensor<2xf32>) -> tensor<2x3xf32> {
  ^bb0(%a: f32, %c: f32, %i: i32):
    kernel.yield %a : f32
  }
  return %y : tensor<2x3xf32>
}

// -----

func.func @indexing(%x: tensor<2x3xf32>) -> tensor<2x3xf32> {
  // expected-error @below {{expected 'trailing', 'leading' or 'whole', but got 'inner'}}
  %y = kernel.map %x inner : (tensor<2x3xf32>) -> tensor<2x3xf32> {
  }
  return %y : tensor<2x3xf32>
}

// -----

func.func @arguments(%x: tensor<2x3xf32>) -> tensor<2x3xf32> {
  // expected-error @below {{expected a region with arguments ('f32', 'i32'), but got ('f32')}}
  %y = kernel.map %x trailing : (tensor<2x3xf32>) -> tensor<2x3xf32> {
  ^bb0(%a: f32):
    kernel.yield %a : f32
  }
  return %y : tensor<2x3xf32>
}

// -----

func.func @yields(%x: tensor<2x3xf32>) -> tensor<2x3xf32> {
  // expected-error @below {{expected the region to yield ('f32'), but got ('i32')}}
  %y = kernel.map %x trailing : (tensor<2x3xf32>) -> tensor<2x3xf32> {
  ^bb0(%a: f32, %i: i32):
    // expected-note @below {{yielded here}}
    kernel.yield %i : i32
  }
  return %y : tensor<2x3xf32>
}

// -----

func.func @both(%x: tensor<2x3xf32>) -> tensor<3xf32> {
  // expected-error @below {{expected either a result or a gradient buffer to add to}}
  %y = kernel.reduce %x entries 3 accumulate @b : (tensor<2x3xf32>) -> tensor<3xf32>
  return %y : tensor<3xf32>
}

// -----

func.func @scale(%x: tensor<2x3xf32>, %v: tensor<2xf32>) -> tensor<2x3xf32> {
  // expected-error @below {{expected scale to have the shape [3], but got [2]}}
  %y = kernel.layer_norm %x, %v, %v {epsilon = 1.0e-5 : f64} : (tensor<2x3xf32>, tensor<2xf32>, tensor<2xf32>) -> tensor<2x3xf32>
  return %y : tensor<2x3xf32>
}

// -----

func.func @heads(%q: tensor<2x3x4xf32>, %l: tensor<2x3x3xf32>) -> tensor<2x3x3x3xf32> {
  // expected-error @below {{expected heads to divide the width 4, but got 3}}
  %w = kernel.attention_weights %q, %q, %l heads 3 scale 1.0 : (tensor<2x3x4xf32>, tensor<2x3x4xf32>, tensor<2x3x3xf32>) -> tensor<2x3x3x3xf32>
  return %w : tensor<2x3x3x3xf32>
}

// -----

func.func @usage(%q: tensor<2x3x4xf32>, %k: tensor<2x5x4xf32>, %l: tensor<2x2x3xf32>) -> tensor<2x2x3xf32> {
  // expected-error @below {{expected the result to have the shape [2, 2, 5], but got [2, 2, 3]}}
  %u = kernel.attention_usage %q, %k, %l heads 2 scale 1.0 : (tensor<2x3x4xf32>, tensor<2x5x4xf32>, tensor<2x2x3xf32>) -> tensor<2x2x3xf32>
  return %u : tensor<2x2x3xf32>
}

// -----

func.func @used(%u: tensor<2x2x5xf32>) -> tensor<2x6xi32> {
  // expected-error @below {{expected 1 to 5 rows to choose, but got 6}}
  %n = kernel.most_used %u seen 5 : (tensor<2x2x5xf32>) -> tensor<2x6xi32>
  return %n : tensor<2x6xi32>
}

// -----

func.func @lstm(%g: tensor<2x5x12xf32>, %h: tensor<2x1x3xf32>, %w: tensor<1x12x16xf32>) -> tensor<2x5x3xf32> {
  // expected-error @below {{expected the packed weight to have the shape [1, 3, 16], but got [1, 12, 16]}}
  %hs, %cs, %a = kernel.lstm %g, %h, %h, %w : (tensor<2x5x12xf32>, tensor<2x1x3xf32>, tensor<2x1x3xf32>, tensor<1x12x16xf32>) -> (tensor<2x5x3xf32>, tensor<2x5x3xf32>, tensor<2x5x12xf32>)
  return %hs : tensor<2x5x3xf32>
}

// -----

func.func @lstm_step(%g: tensor<2x1x12xf32>, %h: tensor<2x1x3xf32>, %w: tensor<1x3x16xf32>, %k: tensor<2x5x3xf32>, %c: tensor<2x4x3xf32>, %p: tensor<i32>) -> tensor<2x1x3xf32> {
  // expected-error @below {{expected the cell cache to have the shape [2, 5, 3], but got [2, 4, 3]}}
  %n, %m, %ns, %ms = kernel.lstm_step %g, %h, %h, %w cache(%k, %c) at %p : (tensor<2x1x12xf32>, tensor<2x1x3xf32>, tensor<2x1x3xf32>, tensor<1x3x16xf32>, tensor<2x5x3xf32>, tensor<2x4x3xf32>, tensor<i32>) -> (tensor<2x1x3xf32>, tensor<2x1x3xf32>, tensor<2x5x3xf32>, tensor<2x4x3xf32>)
  return %n : tensor<2x1x3xf32>
}

// -----

func.func @lstm(%a: tensor<2x5x12xf32>, %c: tensor<2x5x3xf32>, %h: tensor<2x1x3xf32>, %w: tensor<12x3xf32>) -> tensor<2x5x12xf32> {
  // expected-error @below {{expected a packed weight [P, K, w], but got 'tensor<12x3xf32>'}}
  %x:3 = kernel.lstm_gradient hiddens(%c) %a, %c, %h, %w : (tensor<2x5x3xf32>, tensor<2x5x12xf32>, tensor<2x5x3xf32>, tensor<2x1x3xf32>, tensor<12x3xf32>) -> (tensor<2x5x12xf32>, tensor<2x1x3xf32>, tensor<2x1x3xf32>)
  return %x#0 : tensor<2x5x12xf32>
}

// -----

func.func @offset(%x: tensor<2x6x4xf32>) -> tensor<2x3x4xf32> {
  // expected-error @below {{expected [offset, offset + size) within 6 entries, but got [4, 7)}}
  %s = kernel.slice %x axis 1 offset 4 : (tensor<2x6x4xf32>) -> tensor<2x3x4xf32>
  return %s : tensor<2x3x4xf32>
}

// -----

func.func @targets(%x: tensor<2x3xf32>, %t: tensor<3xi32>) -> tensor<2xf32> {
  // expected-error @below {{expected targets to have the shape [2], but got [3]}}
  %l, %s = kernel.cross_entropy %x, %t : (tensor<2x3xf32>, tensor<3xi32>) -> (tensor<2xf32>, tensor<2xf32>)
  return %l : tensor<2xf32>
}

// -----

func.func @position(%x: tensor<2x6x4xf32>, %p: tensor<1xi32>) -> tensor<2x1x4xf32> {
  // expected-error @below {{expected the position to have the shape [], but got [1]}}
  %s = kernel.slice %x axis 1 offset 0 at %p : (tensor<2x6x4xf32>, tensor<1xi32>) -> tensor<2x1x4xf32>
  return %s : tensor<2x1x4xf32>
}

// -----

func.func @step(%q: tensor<2x1x4xf32>, %c: tensor<2x5x4xf32>, %d: tensor<2x4x4xf32>, %p: tensor<i32>) {
  // expected-error @below {{expected the value cache to have the shape [2, 5, 4], but got [2, 4, 4]}}
  %0:3 = kernel.attention_step %q, %q, %q cache(%c, %d) at %p heads 2 scale 0.5
    : (tensor<2x1x4xf32>, tensor<2x1x4xf32>, tensor<2x1x4xf32>, tensor<2x5x4xf32>, tensor<2x4x4xf32>, tensor<i32>) -> (tensor<2x1x4xf32>, tensor<2x5x4xf32>, tensor<2x4x4xf32>)
  return
}

// -----
func.func @narrow_operand(%a: tensor<3x4xbf16>, %b: tensor<4x6xf32>) -> tensor<3x6xf32> {
  // expected-error @below {{expected a tensor of f32, but got 'tensor<3x4xbf16>'}}
  %c = kernel.gemm %a, %b n 6 : (tensor<3x4xbf16>, tensor<4x6xf32>) -> tensor<3x6xf32> {
  ^bb0(%x: f32, %i: i32):
    kernel.yield %x : f32
  }
  return %c : tensor<3x6xf32>
}

// -----
func.func @operand_of_another_type(%a: tensor<3x4xbf16>, %b: tensor<4x6xf32>) -> tensor<3x6xf32> {
  // expected-error @below {{expected a tensor of f32 or 'f16', but got 'tensor<3x4xbf16>'}}
  %c = kernel.gemm %a, %b n 6 operands f16 : (tensor<3x4xbf16>, tensor<4x6xf32>) -> tensor<3x6xf32> {
  ^bb0(%x: f32, %i: i32):
    kernel.yield %x : f32
  }
  return %c : tensor<3x6xf32>
}

// -----
func.func @weights_of_f16(%a: tensor<1x4xf32>, %b: tensor<1x4x16xf16>) -> tensor<1x6xf32> {
  // expected-error @below {{expected a tensor of f32 or 'bf16', but got 'tensor<1x4x16xf16>'}}
  %c = kernel.gemm %a, %b n 6 packed : (tensor<1x4xf32>, tensor<1x4x16xf16>) -> tensor<1x6xf32> {
  ^bb0(%x: f32, %i: i32):
    kernel.yield %x : f32
  }
  return %c : tensor<1x6xf32>
}

// -----
func.func @bytes_of_tf32(%a: tensor<3x4xf32>, %b: tensor<1x4x16xi8>) -> tensor<3x6xf32> {
  // expected-error @below {{expected packed b of the type that the operands are rounded to, but got 'tensor<1x4x16xi8>'}}
  %c = kernel.gemm %a, %b n 6 packed operands tf32 : (tensor<3x4xf32>, tensor<1x4x16xi8>) -> tensor<3x6xf32> {
  ^bb0(%x: f32, %i: i32):
    kernel.yield %x : f32
  }
  return %c : tensor<3x6xf32>
}

// -----
func.func @panels_of_another_type(%a: tensor<3x4xf32>, %b: tensor<1x4x16xf32>) -> tensor<3x6xf32> {
  // expected-error @below {{expected packed b of the type that the operands are rounded to, but got 'tensor<1x4x16xf32>'}}
  %c = kernel.gemm %a, %b n 6 packed operands bf16 : (tensor<3x4xf32>, tensor<1x4x16xf32>) -> tensor<3x6xf32> {
  ^bb0(%x: f32, %i: i32):
    kernel.yield %x : f32
  }
  return %c : tensor<3x6xf32>
}

// -----
func.func @panels_of_another_rank(%b: tensor<4x6xf32>) -> tensor<4x16xbf16> {
  // expected-error @below {{expected a matrix and panels [P, K, w] or [P, ⌈K/2⌉, w, 2] or [P, ⌈K/8⌉, w, 8], but got 'tensor<4x6xf32>' and 'tensor<4x16xbf16>'}}
  %p = kernel.pack %b : (tensor<4x6xf32>) -> tensor<4x16xbf16>
  return %p : tensor<4x16xbf16>
}

// -----
func.func @pairs_of_f32(%b: tensor<4x6xf32>) -> tensor<1x2x16x2xf32> {
  // expected-error @below {{expected a matrix and panels [P, K, w], but got 'tensor<4x6xf32>' and 'tensor<1x2x16x2xf32>'}}
  %p = kernel.pack %b : (tensor<4x6xf32>) -> tensor<1x2x16x2xf32>
  return %p : tensor<1x2x16x2xf32>
}

// -----
func.func @bytes_without_scales(%b: tensor<4x6xf32>) -> tensor<1x4x16xi8> {
  // expected-error @below {{expected scales with a result of i8 alone, but got 'tensor<1x4x16xi8>' without them}}
  %p = kernel.pack %b : (tensor<4x6xf32>) -> tensor<1x4x16xi8>
  return %p : tensor<1x4x16xi8>
}

// -----
func.func @scales_of_f32(%b: tensor<4x6xf32>) -> tensor<1x4x16xf32> {
  // expected-error @below {{expected scales with a result of i8 alone, but got 'tensor<1x4x16xf32>' with them}}
  %p, %s = kernel.pack %b : (tensor<4x6xf32>) -> (tensor<1x4x16xf32>, tensor<6xf32>)
  return %p : tensor<1x4x16xf32>
}

// -----
func.func @scales_of_rows(%b: tensor<4x6xf32>) -> tensor<1x4x16xi8> {
  // expected-error @below {{expected the scales to have the shape [6], but got [4]}}
  %p, %s = kernel.pack %b : (tensor<4x6xf32>) -> (tensor<1x4x16xi8>, tensor<4xf32>)
  return %p : tensor<1x4x16xi8>
}

// -----
func.func @bytes_by_rows(%a: tensor<1x4xf32>, %b: tensor<4x6xi8>) -> tensor<1x6xf32> {
  // expected-error @below {{expected b of i8 to be packed, but got 'tensor<4x6xi8>'}}
  %c = kernel.gemm %a, %b n 6 : (tensor<1x4xf32>, tensor<4x6xi8>) -> tensor<1x6xf32> {
  ^bb0(%x: f32, %i: i32):
    kernel.yield %x : f32
  }
  return %c : tensor<1x6xf32>
}

// -----
func.func @rows_of_bf16(%a: tensor<1x4xf32>, %b: tensor<4x6xbf16>) -> tensor<1x6xf32> {
  // expected-error @below {{expected a tensor of f32, but got 'tensor<4x6xbf16>'}}
  %c = kernel.gemm %a, %b n 6 : (tensor<1x4xf32>, tensor<4x6xbf16>) -> tensor<1x6xf32> {
  ^bb0(%x: f32, %i: i32):
    kernel.yield %x : f32
  }
  return %c : tensor<1x6xf32>
}

// -----
func.func @bytes_that_are_rounded(%a: tensor<1x4xf32>, %b: tensor<1x4x16xi8>) -> tensor<1x6xf32> {
  // expected-error @below {{expected packed b of the type that the operands are rounded to, but got 'tensor<1x4x16xi8>'}}
  %c = kernel.gemm %a, %b n 6 packed operands bf16 : (tensor<1x4xf32>, tensor<1x4x16xi8>) -> tensor<1x6xf32> {
  ^bb0(%x: f32, %i: i32):
    kernel.yield %x : f32
  }
  return %c : tensor<1x6xf32>
}

// -----
func.func @pairs_of_another_depth(%b: tensor<5x6xf32>) -> tensor<1x2x16x2xbf16> {
  // expected-error @below {{expected the result to have the shape [1, 3, 16, 2], but got [1, 2, 16, 2]}}
  %p = kernel.pack %b : (tensor<5x6xf32>) -> tensor<1x2x16x2xbf16>
  return %p : tensor<1x2x16x2xbf16>
}

// -----
func.func @eights_of_another_depth(%b: tensor<17x6xf32>) -> tensor<1x2x16x8xbf16> {
  // expected-error @below {{expected the result to have the shape [1, 3, 16, 8], but got [1, 2, 16, 8]}}
  %p = kernel.pack %b : (tensor<17x6xf32>) -> tensor<1x2x16x8xbf16>
  return %p : tensor<1x2x16x8xbf16>
}

// -----
func.func @groups_of_four(%b: tensor<8x6xf32>) -> tensor<1x2x16x4xbf16> {
  // expected-error @below {{expected the result to have the shape [1, 4, 16, 2], but got [1, 2, 16, 4]}}
  %p = kernel.pack %b : (tensor<8x6xf32>) -> tensor<1x2x16x4xbf16>
  return %p : tensor<1x2x16x4xbf16>
}

// -----
func.func @narrow_query(%q: tensor<2x3x4xbf16>, %k: tensor<2x3x4xf32>) {
  // expected-error @below {{expected a tensor of f32, but got 'tensor<2x3x4xbf16>'}}
  %o, %l = kernel.attention %q, %k, %k heads 2 scale 0.5 : (tensor<2x3x4xbf16>, tensor<2x3x4xf32>, tensor<2x3x4xf32>) -> (tensor<2x3x4xf32>, tensor<2x2x3xf32>)
  return
}

// -----
// What the rows' length is found from is not rounded.
func.func @narrow_before_normalization(%q: tensor<2x3x4xf32>) {
  // expected-error @below {{expected a tensor of f32, but got 'tensor<2x3x4xbf16>'}}
  %o, %l, %n = kernel.attention %q, %q, %q heads 2 scale 0.5 normalize operands bf16 : (tensor<2x3x4xf32>, tensor<2x3x4xf32>, tensor<2x3x4xf32>) -> (tensor<2x3x4xbf16>, tensor<2x2x3xf32>, tensor<2x3x4xf32>)
  return
}

// -----
// g·o is a sum of products in f32.
func.func @narrow_result_value(%q: tensor<2x3x4xf32>, %o: tensor<2x3x4xbf16>, %l: tensor<2x2x3xf32>) {
  // expected-error @below {{operand #4 must be statically shaped tensor of 32-bit float or 64-bit float values without empty dimensions, but got 'tensor<2x3x4xbf16>'}}
  %0:3 = kernel.attention_gradient %q, %q, %q, %q, %o, %l heads 2 scale 0.5 operands bf16 {resultSegmentSizes = array<i32: 1, 1, 1, 0, 0, 0, 0>}
    : (tensor<2x3x4xf32>, tensor<2x3x4xf32>, tensor<2x3x4xf32>, tensor<2x3x4xf32>, tensor<2x3x4xbf16>, tensor<2x2x3xf32>) -> (tensor<2x3x4xf32>, tensor<2x3x4xf32>, tensor<2x3x4xf32>)
  return
}
