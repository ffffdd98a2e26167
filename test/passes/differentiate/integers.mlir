// A state of integers restarts like the others and has no gradient: none arrives, and none is handed on.
// RUN: memformer-opt %s -memformer-differentiate | FileCheck %s

memformer.param @table : tensor<7x4xf32> = <normal, 0.5>

// CHECK: replay {
// CHECK-NEXT: ^bb0(%[[COUNT:.*]]: tensor<2xi32>, %[[H:.*]]: tensor<2x4xf32>, %[[LAST:.*]]: tensor<2xi32>, %[[TOKENS:.*]]: tensor<2xi32>, %[[RESET:.*]]: tensor<2xi32>, %[[GRADIENT:.*]]: tensor<2x4xf32>):
// CHECK: memformer.select_rows %[[RESET]], %{{.*}}, %[[COUNT]] : (tensor<2xi32>, tensor<2xi32>, tensor<2xi32>) -> tensor<2xi32>
// CHECK: memformer.select_rows %[[RESET]], %{{.*}}, %[[H]] : (tensor<2xi32>, tensor<2x4xf32>, tensor<2x4xf32>) -> tensor<2x4xf32>
// CHECK: %[[ENTERING:.*]] = memformer.select_rows %[[RESET]], %{{.*}}, %[[LAST]] : (tensor<2xi32>, tensor<2xi32>, tensor<2xi32>) -> tensor<2xi32>
// CHECK: %[[NEXT:.*]] = memformer.clamp
// CHECK: %[[TABLE:.*]] = memformer.embedding_gradient %[[GRADIENT]], %[[ENTERING]]
// CHECK: memformer.accumulate @table, %[[TABLE]]
// CHECK-NOT: memformer.accumulate
// CHECK: memformer.yield state(%{{.*}} : tensor<2x4xf32>) outputs(%[[NEXT]], %{{.*}}, %[[TOKENS]] : tensor<2xi32>, tensor<2x4xf32>, tensor<2xi32>)
memformer.recurrence @model states ["count", "h", "last"] inputs ["tokens"] outputs [] initial {
  %zero = arith.constant dense<0> : tensor<2xi32>
  %none = arith.constant dense<0.0> : tensor<2x4xf32>
  memformer.yield state(%zero, %none, %zero : tensor<2xi32>, tensor<2x4xf32>, tensor<2xi32>)
} segment {
^bb0(%count: tensor<2xi32>, %h: tensor<2x4xf32>, %last: tensor<2xi32>, %tokens: tensor<2xi32>):
  %one = arith.constant dense<1> : tensor<i32>
  %more = memformer.add %count, %one : (tensor<2xi32>, tensor<i32>) -> tensor<2xi32>
  %next = memformer.clamp %more min 0 max 9 : tensor<2xi32>
  %table = memformer.load_param @table : tensor<7x4xf32>
  %x = memformer.embedding %last, %table : (tensor<2xi32>, tensor<7x4xf32>) -> tensor<2x4xf32>
  %y = memformer.add %x, %h : (tensor<2x4xf32>, tensor<2x4xf32>) -> tensor<2x4xf32>
  memformer.yield state(%next, %y, %tokens : tensor<2xi32>, tensor<2x4xf32>, tensor<2xi32>)
}
