// What runs once a segment, and what runs for each of its positions.

// RUN: memformer-opt %s -memformer-expand -memformer-differentiate -memformer-stream -memformer-schedule=training=false -canonicalize -cse | FileCheck %s
// RUN: memformer-opt %s -memformer-schedule-pipeline="training=false generation=true" | FileCheck %s
// RUN: memformer-opt %s -memformer-schedule-pipeline="generation=true" | FileCheck %s --check-prefix=BOTH

// Training and generation side by side.
// BOTH: func.func @begin(
// BOTH: func.func @step(
// BOTH: func.func @forward(
// BOTH: func.func @replay(
// BOTH: func.func @evaluate(
// BOTH: func.func @trace(

memformer.param @table : tensor<7x6xf32> = <normal, 0.5>
memformer.param @positions : tensor<5x6xf32> = <normal, 0.5>
memformer.param @w : tensor<6x6xf32> = <uniform, 0.5>
memformer.param @norm : tensor<6xf32> = <constant, 1.0>
memformer.param @start : tensor<2x3x6xf32> = <normal, 0.5>

// The state, and keys and values of what does not wait for the tokens. Of the inputs those that this takes, and no dropout.
// CHECK-LABEL: func.func @begin(
// CHECK-SAME: %[[M:[a-z0-9]*]]: tensor<2x3x6xf32> {memformer.name = "m", memformer.role = "state"}, %[[SEEN:[a-z0-9]*]]: tensor<2x5xi32> {memformer.bound = 7 : i64, memformer.name = "seen", memformer.role = "input"}, %[[RESET:[a-z0-9]*]]: tensor<2xi32> {memformer.name = "reset", memformer.role = "input"})
// CHECK-SAME: -> (tensor<2x3x6xf32> {memformer.name = "m", memformer.role = "state"}, tensor<2x3x6xf32> {memformer.name = "carried0", memformer.role = "carried"}, tensor<2x5x6xf32> {memformer.name = "carried1", memformer.role = "carried"})
// CHECK: %[[ENTERING:.*]] = memformer.select_rows %[[RESET]]
// CHECK: %[[X:.*]] = memformer.embedding %[[SEEN]]
// CHECK: %[[NEXT:.*]], %{{.*}} = memformer.attention %[[ENTERING]], %[[X]], %[[X]] heads 2
// CHECK: %[[K:.*]] = memformer.linear %[[NEXT]]
// CHECK: return %[[NEXT]], %[[K]], %[[X]]

// CHECK-LABEL: func.func @step(
// CHECK-SAME: %[[T:[a-z0-9]*]]: tensor<2x1xi32> {memformer.bound = 7 : i64, memformer.name = "tokens", memformer.role = "step_input"}, %[[P:[a-z0-9]*]]: tensor<i32> {memformer.name = "position", memformer.role = "step_input"},
// CHECK-SAME: %[[KC:[a-z0-9]*]]: tensor<2x5x6xf32> {memformer.name = "key_cache0", memformer.role = "cache"}, %[[VC:[a-z0-9]*]]: tensor<2x5x6xf32> {memformer.name = "value_cache0", memformer.role = "cache"},
// CHECK-SAME: %[[C0:[a-z0-9]*]]: tensor<2x3x6xf32> {memformer.name = "carried0", memformer.role = "carried"}, %[[C1:[a-z0-9]*]]: tensor<2x5x6xf32> {memformer.name = "carried1", memformer.role = "carried"})
// CHECK-SAME: -> (tensor<2x1x7xf32> {memformer.name = "logits", memformer.role = "step_output"}, tensor<2x5x6xf32> {memformer.name = "key_cache0", memformer.role = "cache"}, tensor<2x5x6xf32> {memformer.name = "value_cache0", memformer.role = "cache"})
// CHECK-DAG: %[[TABLE:.*]] = memformer.load_param @table
// CHECK: %[[X0:.*]] = memformer.embedding %[[T]], %[[TABLE]] : (tensor<2x1xi32>, tensor<7x6xf32>) -> tensor<2x1x6xf32>
// A row of the table of positions.
// CHECK: %[[ROW:.*]] = memformer.row %{{.*}} axis 0 at %[[P]] : (tensor<5x6xf32>, tensor<i32>) -> tensor<1x6xf32>
// CHECK: %[[X1:.*]] = memformer.add %[[X0]], %[[ROW]] : (tensor<2x1x6xf32>, tensor<1x6xf32>) -> tensor<2x1x6xf32>
// CHECK-NOT: memformer.dropout
// CHECK: %[[O:.*]], %[[KC1:.*]], %[[VC1:.*]] = memformer.attention_step %[[X1]], %[[X1]], %[[X1]] cache(%[[KC]], %[[VC]]) at %[[P]] heads 3 scale 5.000000e-01 :
// CHECK: %[[N:.*]] = memformer.layer_norm %[[O]]
// CHECK: %[[A:.*]], %{{.*}} = memformer.attention %[[N]], %[[C0]], %[[C0]] heads 2 scale 5.000000e-01 : (tensor<2x1x6xf32>, tensor<2x3x6xf32>, tensor<2x3x6xf32>) -> (tensor<2x1x6xf32>, tensor<2x2x1xf32>)
// A row of what the segment has for each position.
// CHECK: %[[OWN:.*]] = memformer.row %[[C1]] axis 1 at %[[P]] : (tensor<2x5x6xf32>, tensor<i32>) -> tensor<2x1x6xf32>
// CHECK: %[[SUM:.*]] = memformer.add %[[A]], %[[OWN]]
// CHECK: %[[Y:.*]] = memformer.linear %[[SUM]], %[[TABLE]] : (tensor<2x1x6xf32>, tensor<7x6xf32>) -> tensor<2x1x7xf32>
// CHECK: return %[[Y]], %[[KC1]], %[[VC1]]

