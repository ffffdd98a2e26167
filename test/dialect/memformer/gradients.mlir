// The vector-Jacobian product of every op: which ops it is made of, that each wanted operand gets one, and no other.
// RUN: memformer-opt %s -memformer-differentiate -canonicalize -split-input-file | FileCheck %s

// A row that is added to every place gets the sum over places; so does a bias.
// CHECK-LABEL: memformer.recurrence @add
// CHECK:       replay
// CHECK:         %[[G:.*]] = memformer.broadcast %loss_scale
// CHECK:         %[[GB:.*]] = memformer.sum_leading %[[G]] : (tensor<2x3xf32>) -> tensor<3xf32>
// CHECK:         memformer.accumulate @row, %[[GB]]
memformer.param @row : tensor<3xf32> = <constant, 1.0>
memformer.recurrence @add states [] inputs ["x"] outputs [] initial { memformer.yield } segment {
^bb0(%x: tensor<2x3xf32>):
  %row = memformer.load_param @row : tensor<3xf32>
  %y = memformer.add %x, %row : (tensor<2x3xf32>, tensor<3xf32>) -> tensor<2x3xf32>
  memformer.yield loss(%y : tensor<2x3xf32>)
}

// -----

// Of a linear layer whose input wants no gradient, the weight's and the bias's alone.
// CHECK-LABEL: memformer.recurrence @linear
// CHECK:       replay
// CHECK:         memformer.linear %x
// CHECK:         %[[G:.*]] = memformer.broadcast %loss_scale
// CHECK-NOT:     transposed
// CHECK:         memformer.weight_gradient %[[G]], %x : (tensor<2x3xf32>, tensor<2x5xf32>) -> tensor<3x5xf32>
// CHECK:         memformer.sum_leading %[[G]] : (tensor<2x3xf32>) -> tensor<3xf32>
memformer.param @weight : tensor<3x5xf32> = <constant, 1.0>
memformer.param @bias : tensor<3xf32> = <constant, 1.0>
memformer.recurrence @linear states [] inputs ["x"] outputs [] initial { memformer.yield } segment {
^bb0(%x: tensor<2x5xf32>):
  %w = memformer.load_param @weight : tensor<3x5xf32>
  %b = memformer.load_param @bias : tensor<3xf32>
  %y = memformer.linear %x, %w, %b : (tensor<2x5xf32>, tensor<3x5xf32>, tensor<3xf32>) -> tensor<2x3xf32>
  memformer.yield loss(%y : tensor<2x3xf32>)
}

// -----

// y = x W gives dx = g Wᵀ and dW = xᵀ g.
// CHECK-LABEL: memformer.recurrence @transposed
// CHECK:       replay
// CHECK:         %[[Y:.*]] = memformer.linear %[[S:.*]], %[[W:.*]] transposed
// CHECK:         %[[G:.*]] = memformer.broadcast %loss_scale
// CHECK:         memformer.linear %[[G]], %[[W]] : (tensor<2x3xf32>, tensor<5x3xf32>) -> tensor<2x5xf32>
// CHECK:         memformer.weight_gradient %[[S]], %[[G]] : (tensor<2x5xf32>, tensor<2x3xf32>) -> tensor<5x3xf32>
memformer.param @weight : tensor<5x3xf32> = <constant, 1.0>
memformer.recurrence @transposed states ["s"] inputs [] outputs [] initial {
  %0 = arith.constant dense<0.0> : tensor<2x5xf32>
  memformer.yield state(%0 : tensor<2x5xf32>)
} segment {
^bb0(%s: tensor<2x5xf32>):
  %zero = arith.constant dense<0.0> : tensor<2x5xf32>
  %w = memformer.load_param @weight : tensor<5x3xf32>
  %y = memformer.linear %s, %w transposed : (tensor<2x5xf32>, tensor<5x3xf32>) -> tensor<2x3xf32>
  memformer.yield state(%zero : tensor<2x5xf32>) loss(%y : tensor<2x3xf32>)
}

// -----

