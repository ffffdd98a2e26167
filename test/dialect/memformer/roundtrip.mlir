// The assembly of every op reads back as what was printed.
// RUN: memformer-opt %s | memformer-opt | FileCheck %s
// RUN: memformer-opt %s -mlir-print-op-generic | memformer-opt | FileCheck %s

// CHECK: memformer.param @memory.bias : tensor<3x8xf32> = <rows, 3.000000e-01>
memformer.param @memory.bias : tensor<3x8xf32> = <rows, 0.3>
// CHECK: memformer.param @embedding.weight : tensor<11x8xf32> = <normal, 2.000000e-02>
memformer.param @embedding.weight : tensor<11x8xf32> = <normal, 0.02>
// CHECK: memformer.param @norm.weight : tensor<8xf32> = <constant, 1.000000e+00>
memformer.param @norm.weight : tensor<8xf32> = <constant, 1.0>
// CHECK: memformer.param @up.weight : tensor<7x8xf32> = <uniform, 3.500000e-01> {decay = false}
memformer.param @up.weight : tensor<7x8xf32> = <uniform, 0.35> {decay = false}

// CHECK-LABEL: func.func @parameters
func.func @parameters(%gradient: tensor<3x8xf32>) -> tensor<3x8xf32> {
  // CHECK: %[[BIAS:.*]] = memformer.load_param @memory.bias : tensor<3x8xf32>
  %bias = memformer.load_param @memory.bias : tensor<3x8xf32>
  // CHECK: memformer.accumulate @memory.bias, %{{.*}} : tensor<3x8xf32>
  memformer.accumulate @memory.bias, %gradient : tensor<3x8xf32>
  return %bias : tensor<3x8xf32>
}

// CHECK-LABEL: memformer.recurrence @model states ["memory"] inputs ["tokens", "dropout_key"] outputs ["vectors", "state"] initial {
// CHECK:         memformer.yield state(%{{.*}} : tensor<2x3x8xf32>)
// CHECK:       } segment {
// CHECK:       ^bb0(%[[MEMORY:.*]]: tensor<2x3x8xf32>, %[[TOKENS:.*]]: tensor<2x5xi32>, %{{.*}}: tensor<2xi32>):
// CHECK:         memformer.embedding %[[TOKENS]]
// CHECK:         memformer.yield state(%{{.*}} : tensor<2x3x8xf32>) loss(%{{.*}} : tensor<2x5x8xf32>) outputs(%{{.*}}, %{{.*}} : tensor<2x5x8xf32>, tensor<2x3x8xf32>)
// CHECK:       }
memformer.recurrence @model states ["memory"] inputs ["tokens", "dropout_key"] outputs ["vectors", "state"] initial {
  %bias = memformer.load_param @memory.bias : tensor<3x8xf32>
  %initial = memformer.broadcast %bias : (tensor<3x8xf32>) -> tensor<2x3x8xf32>
  memformer.yield state(%initial : tensor<2x3x8xf32>)
} segment {
^bb0(%memory: tensor<2x3x8xf32>, %tokens: tensor<2x5xi32>, %dropout_key: tensor<2xi32>):
  %table = memformer.load_param @embedding.weight : tensor<11x8xf32>
  %x = memformer.embedding %tokens, %table : (tensor<2x5xi32>, tensor<11x8xf32>) -> tensor<2x5x8xf32>
  memformer.yield state(%memory : tensor<2x3x8xf32>) loss(%x : tensor<2x5x8xf32>) outputs(%x, %memory : tensor<2x5x8xf32>, tensor<2x3x8xf32>)
}

// No state, an attribute, and a replay region.
// CHECK-LABEL: memformer.recurrence @stateless states [] inputs ["x"] outputs [] attributes {note = "a"} initial {
// CHECK:         memformer.yield
// CHECK:       } segment {
// CHECK:         memformer.yield loss(%{{.*}} : tensor<2xf32>)
// CHECK:       } replay {
// CHECK:       ^bb0(%{{.*}}: tensor<2xf32>, %{{.*}}: tensor<f32>):
// CHECK:         memformer.yield loss(%{{.*}} : tensor<2xf32>)
// CHECK:       }
memformer.recurrence @stateless states [] inputs ["x"] outputs [] attributes {note = "a"} initial {
  memformer.yield
} segment {
^bb0(%x: tensor<2xf32>):
  memformer.yield loss(%x : tensor<2xf32>)
} replay {
^bb0(%x: tensor<2xf32>, %loss_scale: tensor<f32>):
  memformer.yield loss(%x : tensor<2xf32>)
}