// CHECK-NOT: func.func @forward
// CHECK-LABEL: func.func @evaluate(
// CHECK-LABEL: func.func @trace(
memformer.recurrence @model states ["m"] inputs ["seen", "tokens", "targets", "dropout_key"] outputs ["logits", "prediction"] streamed "tokens" to "logits" initial {
  %m = memformer.load_param @start : tensor<2x3x6xf32>
  memformer.yield state(%m : tensor<2x3x6xf32>)
} segment {
^bb0(%m: tensor<2x3x6xf32>, %seen: tensor<2x5xi32>, %tokens: tensor<2x5xi32>, %targets: tensor<2x5xi32>, %key: tensor<2xi32>):
  %table = memformer.load_param @table : tensor<7x6xf32>
  %positions = memformer.load_param @positions : tensor<5x6xf32>
  %w = memformer.load_param @w : tensor<6x6xf32>
  %norm = memformer.load_param @norm : tensor<6xf32>
  %e0 = memformer.embedding %seen, %table : (tensor<2x5xi32>, tensor<7x6xf32>) -> tensor<2x5x6xf32>
  %e = memformer.dropout %e0, %key probability 0.5 stream 1 : (tensor<2x5x6xf32>, tensor<2xi32>) -> tensor<2x5x6xf32>
  %next, %lse0 = memformer.attention %m, %e, %e heads 2 scale 0.5 : (tensor<2x3x6xf32>, tensor<2x5x6xf32>, tensor<2x5x6xf32>) -> (tensor<2x3x6xf32>, tensor<2x2x3xf32>)
  %k = memformer.linear %next, %w : (tensor<2x3x6xf32>, tensor<6x6xf32>) -> tensor<2x3x6xf32>
  %x0 = memformer.embedding %tokens, %table : (tensor<2x5xi32>, tensor<7x6xf32>) -> tensor<2x5x6xf32>
  %x1 = memformer.add %x0, %positions : (tensor<2x5x6xf32>, tensor<5x6xf32>) -> tensor<2x5x6xf32>
  %x = memformer.dropout %x1, %key probability 0.5 stream 2 : (tensor<2x5x6xf32>, tensor<2xi32>) -> tensor<2x5x6xf32>
  %o, %lse1 = memformer.attention %x, %x, %x dropout(%key probability 0.25 stream 3) heads 3 scale 0.5 causal : (tensor<2x5x6xf32>, tensor<2x5x6xf32>, tensor<2x5x6xf32>, tensor<2xi32>) -> (tensor<2x5x6xf32>, tensor<2x3x5xf32>)
  %n = memformer.layer_norm %o, %norm, %norm : (tensor<2x5x6xf32>, tensor<6xf32>, tensor<6xf32>) -> tensor<2x5x6xf32>
  %a, %lse2 = memformer.attention %n, %k, %k heads 2 scale 0.5 : (tensor<2x5x6xf32>, tensor<2x3x6xf32>, tensor<2x3x6xf32>) -> (tensor<2x5x6xf32>, tensor<2x2x5xf32>)
  %y = memformer.add %a, %e : (tensor<2x5x6xf32>, tensor<2x5x6xf32>) -> tensor<2x5x6xf32>
  %logits = memformer.linear %y, %table : (tensor<2x5x6xf32>, tensor<7x6xf32>) -> tensor<2x5x7xf32>
  %loss, %lse3 = memformer.cross_entropy %logits, %targets : (tensor<2x5x7xf32>, tensor<2x5xi32>) -> (tensor<2x5xf32>, tensor<2x5xf32>)
  %prediction = memformer.argmax %logits : (tensor<2x5x7xf32>) -> tensor<2x5xi32>
  memformer.yield state(%next : tensor<2x3x6xf32>) loss(%loss : tensor<2x5xf32>) outputs(%logits, %prediction : tensor<2x5x7xf32>, tensor<2x5xi32>)
}
