// A recurrence with two states of different shapes, embeddings, a decoder that no state needs, tied
// parameters and dropout. B = 3, L = 5, V = 7, d = 4.

memformer.param @table : tensor<7x4xf32> = <normal, 0.5>
memformer.param @first : tensor<4xf32> = <uniform, 1.0>
memformer.param @memory : tensor<2x4xf32> = <rows, 1.0>
memformer.param @mix.weight : tensor<4x4xf32> = <uniform, 0.5>
memformer.param @mix.bias : tensor<4xf32> = <uniform, 0.5>
memformer.param @scale : tensor<4xf32> = <constant, 1.0>
memformer.param @shift : tensor<4xf32> = <constant, 0.0>

memformer.recurrence @pair states ["slots", "carry"] inputs ["tokens", "targets", "dropout_key"] outputs ["logits", "prediction"] initial {
  %memory = memformer.load_param @memory : tensor<2x4xf32>
  %normal = memformer.bmn %memory : (tensor<2x4xf32>) -> tensor<2x4xf32>
  %slots = memformer.broadcast %normal : (tensor<2x4xf32>) -> tensor<3x2x4xf32>
  %first = memformer.load_param @first : tensor<4xf32>
  %carry = memformer.broadcast %first : (tensor<4xf32>) -> tensor<3x5x4xf32>
  memformer.yield state(%slots, %carry : tensor<3x2x4xf32>, tensor<3x5x4xf32>)
} segment {
^bb0(%slots: tensor<3x2x4xf32>, %carry: tensor<3x5x4xf32>, %tokens: tensor<3x5xi32>, %targets: tensor<3x5xi32>, %dropout_key: tensor<2xi32>):
  %table = memformer.load_param @table : tensor<7x4xf32>
  %weight = memformer.load_param @mix.weight : tensor<4x4xf32>
  %bias = memformer.load_param @mix.bias : tensor<4xf32>
  %scale = memformer.load_param @scale : tensor<4xf32>
  %shift = memformer.load_param @shift : tensor<4xf32>
  %embedded = memformer.embedding %tokens, %table : (tensor<3x5xi32>, tensor<7x4xf32>) -> tensor<3x5x4xf32>
  %carried = memformer.add %embedded, %carry : (tensor<3x5x4xf32>, tensor<3x5x4xf32>) -> tensor<3x5x4xf32>
  %x = memformer.layer_norm %carried, %scale, %shift : (tensor<3x5x4xf32>, tensor<4xf32>, tensor<4xf32>) -> tensor<3x5x4xf32>
  %mixed = memformer.linear %x, %weight, %bias : (tensor<3x5x4xf32>, tensor<4x4xf32>, tensor<4xf32>) -> tensor<3x5x4xf32>
  %active = memformer.gelu %mixed : (tensor<3x5x4xf32>) -> tensor<3x5x4xf32>
  %nextCarry = memformer.dropout %active, %dropout_key probability 0.25 stream 0 : (tensor<3x5x4xf32>, tensor<2xi32>) -> tensor<3x5x4xf32>
  %written, %lse = memformer.slot_attention %slots self(%slots, %slots), %x, %mixed heads 2 scale 0.7
    : (tensor<3x2x4xf32>, tensor<3x2x4xf32>, tensor<3x2x4xf32>, tensor<3x5x4xf32>, tensor<3x5x4xf32>) -> (tensor<3x2x4xf32>, tensor<3x2x2xf32>)
  %memory = memformer.load_param @memory : tensor<2x4xf32>
  %nextSlots = memformer.bmn %written, %memory : (tensor<3x2x4xf32>, tensor<2x4xf32>) -> tensor<3x2x4xf32>
  // The decoder: nothing of it reaches a next state.
  %joined = memformer.concat %slots, %x axis 1 : (tensor<3x2x4xf32>, tensor<3x5x4xf32>) -> tensor<3x7x4xf32>
  %read, %readLse = memformer.attention %x, %joined, %joined dropout(%dropout_key probability 0.5 stream 1) heads 1 scale 0.5
    : (tensor<3x5x4xf32>, tensor<3x7x4xf32>, tensor<3x7x4xf32>, tensor<2xi32>) -> (tensor<3x5x4xf32>, tensor<3x1x5xf32>)
  %decoded = memformer.relu %read : (tensor<3x5x4xf32>) -> tensor<3x5x4xf32>
  %logits = memformer.linear %decoded, %table : (tensor<3x5x4xf32>, tensor<7x4xf32>) -> tensor<3x5x7xf32>
  %loss, %lossLse = memformer.cross_entropy %logits, %targets : (tensor<3x5x7xf32>, tensor<3x5xi32>) -> (tensor<3x5xf32>, tensor<3x5xf32>)
  %prediction = memformer.argmax %logits : (tensor<3x5x7xf32>) -> tensor<3x5xi32>
  memformer.yield state(%nextSlots, %nextCarry : tensor<3x2x4xf32>, tensor<3x5x4xf32>) loss(%loss : tensor<3x5xf32>)
    outputs(%logits, %prediction : tensor<3x5x7xf32>, tensor<3x5xi32>)
}