// With a state, replay also takes reset flags and the state's gradient; it hands on that of the state before.
// CHECK-LABEL: memformer.recurrence @replayed
// CHECK:       } replay {
// CHECK:       ^bb0(%{{.*}}: tensor<2x3xf32>, %{{.*}}: tensor<2xi32>, %{{.*}}: tensor<2xf32>, %{{.*}}: tensor<2xi32>, %{{.*}}: tensor<f32>, %{{.*}}: tensor<2x3xf32>):
// CHECK:         memformer.yield state(%{{.*}} : tensor<2x3xf32>) loss(%{{.*}} : tensor<2xf32>) outputs(%{{.*}}, %{{.*}}, %{{.*}} : tensor<2x3xf32>, tensor<2xi32>, tensor<2xf32>)
memformer.recurrence @replayed states ["s", "position"] inputs ["x"] outputs ["y"] initial {
  %s = arith.constant dense<0.0> : tensor<2x3xf32>
  %position = arith.constant dense<0> : tensor<2xi32>
  memformer.yield state(%s, %position : tensor<2x3xf32>, tensor<2xi32>)
} segment {
^bb0(%s: tensor<2x3xf32>, %position: tensor<2xi32>, %x: tensor<2xf32>):
  memformer.yield state(%s, %position : tensor<2x3xf32>, tensor<2xi32>) loss(%x : tensor<2xf32>) outputs(%x : tensor<2xf32>)
} replay {
^bb0(%s: tensor<2x3xf32>, %position: tensor<2xi32>, %x: tensor<2xf32>, %reset: tensor<2xi32>, %loss_scale: tensor<f32>, %gradient: tensor<2x3xf32>):
  memformer.yield state(%gradient : tensor<2x3xf32>) loss(%x : tensor<2xf32>) outputs(%s, %position, %x : tensor<2x3xf32>, tensor<2xi32>, tensor<2xf32>)
}

// CHECK-LABEL: func.func @elementwise
func.func @elementwise(%x: tensor<2x5x7xf32>, %b: tensor<5x7xf32>, %mask: tensor<2xi32>, %key: tensor<2xi32>) {
  // CHECK: memformer.add %{{.*}}, %{{.*}} : (tensor<2x5x7xf32>, tensor<5x7xf32>) -> tensor<2x5x7xf32>
  %0 = memformer.add %x, %b : (tensor<2x5x7xf32>, tensor<5x7xf32>) -> tensor<2x5x7xf32>
  // CHECK: memformer.broadcast %{{.*}} : (tensor<5x7xf32>) -> tensor<2x5x7xf32>
  %1 = memformer.broadcast %b : (tensor<5x7xf32>) -> tensor<2x5x7xf32>
  // CHECK: memformer.sum_leading %{{.*}} : (tensor<2x5x7xf32>) -> tensor<7xf32>
  %2 = memformer.sum_leading %x : (tensor<2x5x7xf32>) -> tensor<7xf32>
  // CHECK: memformer.select_rows %{{.*}}, %{{.*}}, %{{.*}} : (tensor<2xi32>, tensor<5x7xf32>, tensor<2x5x7xf32>) -> tensor<2x5x7xf32>
  %3 = memformer.select_rows %mask, %b, %x : (tensor<2xi32>, tensor<5x7xf32>, tensor<2x5x7xf32>) -> tensor<2x5x7xf32>
  // CHECK: memformer.concat %{{.*}}, %{{.*}} axis 1 : (tensor<2x5x7xf32>, tensor<2x5x7xf32>) -> tensor<2x10x7xf32>
  %4 = memformer.concat %x, %x axis 1 : (tensor<2x5x7xf32>, tensor<2x5x7xf32>) -> tensor<2x10x7xf32>
  // CHECK: memformer.slice %{{.*}} axis 1 offset 2 : (tensor<2x5x7xf32>) -> tensor<2x3x7xf32>
  %5 = memformer.slice %x axis 1 offset 2 : (tensor<2x5x7xf32>) -> tensor<2x3x7xf32>
  // CHECK: memformer.relu %{{.*}} : (tensor<2x5x7xf32>) -> tensor<2x5x7xf32>
  %6 = memformer.relu %x : (tensor<2x5x7xf32>) -> tensor<2x5x7xf32>
  // CHECK: memformer.gelu %{{.*}} : (tensor<2x5x7xf32>) -> tensor<2x5x7xf32>
  %7 = memformer.gelu %x : (tensor<2x5x7xf32>) -> tensor<2x5x7xf32>
  // CHECK: memformer.dropout %{{.*}}, %{{.*}} probability 1.000000e-01 stream 7 : (tensor<2x5x7xf32>, tensor<2xi32>) -> tensor<2x5x7xf32>
  %8 = memformer.dropout %x, %key probability 0.1 stream 7 : (tensor<2x5x7xf32>, tensor<2xi32>) -> tensor<2x5x7xf32>
  // CHECK: memformer.relu_gradient %{{.*}}, %{{.*}} : (tensor<2x5x7xf32>, tensor<2x5x7xf32>) -> tensor<2x5x7xf32>
  %9 = memformer.relu_gradient %x, %x : (tensor<2x5x7xf32>, tensor<2x5x7xf32>) -> tensor<2x5x7xf32>
  // CHECK: memformer.gelu_gradient %{{.*}}, %{{.*}} : (tensor<2x5x7xf32>, tensor<2x5x7xf32>) -> tensor<2x5x7xf32>
  %10 = memformer.gelu_gradient %x, %x : (tensor<2x5x7xf32>, tensor<2x5x7xf32>) -> tensor<2x5x7xf32>
  return
}