// A slice's gradient is padded with zeros on both sides; a concatenation's is cut.
// CHECK-LABEL: memformer.recurrence @cut
// CHECK:       replay
// CHECK-DAG:     %[[ONE:.*]] = arith.constant dense<0.000000e+00> : tensor<1x5xf32>
// CHECK-DAG:     %[[TWO:.*]] = arith.constant dense<0.000000e+00> : tensor<2x5xf32>
// CHECK:         %[[G:.*]] = memformer.broadcast %loss_scale
// CHECK:         %[[A:.*]] = memformer.concat %[[ONE]], %[[G]] axis 0 : (tensor<1x5xf32>, tensor<4x5xf32>) -> tensor<5x5xf32>
// CHECK:         %[[B:.*]] = memformer.concat %[[A]], %[[TWO]] axis 0 : (tensor<5x5xf32>, tensor<2x5xf32>) -> tensor<7x5xf32>
// CHECK:         %[[P:.*]] = memformer.slice %[[A]] axis 0 offset 0 : (tensor<5x5xf32>) -> tensor<3x5xf32>
// CHECK:         %[[Q:.*]] = memformer.slice %[[B]] axis 0 offset 3 : (tensor<7x5xf32>) -> tensor<4x5xf32>
// CHECK:         memformer.accumulate @p, %[[P]]
// CHECK:         memformer.accumulate @q, %[[Q]]
memformer.param @p : tensor<3x5xf32> = <constant, 1.0>
memformer.param @q : tensor<4x5xf32> = <constant, 1.0>
memformer.recurrence @cut states [] inputs [] outputs [] initial { memformer.yield } segment {
  %p = memformer.load_param @p : tensor<3x5xf32>
  %q = memformer.load_param @q : tensor<4x5xf32>
  %pq = memformer.concat %p, %q axis 0 : (tensor<3x5xf32>, tensor<4x5xf32>) -> tensor<7x5xf32>
  %y = memformer.slice %pq axis 0 offset 1 : (tensor<7x5xf32>) -> tensor<4x5xf32>
  memformer.yield loss(%y : tensor<4x5xf32>)
}

// -----

// Rows that restarted pass their gradient to the initial state, the others to the state that went on.
// CHECK-LABEL: memformer.recurrence @select
// CHECK:       replay
// CHECK:         %[[Z:.*]] = arith.constant dense<0.000000e+00> : tensor<2x3xf32>
// CHECK:         memformer.select_rows %reset, %{{.*}}, %s
// CHECK:         memformer.gelu
// CHECK:         %[[G:.*]] = memformer.gelu_gradient
// CHECK:         %[[FRESH:.*]] = memformer.select_rows %reset, %[[G]], %[[Z]]
// CHECK:         %[[OLD:.*]] = memformer.select_rows %reset, %[[Z]], %[[G]]
// CHECK:         %[[ROW:.*]] = memformer.sum_leading %[[FRESH]]
// CHECK:         memformer.accumulate @row, %[[ROW]]
// CHECK:         memformer.yield state(%[[OLD]]
memformer.param @row : tensor<3xf32> = <constant, 1.0>
memformer.recurrence @select states ["s"] inputs [] outputs [] initial {
  %row = memformer.load_param @row : tensor<3xf32>
  %0 = memformer.broadcast %row : (tensor<3xf32>) -> tensor<2x3xf32>
  memformer.yield state(%0 : tensor<2x3xf32>)
} segment {
^bb0(%s: tensor<2x3xf32>):
  %zero = arith.constant dense<0.0> : tensor<2x3xf32>
  %y = memformer.gelu %s : (tensor<2x3xf32>) -> tensor<2x3xf32>
  memformer.yield state(%zero : tensor<2x3xf32>) loss(%y : tensor<2x3xf32>)
}

// -----

