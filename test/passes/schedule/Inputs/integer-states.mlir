// States of several types and ranks: the last tokens of the stream and the number of segments behind, both integers, beside vectors and one number
// for each row. They stand as further keys before those of the segment. B = 3, L = 5, V = 11, d = 6, 7 tokens back.

memformer.param @embedding.weight : tensor<11x6xf32> = <normal, 0.5>
memformer.param @age.weight : tensor<4x6xf32> = <normal, 0.5>
memformer.param @summary.first : tensor<2x1x3xf32> = <normal, 0.5>
memformer.param @level.first : tensor<1xf32> = <uniform, 1.0>
memformer.param @level.down.weight : tensor<1x6xf32> = <uniform, 0.5>
memformer.param @level.up.weight : tensor<6x1xf32> = <uniform, 0.5>
memformer.param @query.weight : tensor<6x6xf32> = <uniform, 0.5>
memformer.param @key.weight : tensor<6x6xf32> = <uniform, 0.5>
memformer.param @value.weight : tensor<6x6xf32> = <uniform, 0.5>
memformer.param @output.weight : tensor<11x6xf32> = <uniform, 0.5>

memformer.recurrence @window states ["recent", "summary", "age", "level"] inputs ["decoder_tokens", "targets", "dropout_key"]
    outputs ["logits", "prediction"] streamed "decoder_tokens" to "logits" initial {
  %bos = arith.constant dense<10> : tensor<3x7xi32>
  %none = arith.constant dense<0> : tensor<i32>
  %age = memformer.broadcast %none : (tensor<i32>) -> tensor<3xi32>
  %first = memformer.load_param @summary.first : tensor<2x1x3xf32>
  %summary = memformer.broadcast %first : (tensor<2x1x3xf32>) -> tensor<3x2x1x3xf32>
  %one = memformer.load_param @level.first : tensor<1xf32>
  %number = memformer.reshape %one : (tensor<1xf32>) -> tensor<f32>
  %level = memformer.broadcast %number : (tensor<f32>) -> tensor<3xf32>
  memformer.yield state(%bos, %summary, %age, %level : tensor<3x7xi32>, tensor<3x2x1x3xf32>, tensor<3xi32>, tensor<3xf32>)
} segment {
^bb0(%recent: tensor<3x7xi32>, %summary: tensor<3x2x1x3xf32>, %age: tensor<3xi32>, %level: tensor<3xf32>,
     %tokens: tensor<3x5xi32>, %targets: tensor<3x5xi32>, %dropout_key: tensor<2xi32>):
  %table = memformer.load_param @embedding.weight : tensor<11x6xf32>
  %ages = memformer.load_param @age.weight : tensor<4x6xf32>
  %up = memformer.load_param @level.up.weight : tensor<6x1xf32>
  %wq = memformer.load_param @query.weight : tensor<6x6xf32>
  %wk = memformer.load_param @key.weight : tensor<6x6xf32>
  %wv = memformer.load_param @value.weight : tensor<6x6xf32>
  %wo = memformer.load_param @output.weight : tensor<11x6xf32>

  // What the states are: 7 + 1 + 1 + 1 vectors.
  %a = memformer.embedding %recent, %table : (tensor<3x7xi32>, tensor<11x6xf32>) -> tensor<3x7x6xf32>
  %column = memformer.reshape %age : (tensor<3xi32>) -> tensor<3x1xi32>
  %b = memformer.embedding %column, %ages : (tensor<3x1xi32>, tensor<4x6xf32>) -> tensor<3x1x6xf32>
  %c = memformer.reshape %summary : (tensor<3x2x1x3xf32>) -> tensor<3x1x6xf32>
  %levels = memformer.reshape %level : (tensor<3xf32>) -> tensor<3x1x1xf32>
  %d = memformer.linear %levels, %up : (tensor<3x1x1xf32>, tensor<6x1xf32>) -> tensor<3x1x6xf32>
  %ab = memformer.concat %a, %b axis 1 : (tensor<3x7x6xf32>, tensor<3x1x6xf32>) -> tensor<3x8x6xf32>
  %cd = memformer.concat %c, %d axis 1 : (tensor<3x1x6xf32>, tensor<3x1x6xf32>) -> tensor<3x2x6xf32>
  %before = memformer.concat %ab, %cd axis 1 : (tensor<3x8x6xf32>, tensor<3x2x6xf32>) -> tensor<3x10x6xf32>

  %embedded = memformer.embedding %tokens, %table : (tensor<3x5xi32>, tensor<11x6xf32>) -> tensor<3x5x6xf32>
  %x = memformer.dropout %embedded, %dropout_key probability 0.125 stream 0 : (tensor<3x5x6xf32>, tensor<2xi32>) -> tensor<3x5x6xf32>
  %joined = memformer.concat %before, %x axis 1 : (tensor<3x10x6xf32>, tensor<3x5x6xf32>) -> tensor<3x15x6xf32>
  %q = memformer.linear %x, %wq : (tensor<3x5x6xf32>, tensor<6x6xf32>) -> tensor<3x5x6xf32>
  %k = memformer.linear %joined, %wk : (tensor<3x15x6xf32>, tensor<6x6xf32>) -> tensor<3x15x6xf32>
  %v = memformer.linear %joined, %wv : (tensor<3x15x6xf32>, tensor<6x6xf32>) -> tensor<3x15x6xf32>
  %read, %readLse = memformer.attention %q, %k, %v heads 2 scale 0.5 causal
    : (tensor<3x5x6xf32>, tensor<3x15x6xf32>, tensor<3x15x6xf32>) -> (tensor<3x5x6xf32>, tensor<3x2x5xf32>)
  %y = memformer.add %x, %read : (tensor<3x5x6xf32>, tensor<3x5x6xf32>) -> tensor<3x5x6xf32>

  // The next states. The 7 tokens back are more than a segment has.
  %all = memformer.concat %recent, %tokens axis 1 : (tensor<3x7xi32>, tensor<3x5xi32>) -> tensor<3x12xi32>
  %nextRecent = memformer.slice %all axis 1 offset 5 : (tensor<3x12xi32>) -> tensor<3x7xi32>
  %one = arith.constant dense<1> : tensor<i32>
  %older = memformer.add %age, %one : (tensor<3xi32>, tensor<i32>) -> tensor<3xi32>
  %nextAge = memformer.clamp %older min 0 max 3 : tensor<3xi32>
  %last = memformer.slice %y axis 1 offset 4 : (tensor<3x5x6xf32>) -> tensor<3x1x6xf32>
  %nextSummary = memformer.reshape %last : (tensor<3x1x6xf32>) -> tensor<3x2x1x3xf32>
  %down = memformer.load_param @level.down.weight : tensor<1x6xf32>
  %lower = memformer.linear %last, %down : (tensor<3x1x6xf32>, tensor<1x6xf32>) -> tensor<3x1x1xf32>
  %nextLevel = memformer.reshape %lower : (tensor<3x1x1xf32>) -> tensor<3xf32>

  %logits = memformer.linear %y, %wo : (tensor<3x5x6xf32>, tensor<11x6xf32>) -> tensor<3x5x11xf32>
  %loss, %lossLse = memformer.cross_entropy %logits, %targets : (tensor<3x5x11xf32>, tensor<3x5xi32>) -> (tensor<3x5xf32>, tensor<3x5xf32>)
  %prediction = memformer.argmax %logits : (tensor<3x5x11xf32>) -> tensor<3x5xi32>
  memformer.yield state(%nextRecent, %nextSummary, %nextAge, %nextLevel : tensor<3x7xi32>, tensor<3x2x1x3xf32>, tensor<3xi32>, tensor<3xf32>)
    loss(%loss : tensor<3x5xf32>) outputs(%logits, %prediction : tensor<3x5x11xf32>, tensor<3x5xi32>)
}