// CHECK-LABEL: func.func @linear
func.func @linear(%x: tensor<2x5x7xf64>, %w: tensor<3x7xf64>, %b: tensor<3xf64>, %g: tensor<2x5x3xf64>) {
  // CHECK: memformer.linear %{{.*}}, %{{.*}}, %{{.*}} : (tensor<2x5x7xf64>, tensor<3x7xf64>, tensor<3xf64>) -> tensor<2x5x3xf64>
  %0 = memformer.linear %x, %w, %b : (tensor<2x5x7xf64>, tensor<3x7xf64>, tensor<3xf64>) -> tensor<2x5x3xf64>
  // CHECK: memformer.linear %{{.*}}, %{{.*}} : (tensor<2x5x7xf64>, tensor<3x7xf64>) -> tensor<2x5x3xf64>
  %1 = memformer.linear %x, %w : (tensor<2x5x7xf64>, tensor<3x7xf64>) -> tensor<2x5x3xf64>
  // CHECK: memformer.linear %{{.*}}, %{{.*}} transposed : (tensor<2x5x3xf64>, tensor<3x7xf64>) -> tensor<2x5x7xf64>
  %2 = memformer.linear %g, %w transposed : (tensor<2x5x3xf64>, tensor<3x7xf64>) -> tensor<2x5x7xf64>
  // CHECK: memformer.weight_gradient %{{.*}}, %{{.*}} : (tensor<2x5x3xf64>, tensor<2x5x7xf64>) -> tensor<3x7xf64>
  %3 = memformer.weight_gradient %g, %x : (tensor<2x5x3xf64>, tensor<2x5x7xf64>) -> tensor<3x7xf64>
  return
}

