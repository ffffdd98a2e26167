// What keys receive of an attention by distances, and the rows that received most on average.
// Values: numpy in float64 (generate.py).

// RUN: %reference %s | %run | FileCheck %s

func.func private @printMemrefF32(tensor<*xf32>)
func.func private @printMemrefF64(tensor<*xf64>)
func.func private @printMemrefI32(tensor<*xi32>)

func.func @main() {
  %c0 = arith.constant dense<[[[-0.5, -0.75, 0.5, 0.5], [-0.75, -0.5, 1.25, -1.0], [1.0, -1.0, 1.25, -0.5]], [[-0.75, 0.5, 0.5, -0.75], [-0.5, 1.25, -1.0, 1.0], [-1.0, 1.25, -0.5, -0.75]]]> : tensor<2x3x4xf64>
  %c1 = arith.constant dense<[[[0.75, 0.5, -1.0, -1.0], [0.5, 0.75, -0.25, 0.25], [-0.5, 0.25, -0.25, 0.75], [0.5, -1.0, -1.0, 0.5], [0.75, -0.25, 0.25, -0.5]], [[0.25, -0.25, 0.75, 0.5], [-1.0, -1.0, 0.5, 0.75], [-0.25, 0.25, -0.5, 0.25], [-0.25, 0.75, 0.5, -1.0], [-1.0, 0.5, 0.75, -0.25]]]> : tensor<2x5x4xf64>
  %c2 = arith.constant dense<[[[1.1712548365375604, 1.472538200192436, 2.8992765178668756], [0.8541543038530596, 0.4286395817339664, 1.3059201433906227]], [[1.0887278408918675, 1.2245648008926322, 1.907954641699732], [0.8790853657171348, 2.3619953894218058, 2.148864181228181]]]> : tensor<2x2x3xf64>
  %c3 = arith.constant dense<[[[-0.75, -1.0, 0.25, 0.25], [-1.0, -0.75, 1.0, -1.25], [0.75, -1.25, 1.0, -0.75]], [[-1.0, 0.25, 0.25, -1.0], [-0.75, 1.0, -1.25, 0.75], [-1.25, 1.0, -0.75, -1.0]]]> : tensor<2x3x4xf64>
  %c4 = arith.constant dense<[[0.5, 0.25, -1.25, -1.25], [0.25, 0.5, -0.5, 0.0], [-0.75, 0.0, -0.5, 0.5], [0.25, -1.25, -1.25, 0.25], [0.5, -0.5, 0.0, -0.75]]> : tensor<5x4xf64>
  %r5 = memformer.attention_usage %c0, %c1, %c2 relative(%c3, %c4) heads 2 scale 0.75 causal : (tensor<2x3x4xf64>, tensor<2x5x4xf64>, tensor<2x2x3xf64>, tensor<2x3x4xf64>, tensor<5x4xf64>) -> (tensor<2x2x5xf64>)
  %r5_0 = tensor.cast %r5 : tensor<2x2x5xf64> to tensor<*xf64>
  call @printMemrefF64(%r5_0) : (tensor<*xf64>) -> ()
  %c5 = arith.constant dense<[[[-0.5, -0.75, 0.5, 0.5], [-0.75, -0.5, 1.25, -1.0], [1.0, -1.0, 1.25, -0.5]], [[-0.75, 0.5, 0.5, -0.75], [-0.5, 1.25, -1.0, 1.0], [-1.0, 1.25, -0.5, -0.75]]]> : tensor<2x3x4xf32>
  %c6 = arith.constant dense<[[[0.75, 0.5, -1.0, -1.0], [0.5, 0.75, -0.25, 0.25], [-0.5, 0.25, -0.25, 0.75], [0.5, -1.0, -1.0, 0.5], [0.75, -0.25, 0.25, -0.5]], [[0.25, -0.25, 0.75, 0.5], [-1.0, -1.0, 0.5, 0.75], [-0.25, 0.25, -0.5, 0.25], [-0.25, 0.75, 0.5, -1.0], [-1.0, 0.5, 0.75, -0.25]]]> : tensor<2x5x4xf32>
  %c7 = arith.constant dense<[[[1.1712548365375604, 1.472538200192436, 2.8992765178668756], [0.8541543038530596, 0.4286395817339664, 1.3059201433906227]], [[1.0887278408918675, 1.2245648008926322, 1.907954641699732], [0.8790853657171348, 2.3619953894218058, 2.148864181228181]]]> : tensor<2x2x3xf32>
  %c8 = arith.constant dense<[[[-0.75, -1.0, 0.25, 0.25], [-1.0, -0.75, 1.0, -1.25], [0.75, -1.25, 1.0, -0.75]], [[-1.0, 0.25, 0.25, -1.0], [-0.75, 1.0, -1.25, 0.75], [-1.25, 1.0, -0.75, -1.0]]]> : tensor<2x3x4xf32>
  %c9 = arith.constant dense<[[0.5, 0.25, -1.25, -1.25], [0.25, 0.5, -0.5, 0.0], [-0.75, 0.0, -0.5, 0.5], [0.25, -1.25, -1.25, 0.25], [0.5, -0.5, 0.0, -0.75]]> : tensor<5x4xf32>
  %r10 = memformer.attention_usage %c5, %c6, %c7 relative(%c8, %c9) heads 2 scale 0.75 causal : (tensor<2x3x4xf32>, tensor<2x5x4xf32>, tensor<2x2x3xf32>, tensor<2x3x4xf32>, tensor<5x4xf32>) -> (tensor<2x2x5xf32>)
  %r10_0 = tensor.cast %r10 : tensor<2x2x5xf32> to tensor<*xf32>
  call @printMemrefF32(%r10_0) : (tensor<*xf32>) -> ()
  %c10 = arith.constant dense<[[[-0.5]]]> : tensor<1x1x1xf64>
  %c11 = arith.constant dense<[[[0.75]]]> : tensor<1x1x1xf64>
  %c12 = arith.constant dense<[[[-0.5625]]]> : tensor<1x1x1xf64>
  %c13 = arith.constant dense<[[[-0.75]]]> : tensor<1x1x1xf64>
  %c14 = arith.constant dense<[[0.5]]> : tensor<1x1xf64>
  %r15 = memformer.attention_usage %c10, %c11, %c12 relative(%c13, %c14) heads 1 scale 0.75 causal : (tensor<1x1x1xf64>, tensor<1x1x1xf64>, tensor<1x1x1xf64>, tensor<1x1x1xf64>, tensor<1x1xf64>) -> (tensor<1x1x1xf64>)
  %r15_0 = tensor.cast %r15 : tensor<1x1x1xf64> to tensor<*xf64>
  call @printMemrefF64(%r15_0) : (tensor<*xf64>) -> ()
  %c15 = arith.constant dense<[[[-0.5]]]> : tensor<1x1x1xf32>
  %c16 = arith.constant dense<[[[0.75]]]> : tensor<1x1x1xf32>
  %c17 = arith.constant dense<[[[-0.5625]]]> : tensor<1x1x1xf32>
  %c18 = arith.constant dense<[[[-0.75]]]> : tensor<1x1x1xf32>
  %c19 = arith.constant dense<[[0.5]]> : tensor<1x1xf32>
  %r20 = memformer.attention_usage %c15, %c16, %c17 relative(%c18, %c19) heads 1 scale 0.75 causal : (tensor<1x1x1xf32>, tensor<1x1x1xf32>, tensor<1x1x1xf32>, tensor<1x1x1xf32>, tensor<1x1xf32>) -> (tensor<1x1x1xf32>)
  %r20_0 = tensor.cast %r20 : tensor<1x1x1xf32> to tensor<*xf32>
  call @printMemrefF32(%r20_0) : (tensor<*xf32>) -> ()
  %c20 = arith.constant dense<[[[-0.5, -0.75, 0.5, 0.5, -0.75, -0.5], [1.25, -1.0, 1.0, -1.0, 1.25, -0.5], [-0.75, 0.5, 0.5, -0.75, -0.5, 1.25], [-1.0, 1.0, -1.0, 1.25, -0.5, -0.75]]]> : tensor<1x4x6xf64>
  %c21 = arith.constant dense<[[[0.75, 0.5, -1.0, -1.0, 0.5, 0.75], [-0.25, 0.25, -0.5, 0.25, -0.25, 0.75], [0.5, -1.0, -1.0, 0.5, 0.75, -0.25], [0.25, -0.5, 0.25, -0.25, 0.75, 0.5]]]> : tensor<1x4x6xf64>
  %c22 = arith.constant dense<[[[0.0, 1.906684154634491, 0.8882028862717546, 1.2305189271883115], [-0.84375, 0.2639906243476442, 0.822066710954175, 2.911621799197037], [-1.078125, 1.1249001362483149, 1.593861844091167, 0.8290914646217404]]]> : tensor<1x3x4xf64>
  %c23 = arith.constant dense<[[[-0.75, -1.0, 0.25, 0.25, -1.0, -0.75], [1.0, -1.25, 0.75, -1.25, 1.0, -0.75], [-1.0, 0.25, 0.25, -1.0, -0.75, 1.0], [-1.25, 0.75, -1.25, 1.0, -0.75, -1.0]]]> : tensor<1x4x6xf64>
  %c24 = arith.constant dense<[[0.5, 0.25, -1.25, -1.25, 0.25, 0.5], [-0.5, 0.0, -0.75, 0.0, -0.5, 0.5], [0.25, -1.25, -1.25, 0.25, 0.5, -0.5], [0.0, -0.75, 0.0, -0.5, 0.5, 0.25]]> : tensor<4x6xf64>
  %r25 = memformer.attention_usage %c20, %c21, %c22 relative(%c23, %c24) heads 3 scale 0.75 causal : (tensor<1x4x6xf64>, tensor<1x4x6xf64>, tensor<1x3x4xf64>, tensor<1x4x6xf64>, tensor<4x6xf64>) -> (tensor<1x3x4xf64>)
  %r25_0 = tensor.cast %r25 : tensor<1x3x4xf64> to tensor<*xf64>
  call @printMemrefF64(%r25_0) : (tensor<*xf64>) -> ()
  %c25 = arith.constant dense<[[[-0.5, -0.75, 0.5, 0.5, -0.75, -0.5], [1.25, -1.0, 1.0, -1.0, 1.25, -0.5], [-0.75, 0.5, 0.5, -0.75, -0.5, 1.25], [-1.0, 1.0, -1.0, 1.25, -0.5, -0.75]]]> : tensor<1x4x6xf32>
  %c26 = arith.constant dense<[[[0.75, 0.5, -1.0, -1.0, 0.5, 0.75], [-0.25, 0.25, -0.5, 0.25, -0.25, 0.75], [0.5, -1.0, -1.0, 0.5, 0.75, -0.25], [0.25, -0.5, 0.25, -0.25, 0.75, 0.5]]]> : tensor<1x4x6xf32>
  %c27 = arith.constant dense<[[[0.0, 1.906684154634491, 0.8882028862717546, 1.2305189271883115], [-0.84375, 0.2639906243476442, 0.822066710954175, 2.911621799197037], [-1.078125, 1.1249001362483149, 1.593861844091167, 0.8290914646217404]]]> : tensor<1x3x4xf32>
  %c28 = arith.constant dense<[[[-0.75, -1.0, 0.25, 0.25, -1.0, -0.75], [1.0, -1.25, 0.75, -1.25, 1.0, -0.75], [-1.0, 0.25, 0.25, -1.0, -0.75, 1.0], [-1.25, 0.75, -1.25, 1.0, -0.75, -1.0]]]> : tensor<1x4x6xf32>
  %c29 = arith.constant dense<[[0.5, 0.25, -1.25, -1.25, 0.25, 0.5], [-0.5, 0.0, -0.75, 0.0, -0.5, 0.5], [0.25, -1.25, -1.25, 0.25, 0.5, -0.5], [0.0, -0.75, 0.0, -0.5, 0.5, 0.25]]> : tensor<4x6xf32>
  %r30 = memformer.attention_usage %c25, %c26, %c27 relative(%c28, %c29) heads 3 scale 0.75 causal : (tensor<1x4x6xf32>, tensor<1x4x6xf32>, tensor<1x3x4xf32>, tensor<1x4x6xf32>, tensor<4x6xf32>) -> (tensor<1x3x4xf32>)
  %r30_0 = tensor.cast %r30 : tensor<1x3x4xf32> to tensor<*xf32>
  call @printMemrefF32(%r30_0) : (tensor<*xf32>) -> ()
  %c30 = arith.constant dense<[[[1.0, 3.0, 2.0, 0.0, 5.0], [0.0, 1.0, 2.0, 4.0, 1.0]], [[2.0, 2.0, 2.0, 2.0, 2.0], [1.0, 1.0, 1.0, 1.0, 1.0]]]> : tensor<2x2x5xf64>
  %r31 = memformer.most_used %c30 seen 5 : (tensor<2x2x5xf64>) -> (tensor<2x1xi32>)
  %r31_0 = tensor.cast %r31 : tensor<2x1xi32> to tensor<*xi32>
  call @printMemrefI32(%r31_0) : (tensor<*xi32>) -> ()
  %c31 = arith.constant dense<[[[1.0, 3.0, 2.0, 0.0, 5.0], [0.0, 1.0, 2.0, 4.0, 1.0]], [[2.0, 2.0, 2.0, 2.0, 2.0], [1.0, 1.0, 1.0, 1.0, 1.0]]]> : tensor<2x2x5xf32>
  %r32 = memformer.most_used %c31 seen 5 : (tensor<2x2x5xf32>) -> (tensor<2x1xi32>)
  %r32_0 = tensor.cast %r32 : tensor<2x1xi32> to tensor<*xi32>
  call @printMemrefI32(%r32_0) : (tensor<*xi32>) -> ()
  %c32 = arith.constant dense<[[[1.0, 3.0, 2.0, 0.0, 5.0], [0.0, 1.0, 2.0, 4.0, 1.0]], [[2.0, 2.0, 2.0, 2.0, 2.0], [1.0, 1.0, 1.0, 1.0, 1.0]]]> : tensor<2x2x5xf64>
  %r33 = memformer.most_used %c32 seen 9 : (tensor<2x2x5xf64>) -> (tensor<2x2xi32>)
  %r33_0 = tensor.cast %r33 : tensor<2x2xi32> to tensor<*xi32>
  call @printMemrefI32(%r33_0) : (tensor<*xi32>) -> ()
  %c33 = arith.constant dense<[[[1.0, 3.0, 2.0, 0.0, 5.0], [0.0, 1.0, 2.0, 4.0, 1.0]], [[2.0, 2.0, 2.0, 2.0, 2.0], [1.0, 1.0, 1.0, 1.0, 1.0]]]> : tensor<2x2x5xf32>
  %r34 = memformer.most_used %c33 seen 9 : (tensor<2x2x5xf32>) -> (tensor<2x2xi32>)
  %r34_0 = tensor.cast %r34 : tensor<2x2xi32> to tensor<*xi32>
  call @printMemrefI32(%r34_0) : (tensor<*xi32>) -> ()
  %c34 = arith.constant dense<[[[1.0, 3.0, 2.0, 0.0, 5.0], [0.0, 1.0, 2.0, 4.0, 1.0]], [[2.0, 2.0, 2.0, 2.0, 2.0], [1.0, 1.0, 1.0, 1.0, 1.0]]]> : tensor<2x2x5xf64>
  %r35 = memformer.most_used %c34 seen 5 : (tensor<2x2x5xf64>) -> (tensor<2x3xi32>)
  %r35_0 = tensor.cast %r35 : tensor<2x3xi32> to tensor<*xi32>
  call @printMemrefI32(%r35_0) : (tensor<*xi32>) -> ()
  %c35 = arith.constant dense<[[[1.0, 3.0, 2.0, 0.0, 5.0], [0.0, 1.0, 2.0, 4.0, 1.0]], [[2.0, 2.0, 2.0, 2.0, 2.0], [1.0, 1.0, 1.0, 1.0, 1.0]]]> : tensor<2x2x5xf32>
  %r36 = memformer.most_used %c35 seen 5 : (tensor<2x2x5xf32>) -> (tensor<2x3xi32>)
  %r36_0 = tensor.cast %r36 : tensor<2x3xi32> to tensor<*xi32>
  call @printMemrefI32(%r36_0) : (tensor<*xi32>) -> ()
  %c36 = arith.constant dense<[[[1.0, 3.0, 2.0, 0.0, 5.0], [0.0, 1.0, 2.0, 4.0, 1.0]], [[2.0, 2.0, 2.0, 2.0, 2.0], [1.0, 1.0, 1.0, 1.0, 1.0]]]> : tensor<2x2x5xf64>
  %r37 = memformer.most_used %c36 seen 100 : (tensor<2x2x5xf64>) -> (tensor<2x5xi32>)
  %r37_0 = tensor.cast %r37 : tensor<2x5xi32> to tensor<*xi32>
  call @printMemrefI32(%r37_0) : (tensor<*xi32>) -> ()
  %c37 = arith.constant dense<[[[1.0, 3.0, 2.0, 0.0, 5.0], [0.0, 1.0, 2.0, 4.0, 1.0]], [[2.0, 2.0, 2.0, 2.0, 2.0], [1.0, 1.0, 1.0, 1.0, 1.0]]]> : tensor<2x2x5xf32>
  %r38 = memformer.most_used %c37 seen 100 : (tensor<2x2x5xf32>) -> (tensor<2x5xi32>)
  %r38_0 = tensor.cast %r38 : tensor<2x5xi32> to tensor<*xi32>
  call @printMemrefI32(%r38_0) : (tensor<*xi32>) -> ()
  %c38 = arith.constant dense<[[[3.0, 2.0, 1.0]]]> : tensor<1x1x3xf64>
  %r39 = memformer.most_used %c38 seen 3 : (tensor<1x1x3xf64>) -> (tensor<1x2xi32>)
  %r39_0 = tensor.cast %r39 : tensor<1x2xi32> to tensor<*xi32>
  call @printMemrefI32(%r39_0) : (tensor<*xi32>) -> ()
  %c39 = arith.constant dense<[[[3.0, 2.0, 1.0]]]> : tensor<1x1x3xf32>
  %r40 = memformer.most_used %c39 seen 3 : (tensor<1x1x3xf32>) -> (tensor<1x2xi32>)
  %r40_0 = tensor.cast %r40 : tensor<1x2xi32> to tensor<*xi32>
  call @printMemrefI32(%r40_0) : (tensor<*xi32>) -> ()
  return
}

