// States of integers under each schedule: handed on and replayed, never with a gradient. What a table limits is said of the input that it comes from and of the state that it goes through.
// RUN: memformer-opt %S/Inputs/integer-states.mlir -memformer-schedule-pipeline=schedule=mrbp | FileCheck %s
// RUN: memformer-opt %S/Inputs/integer-states.mlir -memformer-schedule-pipeline=schedule=checkpoint | FileCheck %s
// RUN: memformer-opt %S/Inputs/integer-states.mlir -memformer-schedule-pipeline=schedule=bptt | FileCheck %s
// The forward traversal of mrbp looks up no target.
// RUN: memformer-opt %S/Inputs/integer-states.mlir -memformer-schedule-pipeline=schedule=mrbp | FileCheck %s --check-prefix=MRBP

// CHECK-LABEL: func.func @forward(
// CHECK-SAME: tensor<3x7xi32> {memformer.bound = 11 : i64, memformer.name = "recent", memformer.role = "state"}
// CHECK-SAME: tensor<3x2x1x3xf32> {memformer.name = "summary", memformer.role = "state"}
// CHECK-SAME: tensor<3xi32> {memformer.bound = 4 : i64, memformer.name = "age", memformer.role = "state"}
// CHECK-SAME: tensor<3xf32> {memformer.name = "level", memformer.role = "state"}
// CHECK-SAME: tensor<3x5xi32> {memformer.bound = 11 : i64, memformer.name = "decoder_tokens", memformer.role = "input"}
// CHECK-LABEL: func.func @replay(
// CHECK-SAME: tensor<3xi32> {memformer.name = "reset", memformer.role = "input"}
// CHECK-NOT: name = "recent", memformer.role = "state_gradient"
// CHECK-NOT: name = "age", memformer.role = "state_gradient"
// CHECK-SAME: tensor<3x2x1x3xf32> {memformer.name = "summary", memformer.role = "state_gradient"}, %{{[a-z0-9]*}}: tensor<3xf32> {memformer.name = "level", memformer.role = "state_gradient"}, %{{[a-z0-9]*}}: tensor<f32> {memformer.name = "loss_scale"
// CHECK-SAME: -> (tensor<3x2x1x3xf32> {memformer.name = "summary", memformer.role = "state_gradient"}, tensor<3xf32> {memformer.name = "level", memformer.role = "state_gradient"}
// CHECK-LABEL: func.func @evaluate(
// MRBP-LABEL: func.func @forward(
// MRBP-NOT: memformer.cross_entropy
// MRBP-LABEL: func.func @replay(