// CHECK-LABEL: func.func @norms
func.func @norms(%x: tensor<2x5x7xf32>, %v: tensor<5x7xf32>, %s: tensor<7xf32>) {
  // CHECK: memformer.layer_norm %{{.*}}, %{{.*}}, %{{.*}} : (tensor<2x5x7xf32>, tensor<7xf32>, tensor<7xf32>) -> tensor<2x5x7xf32>
  %0 = memformer.layer_norm %x, %s, %s : (tensor<2x5x7xf32>, tensor<7xf32>, tensor<7xf32>) -> tensor<2x5x7xf32>
  // CHECK: memformer.layer_norm %{{.*}} {epsilon = 1.000000e-03 : f64} :
  %1 = memformer.layer_norm %x, %s, %s {epsilon = 1.0e-3} : (tensor<2x5x7xf32>, tensor<7xf32>, tensor<7xf32>) -> tensor<2x5x7xf32>
  // CHECK: memformer.bmn %{{.*}}, %{{.*}} : (tensor<2x5x7xf32>, tensor<5x7xf32>) -> tensor<2x5x7xf32>
  %2 = memformer.bmn %x, %v : (tensor<2x5x7xf32>, tensor<5x7xf32>) -> tensor<2x5x7xf32>
  // CHECK: memformer.bmn %{{.*}} : (tensor<5x7xf32>) -> tensor<5x7xf32>
  %3 = memformer.bmn %v : (tensor<5x7xf32>) -> tensor<5x7xf32>
  // CHECK: memformer.layer_norm_gradient %{{.*}}, %{{.*}}, %{{.*}} : (tensor<2x5x7xf32>, tensor<2x5x7xf32>, tensor<7xf32>) -> (tensor<2x5x7xf32>, tensor<7xf32>, tensor<7xf32>)
  %4:3 = memformer.layer_norm_gradient %x, %x, %s : (tensor<2x5x7xf32>, tensor<2x5x7xf32>, tensor<7xf32>) -> (tensor<2x5x7xf32>, tensor<7xf32>, tensor<7xf32>)
  // CHECK: memformer.bmn_gradient %{{.*}}, %{{.*}}, %{{.*}} : (tensor<2x5x7xf32>, tensor<2x5x7xf32>, tensor<5x7xf32>) -> tensor<2x5x7xf32>
  %5 = memformer.bmn_gradient %x, %x, %v : (tensor<2x5x7xf32>, tensor<2x5x7xf32>, tensor<5x7xf32>) -> tensor<2x5x7xf32>
  // CHECK: memformer.bmn_gradient %{{.*}}, %{{.*}} : (tensor<2x5x7xf32>, tensor<2x5x7xf32>) -> tensor<2x5x7xf32>
  %6 = memformer.bmn_gradient %x, %x : (tensor<2x5x7xf32>, tensor<2x5x7xf32>) -> tensor<2x5x7xf32>
  return
}

// CHECK-LABEL: func.func @tokens
func.func @tokens(%tokens: tensor<2x5xi32>, %table: tensor<11x7xf32>, %logits: tensor<2x5x11xf32>, %x: tensor<2x5x7xf32>) {
  // CHECK: memformer.embedding %{{.*}}, %{{.*}} : (tensor<2x5xi32>, tensor<11x7xf32>) -> tensor<2x5x7xf32>
  %0 = memformer.embedding %tokens, %table : (tensor<2x5xi32>, tensor<11x7xf32>) -> tensor<2x5x7xf32>
  // CHECK: memformer.cross_entropy %{{.*}}, %{{.*}} : (tensor<2x5x11xf32>, tensor<2x5xi32>) -> (tensor<2x5xf32>, tensor<2x5xf32>)
  %loss, %lse = memformer.cross_entropy %logits, %tokens : (tensor<2x5x11xf32>, tensor<2x5xi32>) -> (tensor<2x5xf32>, tensor<2x5xf32>)
  // CHECK: memformer.argmax %{{.*}} : (tensor<2x5x11xf32>) -> tensor<2x5xi32>
  %1 = memformer.argmax %logits : (tensor<2x5x11xf32>) -> tensor<2x5xi32>
  // CHECK: memformer.embedding_gradient %{{.*}}, %{{.*}} : (tensor<2x5x7xf32>, tensor<2x5xi32>) -> tensor<11x7xf32>
  %2 = memformer.embedding_gradient %x, %tokens : (tensor<2x5x7xf32>, tensor<2x5xi32>) -> tensor<11x7xf32>
  // CHECK: memformer.cross_entropy_gradient %{{.*}}, %{{.*}}, %{{.*}}, %{{.*}} : (tensor<2x5xf32>, tensor<2x5x11xf32>, tensor<2x5xi32>, tensor<2x5xf32>) -> tensor<2x5x11xf32>
  %3 = memformer.cross_entropy_gradient %loss, %logits, %tokens, %lse : (tensor<2x5xf32>, tensor<2x5x11xf32>, tensor<2x5xi32>, tensor<2x5xf32>) -> tensor<2x5x11xf32>
  return
}

