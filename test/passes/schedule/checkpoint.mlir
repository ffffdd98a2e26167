// RUN: memformer-opt %S/Inputs/two-states.mlir -memformer-schedule-pipeline=schedule=checkpoint | FileCheck %s

// Every node of the model forward, nothing saved; the replay computes all again and gives the gradients alone.
// CHECK: memformer.schedule = "checkpoint"
// CHECK-LABEL: func.func @forward(
// CHECK-SAME: -> (tensor<3x2x4xf32> {memformer.name = "slots", memformer.role = "state"}
// CHECK-SAME: tensor<3x5x4xf32> {memformer.name = "carry", memformer.role = "state"}
// CHECK-SAME: tensor<3x5xf32> {memformer.name = "loss", memformer.role = "output"})
// CHECK: memformer.attention
// CHECK: memformer.cross_entropy
// CHECK: return
// CHECK-LABEL: func.func @replay(
// CHECK-NOT: memformer.role = "saved"
// CHECK-SAME: -> (tensor<3x2x4xf32> {memformer.name = "slots", memformer.role = "state_gradient"}
// CHECK-SAME: tensor<3x5x4xf32> {memformer.name = "carry", memformer.role = "state_gradient"})
// CHECK: memformer.embedding %
// CHECK: memformer.attention %
// CHECK: memformer.attention_gradient
// CHECK: return