// CHECK: sizes = [2, 2, 5]
// CHECK: [0.416949, 0.636127, 0.840643, 0.859506, 0.246775]
// CHECK: [0.694328, 0.670721, 0.620953, 0.384083, 0.629915]
// CHECK: [0.808426, 0.663229, 0.862183, 0.450266, 0.215897]
// CHECK: [0.727394, 0.540009, 1.25056, 0.304217, 0.177819]
// CHECK: sizes = [2, 2, 5]
// CHECK: [0.4169{{[0-9.e-]*}}, 0.6361{{[0-9.e-]*}}, 0.8406{{[0-9.e-]*}}, 0.859{{[0-9.e-]*}}, 0.24677{{[0-9.e-]*}}]
// CHECK: [0.6943{{[0-9.e-]*}}, 0.6707{{[0-9.e-]*}}, 0.6209{{[0-9.e-]*}}, 0.3840{{[0-9.e-]*}}, 0.6299{{[0-9.e-]*}}]
// CHECK: [0.8084{{[0-9.e-]*}}, 0.6632{{[0-9.e-]*}}, 0.8621{{[0-9.e-]*}}, 0.4502{{[0-9.e-]*}}, 0.21589{{[0-9.e-]*}}]
// CHECK: [0.727{{[0-9.e-]*}}, 0.5400{{[0-9.e-]*}}, 1.250{{[0-9.e-]*}}, 0.3042{{[0-9.e-]*}}, 0.1778{{[0-9.e-]*}}]
// CHECK: sizes = [1, 1, 1]
// CHECK: [1]
// CHECK: sizes = [1, 1, 1]
// CHECK: [1]
// CHECK: sizes = [1, 3, 4]
// CHECK: [2.45113, 1.21713, 0.222572, 0.109165]
// CHECK: [1.81836, 1.10894, 1.04818, 0.0245143]
// CHECK: [2.55235, 0.765125, 0.526904, 0.155619]
// CHECK: sizes = [1, 3, 4]
// CHECK: [2.451{{[0-9.e-]*}}, 1.217{{[0-9.e-]*}}, 0.2225{{[0-9.e-]*}}, 0.10916{{[0-9.e-]*}}]
// CHECK: [1.818{{[0-9.e-]*}}, 1.108{{[0-9.e-]*}}, 1.048{{[0-9.e-]*}}, 0.024514{{[0-9.e-]*}}]
// CHECK: [2.552{{[0-9.e-]*}}, 0.7651{{[0-9.e-]*}}, 0.526{{[0-9.e-]*}}, 0.1556{{[0-9.e-]*}}]
// CHECK: sizes = [2, 1]
// CHECK: [4]
// CHECK: [9]
// CHECK: sizes = [2, 1]
// CHECK: [4]
// CHECK: [9]
// CHECK: sizes = [2, 2]
// CHECK: [3, 4]
// CHECK: [8, 9]
// CHECK: sizes = [2, 2]
// CHECK: [3, 4]
// CHECK: [8, 9]
// CHECK: sizes = [2, 3]
// CHECK: [2, 3, 4]
// CHECK: [7, 8, 9]
// CHECK: sizes = [2, 3]
// CHECK: [2, 3, 4]
// CHECK: [7, 8, 9]
// CHECK: sizes = [2, 5]
// CHECK: [0, 1, 2, 3, 4]
// CHECK: [5, 6, 7, 8, 9]
// CHECK: sizes = [2, 5]
// CHECK: [0, 1, 2, 3, 4]
// CHECK: [5, 6, 7, 8, 9]
// CHECK: sizes = [1, 2]
// CHECK: [0, 1]
// CHECK: sizes = [1, 2]
// CHECK: [0, 1]