// CHECK-LABEL: func.func @attention
func.func @attention(%q: tensor<2x5x6xf32>, %k: tensor<2x7x6xf32>, %key: tensor<2xi32>) {
  // CHECK: memformer.attention %{{.*}}, %{{.*}}, %{{.*}} heads 3 scale 5.000000e-01 : (tensor<2x5x6xf32>, tensor<2x7x6xf32>, tensor<2x7x6xf32>) -> (tensor<2x5x6xf32>, tensor<2x3x5xf32>)
  %o, %lse = memformer.attention %q, %k, %k heads 3 scale 0.5 : (tensor<2x5x6xf32>, tensor<2x7x6xf32>, tensor<2x7x6xf32>) -> (tensor<2x5x6xf32>, tensor<2x3x5xf32>)
  // CHECK: memformer.attention %{{.*}}, %{{.*}}, %{{.*}} dropout(%{{.*}} probability 1.000000e-01 stream 3) heads 3 scale 5.000000e-01 causal :
  %o1, %lse1 = memformer.attention %q, %q, %q dropout(%key probability 0.1 stream 3) heads 3 scale 0.5 causal
    : (tensor<2x5x6xf32>, tensor<2x5x6xf32>, tensor<2x5x6xf32>, tensor<2xi32>) -> (tensor<2x5x6xf32>, tensor<2x3x5xf32>)
  // CHECK: memformer.attention_gradient %{{.*}}, %{{.*}}, %{{.*}}, %{{.*}}, %{{.*}}, %{{.*}} dropout(%{{.*}} probability 1.000000e-01 stream 3) heads 3 scale 5.000000e-01 causal :
  %g:3 = memformer.attention_gradient %q, %q, %q, %q, %o1, %lse1 dropout(%key probability 0.1 stream 3) heads 3 scale 0.5 causal
    : (tensor<2x5x6xf32>, tensor<2x5x6xf32>, tensor<2x5x6xf32>, tensor<2x5x6xf32>, tensor<2x5x6xf32>, tensor<2x3x5xf32>, tensor<2xi32>) -> (tensor<2x5x6xf32>, tensor<2x5x6xf32>, tensor<2x5x6xf32>)
  // CHECK: memformer.attention_gradient %{{.*}}, %{{.*}}, %{{.*}}, %{{.*}}, %{{.*}}, %{{.*}} heads 3 scale 5.000000e-01 :
  %h:3 = memformer.attention_gradient %q, %q, %k, %k, %o, %lse heads 3 scale 0.5
    : (tensor<2x5x6xf32>, tensor<2x5x6xf32>, tensor<2x7x6xf32>, tensor<2x7x6xf32>, tensor<2x5x6xf32>, tensor<2x3x5xf32>) -> (tensor<2x5x6xf32>, tensor<2x7x6xf32>, tensor<2x7x6xf32>)
  // CHECK: memformer.slot_attention %{{.*}} self(%{{.*}}, %{{.*}}), %{{.*}}, %{{.*}} heads 3 scale 5.000000e-01 :
  %s, %slse = memformer.slot_attention %q self(%q, %q), %k, %k heads 3 scale 0.5
    : (tensor<2x5x6xf32>, tensor<2x5x6xf32>, tensor<2x5x6xf32>, tensor<2x7x6xf32>, tensor<2x7x6xf32>) -> (tensor<2x5x6xf32>, tensor<2x3x5xf32>)
  // CHECK: memformer.slot_attention_gradient %{{.*}}, %{{.*}} self(%{{.*}}, %{{.*}}), %{{.*}}, %{{.*}}, %{{.*}}, %{{.*}} heads 3 scale 5.000000e-01 :
  %t:5 = memformer.slot_attention_gradient %q, %q self(%q, %q), %k, %k, %s, %slse heads 3 scale 0.5
    : (tensor<2x5x6xf32>, tensor<2x5x6xf32>, tensor<2x5x6xf32>, tensor<2x5x6xf32>, tensor<2x7x6xf32>, tensor<2x7x6xf32>, tensor<2x5x6xf32>, tensor<2x3x5xf32>)
    -> (tensor<2x5x6xf32>, tensor<2x5x6xf32>, tensor<2x5x6xf32>, tensor<2x7x6xf32>, tensor<2x7x6xf32>)
  // CHECK: memformer.attention_weights %{{.*}} self(%{{.*}}), %{{.*}}, %{{.*}} heads 3 scale 5.000000e-01 :
  %w = memformer.attention_weights %q self(%q), %k, %slse heads 3 scale 0.5
    : (tensor<2x5x6xf32>, tensor<2x5x6xf32>, tensor<2x7x6xf32>, tensor<2x3x5xf32>) -> tensor<2x3x5x8xf32>
  // CHECK: memformer.attention_weights %{{.*}}, %{{.*}}, %{{.*}} heads 3 scale 5.000000e-01 causal : (tensor<2x5x6xf32>, tensor<2x5x6xf32>, tensor<2x3x5xf32>) -> tensor<2x3x5x5xf32>
  %u = memformer.attention_weights %q, %q, %lse1 heads 3 scale 0.5 causal : (tensor<2x5x6xf32>, tensor<2x5x6xf32>, tensor<2x3x5xf32>) -> tensor<2x3x5x5xf32>
  // CHECK: memformer.attention_usage %{{.*}}, %{{.*}}, %{{.*}} heads 3 scale 5.000000e-01 : (tensor<2x5x6xf32>, tensor<2x7x6xf32>, tensor<2x3x5xf32>) -> tensor<2x3x7xf32>
  %received = memformer.attention_usage %q, %k, %slse heads 3 scale 0.5 : (tensor<2x5x6xf32>, tensor<2x7x6xf32>, tensor<2x3x5xf32>) -> tensor<2x3x7xf32>
  // CHECK: memformer.most_used %{{.*}} seen 9 : (tensor<2x3x7xf32>) -> tensor<2x4xi32>
  %used = memformer.most_used %received seen 9 : (tensor<2x3x7xf32>) -> tensor<2x4xi32>
  return
}

