// A recurrent-memory model in the memformer dialect, small enough to read in one go. Everything that accepts a configuration accepts this file:
//
//   memformer-run bench examples/recurrence.mlir
//   memformer-opt examples/recurrence.mlir -memformer-expand -memformer-differentiate       (see the reverse traversal appear)
//   memformer-compile examples/recurrence.mlir --emit=schedule --schedule mrbp              (see what is saved and what is recomputed)
//
// Shapes are static: batch 4, segments of 8 tokens, width 32, 5 memory slots, 64 token ids. Tensors are values; nothing is updated in place.

// Parameters are symbols with a type and an initializer: uniform in ±value, normal, constant, or rows (random directions of a given length). Their names are
// those of the weights file.
memformer.param @embedding.weight : tensor<64x32xf32> = <normal, 0.3>
memformer.param @position.weight : tensor<8x32xf32> = <normal, 0.3>
memformer.param @memory.bias : tensor<5x32xf32> = <rows, 0.3>
memformer.param @read_norm.weight : tensor<32xf32> = <constant, 1.0>
memformer.param @read_norm.bias : tensor<32xf32> = <constant, 0.0>
memformer.param @read.query.weight : tensor<32x32xf32> = <uniform, 0.177>
memformer.param @read.query.bias : tensor<32xf32> = <uniform, 0.177>
memformer.param @read.key.weight : tensor<32x32xf32> = <uniform, 0.177>
memformer.param @read.key.bias : tensor<32xf32> = <uniform, 0.177>
memformer.param @read.value.weight : tensor<32x32xf32> = <uniform, 0.177>
memformer.param @read.value.bias : tensor<32xf32> = <uniform, 0.177>
memformer.param @read.output.weight : tensor<32x32xf32> = <uniform, 0.177>
memformer.param @read.output.bias : tensor<32xf32> = <uniform, 0.177>
memformer.param @write.query.weight : tensor<32x32xf32> = <uniform, 0.177>
memformer.param @write.query.bias : tensor<32xf32> = <uniform, 0.177>
memformer.param @write.key.weight : tensor<32x32xf32> = <uniform, 0.177>
memformer.param @write.key.bias : tensor<32xf32> = <uniform, 0.177>
memformer.param @write.value.weight : tensor<32x32xf32> = <uniform, 0.177>
memformer.param @write.value.bias : tensor<32xf32> = <uniform, 0.177>
memformer.param @output.weight : tensor<64x32xf32> = <uniform, 0.177>
memformer.param @output.bias : tensor<64xf32> = <uniform, 0.177>

