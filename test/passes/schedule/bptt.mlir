// RUN: memformer-opt %S/Inputs/two-states.mlir -memformer-schedule-pipeline=schedule=bptt | FileCheck %s

// CHECK: memformer.schedule = "bptt"

// The forward traversal computes the loss and hands on what the gradient reads. Arguments, parameters, and what they are
// moved from (the state after its reset) are not among it, nor the joined keys, which are had again from the saved %x.
// CHECK-LABEL: func.func @forward(
// CHECK-SAME: -> (tensor<3x2x4xf32> {memformer.name = "slots", memformer.role = "state"}
// CHECK-SAME: tensor<3x5x4xf32> {memformer.name = "carry", memformer.role = "state"}
// CHECK-SAME: {memformer.name = "saved0", memformer.role = "saved"}
// CHECK-NOT: tensor<3x7x4xf32> {
// CHECK-SAME: tensor<3x5xf32> {memformer.name = "loss", memformer.role = "output"})
// CHECK: memformer.attention
// CHECK: memformer.cross_entropy
// CHECK: return

// The replay is gradient alone.
// CHECK-LABEL: func.func @replay(
// CHECK-SAME: {memformer.name = "saved0", memformer.role = "saved"}
// CHECK-SAME: -> (tensor<3x2x4xf32> {memformer.name = "slots", memformer.role = "state_gradient"}
// CHECK-SAME: tensor<3x5x4xf32> {memformer.name = "carry", memformer.role = "state_gradient"})
// CHECK-NOT: memformer.embedding %
// CHECK-NOT: memformer.layer_norm %
// CHECK-NOT: memformer.slot_attention %
// CHECK-NOT: memformer.attention %
// CHECK-NOT: memformer.cross_entropy %
// CHECK-DAG: memformer.select_rows
// CHECK-DAG: memformer.concat
// CHECK: memformer.cross_entropy_gradient
// CHECK: return