// CHECK-LABEL: func.func @lstm
func.func @lstm(%g: tensor<2x5x12xf32>, %f: tensor<2x1x12xf32>, %p: tensor<i32>, %h: tensor<2x1x3xf32>, %w: tensor<12x3xf32>, %d: tensor<2x5x3xf32>) {
  // CHECK: memformer.lstm %{{.*}}, %{{.*}}, %{{.*}}, %{{.*}} : (tensor<2x5x12xf32>, tensor<2x1x3xf32>, tensor<2x1x3xf32>, tensor<12x3xf32>) -> (tensor<2x5x3xf32>, tensor<2x5x3xf32>, tensor<2x5x12xf32>)
  %hs, %cs, %a = memformer.lstm %g, %h, %h, %w : (tensor<2x5x12xf32>, tensor<2x1x3xf32>, tensor<2x1x3xf32>, tensor<12x3xf32>) -> (tensor<2x5x3xf32>, tensor<2x5x3xf32>, tensor<2x5x12xf32>)
  // CHECK: memformer.lstm_gradient hiddens(%{{.*}}) cells(%{{.*}}) %{{.*}}, %{{.*}}, %{{.*}}, %{{.*}} :
  %x:3 = memformer.lstm_gradient hiddens(%d) cells(%d) %a, %cs, %h, %w
    : (tensor<2x5x3xf32>, tensor<2x5x3xf32>, tensor<2x5x12xf32>, tensor<2x5x3xf32>, tensor<2x1x3xf32>, tensor<12x3xf32>) -> (tensor<2x5x12xf32>, tensor<2x1x3xf32>, tensor<2x1x3xf32>)
  // CHECK: memformer.lstm_step %{{.*}}, %{{.*}}, %{{.*}}, %{{.*}} cache(%{{.*}}, %{{.*}}) at %{{.*}} :
  %n, %m, %ns, %ms = memformer.lstm_step %f, %h, %h, %w cache(%hs, %cs) at %p
    : (tensor<2x1x12xf32>, tensor<2x1x3xf32>, tensor<2x1x3xf32>, tensor<12x3xf32>, tensor<2x5x3xf32>, tensor<2x5x3xf32>, tensor<i32>) -> (tensor<2x1x3xf32>, tensor<2x1x3xf32>, tensor<2x5x3xf32>, tensor<2x5x3xf32>)
  // CHECK: memformer.lstm_gradient cells(%{{.*}}) %{{.*}}, %{{.*}}, %{{.*}}, %{{.*}} :
  %y:3 = memformer.lstm_gradient cells(%d) %a, %cs, %h, %w
    : (tensor<2x5x3xf32>, tensor<2x5x12xf32>, tensor<2x5x3xf32>, tensor<2x1x3xf32>, tensor<12x3xf32>) -> (tensor<2x5x12xf32>, tensor<2x1x3xf32>, tensor<2x1x3xf32>)
  return
}

