// RUN: memformer-opt %s -memformer-differentiate | FileCheck %s

memformer.param @w : tensor<4x4xf32> = <uniform, 0.5>
memformer.param @first : tensor<4xf32> = <uniform, 0.5>
memformer.param @idle : tensor<4xf32> = <uniform, 0.5>

// One parameter used twice: two contributions, each added where it is produced, and never to each other. What reaches the state
// twice is added.
// CHECK-LABEL: memformer.recurrence @twice
// CHECK: replay {
// CHECK-NEXT: ^bb0(%[[H:.*]]: tensor<2x4xf32>, %[[TARGETS:.*]]: tensor<2xi32>, %[[RESET:.*]]: tensor<2xi32>, %[[SCALE:.*]]: tensor<f32>, %[[GRADIENT:.*]]: tensor<2x4xf32>):
// CHECK: %[[INITIAL:.*]] = memformer.broadcast
// CHECK: %[[ENTERING:.*]] = memformer.select_rows %[[RESET]], %[[INITIAL]], %[[H]]
// CHECK: %[[W:.*]] = memformer.load_param @w
// CHECK: %[[A:.*]] = memformer.linear %[[ENTERING]], %[[W]] :
// CHECK: %[[SUM:.*]] = memformer.add %[[A]], %[[ENTERING]]
// CHECK: %[[NEXT:.*]] = memformer.linear %[[SUM]], %[[W]] :
// CHECK: %[[LOSS:.*]], %[[LSE:.*]] = memformer.cross_entropy %[[NEXT]], %[[TARGETS]]
// CHECK: %[[SEED:.*]] = memformer.broadcast %[[SCALE]] : (tensor<f32>) -> tensor<2xf32>
// CHECK: %[[LOGITS:.*]] = memformer.cross_entropy_gradient %[[SEED]], %[[NEXT]], %[[TARGETS]], %[[LSE]]
// CHECK: %[[G:.*]] = memformer.add %[[GRADIENT]], %[[LOGITS]]
// CHECK-DAG: %[[GS:.*]] = memformer.linear %[[G]], %[[W]] transposed
// CHECK-DAG: %[[W1:.*]] = memformer.weight_gradient %[[G]], %[[SUM]]
// CHECK: memformer.accumulate @w, %[[W1]]
// CHECK-DAG: %[[GA:.*]] = memformer.linear %[[GS]], %[[W]] transposed
// CHECK-DAG: %[[W2:.*]] = memformer.weight_gradient %[[GS]], %[[ENTERING]]
// CHECK: %[[GE:.*]] = memformer.add %[[GS]], %[[GA]]
// CHECK: memformer.accumulate @w, %[[W2]]
// CHECK: memformer.select_rows %[[RESET]], %[[GE]]
// CHECK: memformer.accumulate @first
// CHECK-NOT: memformer.accumulate
// CHECK: memformer.yield state(%{{.*}} : tensor<2x4xf32>) loss(%[[LOSS]] : tensor<2xf32>) outputs(%[[NEXT]], %[[SUM]] : tensor<2x4xf32>, tensor<2x4xf32>)
memformer.recurrence @twice states ["h"] inputs ["targets"] outputs ["sum"] initial {
  %first = memformer.load_param @first : tensor<4xf32>
  %h = memformer.broadcast %first : (tensor<4xf32>) -> tensor<2x4xf32>
  memformer.yield state(%h : tensor<2x4xf32>)
} segment {
^bb0(%h: tensor<2x4xf32>, %targets: tensor<2xi32>):
  %w = memformer.load_param @w : tensor<4x4xf32>
  %a = memformer.linear %h, %w : (tensor<2x4xf32>, tensor<4x4xf32>) -> tensor<2x4xf32>
  %sum = memformer.add %a, %h : (tensor<2x4xf32>, tensor<2x4xf32>) -> tensor<2x4xf32>
  %next = memformer.linear %sum, %w : (tensor<2x4xf32>, tensor<4x4xf32>) -> tensor<2x4xf32>
  %loss, %lse = memformer.cross_entropy %next, %targets : (tensor<2x4xf32>, tensor<2xi32>) -> (tensor<2xf32>, tensor<2xf32>)
  // Only observed: no gradient crosses it.
  %observed = memformer.gelu %next : (tensor<2x4xf32>) -> tensor<2x4xf32>
  memformer.yield state(%next : tensor<2x4xf32>) loss(%loss : tensor<2xf32>) outputs(%sum : tensor<2x4xf32>)
}
