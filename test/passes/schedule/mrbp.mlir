// RUN: memformer-opt %S/Inputs/two-states.mlir -memformer-schedule-pipeline=schedule=mrbp | FileCheck %s

// CHECK: module attributes {memformer.name = "pair", memformer.schedule = "mrbp"}
// CHECK-DAG: memformer.param @table
// CHECK-NOT: memformer.recurrence

// The forward traversal computes the next states: no decoder, no loss, no tied projection.
// CHECK-LABEL: func.func @forward(
// CHECK-SAME: tensor<3x2x4xf32> {memformer.name = "slots", memformer.role = "state"}
// CHECK-SAME: tensor<3x5x4xf32> {memformer.name = "carry", memformer.role = "state"}
// CHECK-SAME: tensor<3x5xi32> {memformer.bound = 7 : i64, memformer.name = "tokens", memformer.role = "input"}
// CHECK-SAME: tensor<3x5xi32> {memformer.bound = 7 : i64, memformer.ignored, memformer.name = "targets", memformer.role = "input"}
// CHECK-SAME: tensor<2xi32> {memformer.name = "dropout_key", memformer.role = "input"}
// CHECK-SAME: tensor<3xi32> {memformer.name = "reset", memformer.role = "input"}
// CHECK-SAME: -> (tensor<3x2x4xf32> {memformer.name = "slots", memformer.role = "state"}
// CHECK-SAME: tensor<3x5x4xf32> {memformer.name = "carry", memformer.role = "state"})
// CHECK-NOT: memformer.attention
// CHECK-NOT: memformer.cross_entropy
// CHECK-NOT: memformer.argmax
// CHECK-NOT: memformer.concat
// CHECK-NOT: memformer.accumulate
// CHECK: memformer.slot_attention
// CHECK: return

// CHECK-LABEL: func.func @replay(
// CHECK-SAME: memformer.name = "slots", memformer.role = "state"
// CHECK-SAME: memformer.name = "reset", memformer.role = "input"
// CHECK-SAME: memformer.name = "slots", memformer.role = "state_gradient"
// CHECK-SAME: memformer.name = "carry", memformer.role = "state_gradient"
// CHECK-SAME: tensor<f32> {memformer.name = "loss_scale", memformer.role = "scalar"}
// CHECK-SAME: -> (tensor<3x2x4xf32> {memformer.name = "slots", memformer.role = "state_gradient"}
// CHECK-SAME: tensor<3x5x4xf32> {memformer.name = "carry", memformer.role = "state_gradient"}
// CHECK-SAME: tensor<3x2x4xf32> {memformer.name = "slots", memformer.role = "state"}
// CHECK-SAME: tensor<3x5x4xf32> {memformer.name = "carry", memformer.role = "state"}
// CHECK-SAME: tensor<3x5xf32> {memformer.name = "loss", memformer.role = "output"})
// CHECK: memformer.attention
// CHECK: memformer.cross_entropy
// CHECK-NOT: memformer.argmax
// CHECK: memformer.cross_entropy_gradient
// CHECK: memformer.accumulate @table
// CHECK: return

// CHECK-LABEL: func.func @evaluate(
// CHECK-SAME: tensor<3x5xf32> {memformer.name = "loss", memformer.role = "output"}
// CHECK-SAME: tensor<3x5xi32> {memformer.name = "prediction", memformer.role = "output"})
// CHECK-NOT: dropout
// CHECK: memformer.argmax
// CHECK: return

// CHECK-LABEL: func.func @trace(
// CHECK-SAME: -> (tensor<3x2x4xf32> {memformer.name = "slots", memformer.role = "state"}
// CHECK-SAME: tensor<3x5x4xf32> {memformer.name = "carry", memformer.role = "state"}
// CHECK-SAME: tensor<3x5x7xf32> {memformer.name = "logits", memformer.role = "output"}
// CHECK-SAME: tensor<3x5xi32> {memformer.name = "prediction", memformer.role = "output"}
// CHECK-SAME: tensor<3x5xf32> {memformer.name = "loss", memformer.role = "output"}
// CHECK-SAME: tensor<3x2x4xf32> {memformer.name = "slots", memformer.role = "output"}
// CHECK-SAME: tensor<3x5x4xf32> {memformer.name = "carry", memformer.role = "output"})
// CHECK-DAG: %[[SLOTS:.*]] = memformer.select_rows %arg5, %{{.*}}, %arg0 :
// CHECK-DAG: %[[CARRY:.*]] = memformer.select_rows %arg5, %{{.*}}, %arg1 :
// CHECK-NOT: memformer.dropout
// CHECK: return {{.*}}, %[[SLOTS]], %[[CARRY]] :
