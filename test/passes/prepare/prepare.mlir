// RUN: memformer-opt %s -memformer-to-kernels -kernel-fuse -kernel-prepare -kernel-add-update=block-entries=32 | FileCheck %s

memformer.param @w : tensor<5x7xf32> = <uniform, 0.5>
memformer.param @v : tensor<3x7xf32> = <rows, 0.3>

// One pack for each weight and form, whoever reads it.
// CHECK-LABEL: func.func @prepare()
// CHECK-SAME: -> (tensor<1x7x16xf32> {memformer.name = "packed0", memformer.role = "packed"}, tensor<3x7xf32> {memformer.name = "packed1", memformer.role = "packed"}, tensor<1x5x16xf32> {memformer.name = "packed2", memformer.role = "packed"})
// CHECK-DAG: %[[W:.*]] = memformer.load_param @w
// CHECK-DAG: %[[V:.*]] = memformer.load_param @v
// CHECK-DAG: %[[A:.*]] = kernel.pack %[[W]] transposed
// CHECK-DAG: %[[N:.*]] = kernel.normalize %[[V]]
// CHECK-DAG: %[[B:.*]] = kernel.pack %[[W]] :
// CHECK: return %[[A]], %[[N]], %[[B]]

// CHECK-LABEL: func.func @forward(
// CHECK-SAME: %[[X:.*]]: tensor<2x7xf32> {memformer.name = "x", memformer.role = "input"}
// CHECK-SAME: %[[P:.*]]: tensor<1x7x16xf32> {memformer.name = "packed0", memformer.role = "packed"}
// CHECK-SAME: %[[M:.*]]: tensor<3x7xf32> {memformer.name = "packed1", memformer.role = "packed"}
// CHECK-NOT: load_param
// CHECK-NOT: kernel.pack
// CHECK: kernel.gemm %[[X]], %[[P]]
// CHECK: return %{{.*}}, %[[M]]
func.func @forward(%x: tensor<2x7xf32> {memformer.role = "input", memformer.name = "x"})
    -> (tensor<2x5xf32> {memformer.role = "output", memformer.name = "y"}, tensor<3x7xf32> {memformer.role = "output", memformer.name = "m"}) {
  %w = memformer.load_param @w : tensor<5x7xf32>
  %y = memformer.linear %x, %w : (tensor<2x7xf32>, tensor<5x7xf32>) -> tensor<2x5xf32>
  %v = memformer.load_param @v : tensor<3x7xf32>
  %m = memformer.bmn %v : (tensor<3x7xf32>) -> tensor<3x7xf32>
  return %y, %m : tensor<2x5xf32>, tensor<3x7xf32>
}

// CHECK-LABEL: func.func @replay(
// CHECK-SAME: memformer.name = "packed0"
// CHECK-SAME: memformer.name = "packed2"
// CHECK-NOT: kernel.pack
// CHECK: return
func.func @replay(%x: tensor<2x7xf32> {memformer.role = "input", memformer.name = "x"}) -> (tensor<2x7xf32> {memformer.role = "output", memformer.name = "z"}) {
  %w = memformer.load_param @w : tensor<5x7xf32>
  %y = memformer.linear %x, %w : (tensor<2x7xf32>, tensor<5x7xf32>) -> tensor<2x5xf32>
  %z = memformer.linear %y, %w transposed : (tensor<2x5xf32>, tensor<5x7xf32>) -> tensor<2x7xf32>
  return %z : tensor<2x7xf32>
}

// 35 and 21 entries, each padded to a multiple of 16.
// CHECK-LABEL: func.func @update(
// CHECK-SAME: tensor<80xf32> {memformer.name = "parameters", memformer.role = "parameters"}
// CHECK-SAME: tensor<80xf32> {memformer.name = "gradients", memformer.role = "gradients"}
// CHECK-SAME: tensor<9xf32> {memformer.name = "optimizer", memformer.role = "scalar"}
// CHECK-SAME: -> (tensor<1xf32> {memformer.name = "gradient_norm", memformer.role = "scalar"})
// CHECK: kernel.squared_norm %{{.*}} : (tensor<80xf32>) -> tensor<3xf32>
// CHECK: kernel.adamw