// CHECK-LABEL: func.func @memory
func.func @memory(%x: tensor<2x5x6xf32>, %m: tensor<2x7x6xf32>, %w: tensor<6x6xf32>, %b: tensor<6xf32>, %key: tensor<2xi32>) {
  // CHECK: memformer.read %{{.*}}, %{{.*}} query(%{{.*}}, %{{.*}}) key(%{{.*}}, %{{.*}}) value(%{{.*}}, %{{.*}}) output(%{{.*}}, %{{.*}}) heads 2 :
  %0 = memformer.read %x, %m query(%w, %b) key(%w, %b) value(%w, %b) output(%w, %b) heads 2
    : (tensor<2x5x6xf32>, tensor<2x7x6xf32>, tensor<6x6xf32>, tensor<6xf32>, tensor<6x6xf32>, tensor<6xf32>, tensor<6x6xf32>, tensor<6xf32>, tensor<6x6xf32>, tensor<6xf32>) -> tensor<2x5x6xf32>
  // CHECK: memformer.read %{{.*}} dropout(%{{.*}} probability 2.500000e-01 stream 9) heads 2 :
  %1 = memformer.read %x, %m query(%w, %b) key(%w, %b) value(%w, %b) output(%w, %b) dropout(%key probability 0.25 stream 9) heads 2
    : (tensor<2x5x6xf32>, tensor<2x7x6xf32>, tensor<6x6xf32>, tensor<6xf32>, tensor<6x6xf32>, tensor<6xf32>, tensor<6x6xf32>, tensor<6xf32>, tensor<6x6xf32>, tensor<6xf32>, tensor<2xi32>) -> tensor<2x5x6xf32>
  // CHECK: memformer.write %{{.*}}, %{{.*}} query(%{{.*}}, %{{.*}}) key(%{{.*}}, %{{.*}}) value(%{{.*}}, %{{.*}}) heads 2 temperature 2.500000e-01 :
  %2, %3 = memformer.write %m, %x query(%w, %b) key(%w, %b) value(%w, %b) heads 2 temperature 0.25
    : (tensor<2x7x6xf32>, tensor<2x5x6xf32>, tensor<6x6xf32>, tensor<6xf32>, tensor<6x6xf32>, tensor<6xf32>, tensor<6x6xf32>, tensor<6xf32>) -> (tensor<2x7x6xf32>, tensor<2x2x7x6xf32>)
  // CHECK: memformer.write {{.*}} slot_value(%{{.*}}, %{{.*}}) output(%{{.*}}, %{{.*}}) heads 2
  %4, %5 = memformer.write %m, %x query(%w, %b) key(%w, %b) value(%w, %b) slot_value(%w, %b) output(%w, %b) heads 2 temperature 0.25
    : (tensor<2x7x6xf32>, tensor<2x5x6xf32>, tensor<6x6xf32>, tensor<6xf32>, tensor<6x6xf32>, tensor<6xf32>, tensor<6x6xf32>, tensor<6xf32>, tensor<6x6xf32>, tensor<6xf32>, tensor<6x6xf32>, tensor<6xf32>)
    -> (tensor<2x7x6xf32>, tensor<2x2x7x6xf32>)
  // CHECK: memformer.write {{.*}} value(%{{.*}}, %{{.*}}) output(%{{.*}}, %{{.*}}) heads 2
  %6, %7 = memformer.write %m, %x query(%w, %b) key(%w, %b) value(%w, %b) output(%w, %b) heads 2 temperature 0.25
    : (tensor<2x7x6xf32>, tensor<2x5x6xf32>, tensor<6x6xf32>, tensor<6xf32>, tensor<6x6xf32>, tensor<6xf32>, tensor<6x6xf32>, tensor<6xf32>, tensor<6x6xf32>, tensor<6xf32>)
    -> (tensor<2x7x6xf32>, tensor<2x2x7x6xf32>)
  return
}