// The gradient of dropout is dropout with the same key, probability and stream.
// CHECK-LABEL: memformer.recurrence @dropout
// CHECK:       replay
// CHECK:         %[[G:.*]] = memformer.broadcast %loss_scale
// CHECK:         %[[D:.*]] = memformer.dropout %[[G]], %dropout_key probability 2.500000e-01 stream 4
// CHECK:         memformer.relu_gradient %[[D]]
memformer.param @p : tensor<3xf32> = <constant, 1.0>
memformer.recurrence @dropout states [] inputs ["dropout_key"] outputs [] initial { memformer.yield } segment {
^bb0(%key: tensor<2xi32>):
  %p = memformer.load_param @p : tensor<3xf32>
  %x = memformer.relu %p : (tensor<3xf32>) -> tensor<3xf32>
  %y = memformer.dropout %x, %key probability 0.25 stream 4 : (tensor<3xf32>, tensor<2xi32>) -> tensor<3xf32>
  memformer.yield loss(%y : tensor<3xf32>)
}

// -----

// The bias of a memory normalisation gets the sum over the batch; without a batch its own gradient.
// CHECK-LABEL: memformer.recurrence @bmn
// CHECK:       replay
// CHECK:         %[[G:.*]] = memformer.bmn_gradient %{{.*}}, %{{.*}}, %{{.*}} : (tensor<2x3x5xf32>, tensor<2x3x5xf32>, tensor<3x5xf32>) -> tensor<2x3x5xf32>
// CHECK:         %[[V:.*]] = memformer.sum_leading %[[G]] : (tensor<2x3x5xf32>) -> tensor<3x5xf32>
// CHECK:         memformer.accumulate @bias, %[[V]]
// CHECK:         %[[I:.*]] = memformer.bmn_gradient %{{.*}}, %{{.*}} : (tensor<3x5xf32>, tensor<3x5xf32>) -> tensor<3x5xf32>
// CHECK:         memformer.accumulate @bias, %[[I]]
memformer.param @bias : tensor<3x5xf32> = <rows, 0.3>
memformer.recurrence @bmn states ["m"] inputs [] outputs [] initial {
  %v = memformer.load_param @bias : tensor<3x5xf32>
  %0 = memformer.bmn %v : (tensor<3x5xf32>) -> tensor<3x5xf32>
  %1 = memformer.broadcast %0 : (tensor<3x5xf32>) -> tensor<2x3x5xf32>
  memformer.yield state(%1 : tensor<2x3x5xf32>)
} segment {
^bb0(%m: tensor<2x3x5xf32>):
  %v = memformer.load_param @bias : tensor<3x5xf32>
  %y = memformer.bmn %m, %v : (tensor<2x3x5xf32>, tensor<3x5xf32>) -> tensor<2x3x5xf32>
  memformer.yield state(%y : tensor<2x3x5xf32>) loss(%y : tensor<2x3x5xf32>)
}

// -----

// From the loss to the table: cross-entropy, layer norm, embedding. argmax passes nothing on.
// CHECK-LABEL: memformer.recurrence @tokens
// CHECK:       replay
// CHECK:         %[[LOSS:.*]], %[[LSE:.*]] = memformer.cross_entropy %[[LOGITS:.*]], %targets
// CHECK:         %[[Z:.*]] = memformer.cross_entropy_gradient %{{.*}}, %[[LOGITS]], %targets, %[[LSE]]
// CHECK:         %[[DX:.*]], %[[DSCALE:.*]], %[[DSHIFT:.*]] = memformer.layer_norm_gradient %[[Z]], %{{.*}}, %{{.*}} {epsilon = 1.000000e-03 : f64}
// CHECK-DAG:     memformer.accumulate @shift, %[[DSHIFT]]
// CHECK-DAG:     memformer.accumulate @scale, %[[DSCALE]]
// CHECK:         %[[T:.*]] = memformer.embedding_gradient %[[DX]], %tokens
// CHECK:         memformer.accumulate @table, %[[T]]
memformer.param @table : tensor<11x7xf32> = <normal, 0.02>
memformer.param @scale : tensor<7xf32> = <constant, 1.0>
memformer.param @shift : tensor<7xf32> = <constant, 0.0>
memformer.recurrence @tokens states [] inputs ["tokens", "targets"] outputs ["prediction"] initial { memformer.yield } segment {
^bb0(%tokens: tensor<2x5xi32>, %targets: tensor<2x5xi32>):
  %table = memformer.load_param @table : tensor<11x7xf32>
  %scale = memformer.load_param @scale : tensor<7xf32>
  %shift = memformer.load_param @shift : tensor<7xf32>
  %x = memformer.embedding %tokens, %table : (tensor<2x5xi32>, tensor<11x7xf32>) -> tensor<2x5x7xf32>
  %y = memformer.layer_norm %x, %scale, %shift {epsilon = 1.0e-3} : (tensor<2x5x7xf32>, tensor<7xf32>, tensor<7xf32>) -> tensor<2x5x7xf32>
  %loss, %lse = memformer.cross_entropy %y, %targets : (tensor<2x5x7xf32>, tensor<2x5xi32>) -> (tensor<2x5xf32>, tensor<2x5xf32>)
  %prediction = memformer.argmax %y : (tensor<2x5x7xf32>) -> tensor<2x5xi32>
  memformer.yield loss(%loss : tensor<2x5xf32>) outputs(%prediction : tensor<2x5xi32>)
}

