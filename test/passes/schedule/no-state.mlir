// A model without state: nothing to reset, and under mrbp nothing to do forward.

// RUN: memformer-opt %s -memformer-schedule-pipeline=schedule=mrbp | FileCheck %s
// RUN: memformer-opt %s -memformer-schedule-pipeline=schedule=bptt | FileCheck %s --check-prefix=BPTT

// CHECK-LABEL: func.func @forward(
// CHECK-NOT: reset
// CHECK-NEXT: return
// CHECK-LABEL: func.func @replay(
// CHECK-SAME: memformer.name = "loss_scale", memformer.role = "scalar"
// CHECK-SAME: -> (tensor<5xf32> {memformer.name = "loss", memformer.role = "output"})
// CHECK: memformer.accumulate @table
// CHECK: return

// BPTT-LABEL: func.func @forward(
// BPTT-SAME: -> (tensor<5x3xf32> {memformer.name = "saved0", memformer.role = "saved"}, tensor<5xf32> {memformer.name = "saved1", memformer.role = "saved"}, tensor<5xf32> {memformer.name = "loss", memformer.role = "output"})
// BPTT-LABEL: func.func @replay(
// BPTT-SAME: memformer.role = "scalar"}) {
// BPTT-NOT: memformer.cross_entropy %
// BPTT: memformer.accumulate @table
// BPTT: return
memformer.param @table : tensor<3x3xf32> = <normal, 0.5>
memformer.recurrence @bigram states [] inputs ["tokens", "targets"] outputs ["logits"] initial {
  memformer.yield
} segment {
^bb0(%tokens: tensor<5xi32>, %targets: tensor<5xi32>):
  %table = memformer.load_param @table : tensor<3x3xf32>
  %logits = memformer.embedding %tokens, %table : (tensor<5xi32>, tensor<3x3xf32>) -> tensor<5x3xf32>
  %loss, %lse = memformer.cross_entropy %logits, %targets : (tensor<5x3xf32>, tensor<5xi32>) -> (tensor<5xf32>, tensor<5xf32>)
  memformer.yield loss(%loss : tensor<5xf32>) outputs(%logits : tensor<5x3xf32>)
}