// CHECK-LABEL: func.func @steps
func.func @steps(%t: tensor<5x6xf32>, %q: tensor<2x1x6xf32>, %c: tensor<2x5x6xf32>, %p: tensor<i32>) {
  // CHECK: memformer.row %{{.*}} axis 0 at %{{.*}} : (tensor<5x6xf32>, tensor<i32>) -> tensor<1x6xf32>
  %0 = memformer.row %t axis 0 at %p : (tensor<5x6xf32>, tensor<i32>) -> tensor<1x6xf32>
  // CHECK: memformer.row %{{.*}} axis 1 at %{{.*}} : (tensor<2x5x6xf32>, tensor<i32>) -> tensor<2x1x6xf32>
  %1 = memformer.row %c axis 1 at %p : (tensor<2x5x6xf32>, tensor<i32>) -> tensor<2x1x6xf32>
  // CHECK: memformer.attention_step %{{.*}}, %{{.*}}, %{{.*}} cache(%{{.*}}, %{{.*}}) at %{{.*}} heads 3 scale 5.000000e-01 :
  %o, %k1, %v1 = memformer.attention_step %q, %q, %q cache(%c, %c) at %p heads 3 scale 0.5
    : (tensor<2x1x6xf32>, tensor<2x1x6xf32>, tensor<2x1x6xf32>, tensor<2x5x6xf32>, tensor<2x5x6xf32>, tensor<i32>) -> (tensor<2x1x6xf32>, tensor<2x5x6xf32>, tensor<2x5x6xf32>)
  return
}

// CHECK: memformer.recurrence @streamed states [] inputs ["tokens"] outputs ["logits"] streamed "tokens" to "logits" initial {
memformer.recurrence @streamed states [] inputs ["tokens"] outputs ["logits"] streamed "tokens" to "logits" initial {
  memformer.yield
} segment {
^bb0(%tokens: tensor<2x5xi32>):
  %logits = arith.constant dense<0.0> : tensor<2x5x6xf32>
  memformer.yield outputs(%logits : tensor<2x5x6xf32>)
}

// What states of integers are made of.
// CHECK-LABEL: func.func @integers
func.func @integers(%x: tensor<2x5xi32>, %m: tensor<2xi32>, %one: tensor<i32>, %p: tensor<i32>) {
  // CHECK: memformer.add %{{.*}}, %{{.*}} : (tensor<2x5xi32>, tensor<i32>) -> tensor<2x5xi32>
  %0 = memformer.add %x, %one : (tensor<2x5xi32>, tensor<i32>) -> tensor<2x5xi32>
  // CHECK: memformer.clamp %{{.*}} min -1 max 7 : tensor<2x5xi32>
  %1 = memformer.clamp %0 min -1 max 7 : tensor<2x5xi32>
  // CHECK: memformer.select_rows %{{.*}}, %{{.*}}, %{{.*}} : (tensor<2xi32>, tensor<2x5xi32>, tensor<2x5xi32>) -> tensor<2x5xi32>
  %2 = memformer.select_rows %m, %1, %x : (tensor<2xi32>, tensor<2x5xi32>, tensor<2x5xi32>) -> tensor<2x5xi32>
  // CHECK: memformer.concat %{{.*}}, %{{.*}} axis 1 : (tensor<2x5xi32>, tensor<2x5xi32>) -> tensor<2x10xi32>
  %3 = memformer.concat %2, %x axis 1 : (tensor<2x5xi32>, tensor<2x5xi32>) -> tensor<2x10xi32>
  // CHECK: memformer.slice %{{.*}} axis 1 offset 3 : (tensor<2x10xi32>) -> tensor<2x7xi32>
  %4 = memformer.slice %3 axis 1 offset 3 : (tensor<2x10xi32>) -> tensor<2x7xi32>
  // CHECK: memformer.reshape %{{.*}} : (tensor<2x7xi32>) -> tensor<7x2xi32>
  %5 = memformer.reshape %4 : (tensor<2x7xi32>) -> tensor<7x2xi32>
  // CHECK: memformer.broadcast %{{.*}} : (tensor<i32>) -> tensor<3xi32>
  %6 = memformer.broadcast %one : (tensor<i32>) -> tensor<3xi32>
  // CHECK: memformer.row %{{.*}} axis 1 at %{{.*}} : (tensor<2x5xi32>, tensor<i32>) -> tensor<2x1xi32>
  %7 = memformer.row %x axis 1 at %p : (tensor<2x5xi32>, tensor<i32>) -> tensor<2x1xi32>
  return
}