// The recurrence names its state, its inputs and what can be observed of it. The tokens of the decoder may arrive one by one, each of which gives the logits of
// the next: `memformer-run generate`.
memformer.recurrence @model states ["memory"] inputs ["encoder_tokens", "decoder_tokens", "targets"] outputs ["logits", "prediction"]
    streamed "decoder_tokens" to "logits" initial {
  // The state at the beginning of a stream, computed from parameters. Rows of the batch return to it when the caller resets them, and
  // gradients that arrive there go on into these parameters.
  %bias = memformer.load_param @memory.bias : tensor<5x32xf32>
  %unit = memformer.bmn %bias : (tensor<5x32xf32>) -> tensor<5x32xf32>
  %start = memformer.broadcast %unit : (tensor<5x32xf32>) -> tensor<4x5x32xf32>
  memformer.yield state(%start : tensor<4x5x32xf32>)
} segment {
^bb0(%memory: tensor<4x5x32xf32>, %encoder_tokens: tensor<4x8xi32>, %decoder_tokens: tensor<4x8xi32>, %targets: tensor<4x8xi32>):
  // One segment. The writer looks at the segment that has been read, the reader predicts the next one from the tokens before and the memory.
  %table = memformer.load_param @embedding.weight : tensor<64x32xf32>
  %position = memformer.load_param @position.weight : tensor<8x32xf32>
  %seen_0 = memformer.embedding %encoder_tokens, %table : (tensor<4x8xi32>, tensor<64x32xf32>) -> tensor<4x8x32xf32>
  %seen = memformer.add %seen_0, %position : (tensor<4x8x32xf32>, tensor<8x32xf32>) -> tensor<4x8x32xf32>

  // Memory write, equations 4 to 8: each slot attends to itself and the tokens, never to another slot. Then it is normalised, with a bias that lets it forget.
  %wq = memformer.load_param @write.query.weight : tensor<32x32xf32>
  %wqb = memformer.load_param @write.query.bias : tensor<32xf32>
  %wk = memformer.load_param @write.key.weight : tensor<32x32xf32>
  %wkb = memformer.load_param @write.key.bias : tensor<32xf32>
  %wv = memformer.load_param @write.value.weight : tensor<32x32xf32>
  %wvb = memformer.load_param @write.value.bias : tensor<32xf32>
  %candidate, %weights = memformer.write %memory, %seen query(%wq, %wqb) key(%wk, %wkb) value(%wv, %wvb) heads 4 temperature 0.25
    : (tensor<4x5x32xf32>, tensor<4x8x32xf32>, tensor<32x32xf32>, tensor<32xf32>, tensor<32x32xf32>, tensor<32xf32>, tensor<32x32xf32>, tensor<32xf32>)
    -> (tensor<4x5x32xf32>, tensor<4x4x5x9xf32>)
  %forget = memformer.load_param @memory.bias : tensor<5x32xf32>
  %next = memformer.bmn %candidate, %forget : (tensor<4x5x32xf32>, tensor<5x32xf32>) -> tensor<4x5x32xf32>

  // Memory read, equations 1 to 3, as a pre-norm sublayer: x + read(norm(x)). It reads the new memory, so it knows the segment just seen.
  %x_0 = memformer.embedding %decoder_tokens, %table : (tensor<4x8xi32>, tensor<64x32xf32>) -> tensor<4x8x32xf32>
  %x = memformer.add %x_0, %position : (tensor<4x8x32xf32>, tensor<8x32xf32>) -> tensor<4x8x32xf32>
  %scale = memformer.load_param @read_norm.weight : tensor<32xf32>
  %shift = memformer.load_param @read_norm.bias : tensor<32xf32>
  %normalised = memformer.layer_norm %x, %scale, %shift : (tensor<4x8x32xf32>, tensor<32xf32>, tensor<32xf32>) -> tensor<4x8x32xf32>
  %rq = memformer.load_param @read.query.weight : tensor<32x32xf32>
  %rqb = memformer.load_param @read.query.bias : tensor<32xf32>
  %rk = memformer.load_param @read.key.weight : tensor<32x32xf32>
  %rkb = memformer.load_param @read.key.bias : tensor<32xf32>
  %rv = memformer.load_param @read.value.weight : tensor<32x32xf32>
  %rvb = memformer.load_param @read.value.bias : tensor<32xf32>
  %ro = memformer.load_param @read.output.weight : tensor<32x32xf32>
  %rob = memformer.load_param @read.output.bias : tensor<32xf32>
  %read = memformer.read %normalised, %next query(%rq, %rqb) key(%rk, %rkb) value(%rv, %rvb) output(%ro, %rob) heads 4
    : (tensor<4x8x32xf32>, tensor<4x5x32xf32>, tensor<32x32xf32>, tensor<32xf32>, tensor<32x32xf32>, tensor<32xf32>, tensor<32x32xf32>, tensor<32xf32>, tensor<32x32xf32>, tensor<32xf32>)
    -> tensor<4x8x32xf32>
  %y = memformer.add %x, %read : (tensor<4x8x32xf32>, tensor<4x8x32xf32>) -> tensor<4x8x32xf32>

  // The loss of each target by itself; -1 is a target that does not count. The rollout's loss is their sum over the number of counted ones.
  %w = memformer.load_param @output.weight : tensor<64x32xf32>
  %b = memformer.load_param @output.bias : tensor<64xf32>
  %logits = memformer.linear %y, %w, %b : (tensor<4x8x32xf32>, tensor<64x32xf32>, tensor<64xf32>) -> tensor<4x8x64xf32>
  %loss, %lse = memformer.cross_entropy %logits, %targets : (tensor<4x8x64xf32>, tensor<4x8xi32>) -> (tensor<4x8xf32>, tensor<4x8xf32>)
  %prediction = memformer.argmax %logits : (tensor<4x8x64xf32>) -> tensor<4x8xi32>

  // The next state, the loss, and what may be observed. Training computes none of the latter.
  memformer.yield state(%next : tensor<4x5x32xf32>) loss(%loss : tensor<4x8xf32>) outputs(%logits, %prediction : tensor<4x8x64xf32>, tensor<4x8xi32>)
}
