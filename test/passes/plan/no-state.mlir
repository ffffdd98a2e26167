// A model without state: nothing to do forward, nothing carried, no replay buffer.

// RUN: memformer-opt %s -memformer-schedule-pipeline=schedule=mrbp -memformer-kernel-pipeline -memformer-program-pipeline | FileCheck %s

// CHECK: module attributes {memformer.batch = 5 : i64
// CHECK-NOT: program.space @replay
// CHECK: program.function @train {
// CHECK-NEXT: program.fill <@gradients, 0> bytes 64
// CHECK-NEXT: program.loop descending outputs ["loss"] {
// CHECK-NOT: program.loop
// CHECK: #program.address<@gradients, 0>
// CHECK: program.function @update {
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