// -----

// Attention hands its result and lse to its gradient, with the same heads, scale, mask and dropout.
// CHECK-LABEL: memformer.recurrence @attention
// CHECK:       replay
// CHECK:         %[[O:.*]], %[[LSE:.*]] = memformer.attention %[[P:.*]], %[[P]], %x dropout(%dropout_key probability 1.000000e-01 stream 3) heads 3 scale 5.000000e-01 causal
// CHECK:         %[[Q:.*]], %[[K:.*]], %{{.*}} = memformer.attention_gradient %{{.*}}, %[[P]], %[[P]], %x, %[[O]], %[[LSE]] dropout(%dropout_key probability 1.000000e-01 stream 3) heads 3 scale 5.000000e-01 causal
// CHECK:         memformer.accumulate @p, %[[Q]]
// CHECK:         memformer.accumulate @p, %[[K]]
// CHECK-NOT:     memformer.accumulate
memformer.param @p : tensor<2x5x6xf32> = <constant, 1.0>
memformer.recurrence @attention states [] inputs ["x", "dropout_key"] outputs [] initial { memformer.yield } segment {
^bb0(%x: tensor<2x5x6xf32>, %key: tensor<2xi32>):
  %p = memformer.load_param @p : tensor<2x5x6xf32>
  %o, %lse = memformer.attention %p, %p, %x dropout(%key probability 0.1 stream 3) heads 3 scale 0.5 causal
    : (tensor<2x5x6xf32>, tensor<2x5x6xf32>, tensor<2x5x6xf32>, tensor<2xi32>) -> (tensor<2x5x6xf32>, tensor<2x3x5xf32>)
  memformer.yield loss(%o : tensor<2x5x6xf32>)
}

// -----

// CHECK-LABEL: memformer.recurrence @slot_attention
// CHECK:       replay
// CHECK:         %[[O:.*]], %[[LSE:.*]] = memformer.slot_attention %[[P:.*]] self(%[[P]], %[[P]]), %x, %x heads 3
// CHECK:         %[[Q:.*]], %[[SK:.*]], %[[SV:.*]], %{{.*}}, %{{.*}} = memformer.slot_attention_gradient %{{.*}}, %[[P]] self(%[[P]], %[[P]]), %x, %x, %[[O]], %[[LSE]] heads 3 scale 5.000000e-01
// CHECK:         memformer.accumulate @p, %[[Q]]
// CHECK:         memformer.accumulate @p, %[[SK]]
// CHECK:         memformer.accumulate @p, %[[SV]]
// CHECK-NOT:     memformer.accumulate
memformer.param @p : tensor<2x5x6xf32> = <constant, 1.0>
memformer.recurrence @slot_attention states [] inputs ["x"] outputs [] initial { memformer.yield } segment {
^bb0(%x: tensor<2x7x6xf32>):
  %p = memformer.load_param @p : tensor<2x5x6xf32>
  %o, %lse = memformer.slot_attention %p self(%p, %p), %x, %x heads 3 scale 0.5
    : (tensor<2x5x6xf32>, tensor<2x5x6xf32>, tensor<2x5x6xf32>, tensor<2x7x6xf32>, tensor<2x7x6xf32>) -> (tensor<2x5x6xf32>, tensor<2x3x5xf32>)
  memformer.yield loss(%o : tensor<2x5x6xf32>)
}
