// The configuration of a model and of its training: TOML text parsed into plain, checked values.
#pragma once

#include "runtime/result.h"

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace memformer {

/// [model]: the shape of the model. Widths, lengths and counts are numbers of elements.
struct ModelSettings {
  /// "transformer", "transformer-xl", "compressive-transformer" or "lstm"
  std::string kind = "memformer";
  int64_t vocab = 0;               // V
  int64_t width = 0;               // d_model
  int64_t heads = 0;               // H, divides width
  int64_t feedForward = 0;         // d_ff
  int64_t encoderLayers = 0;       // memformer: at least 1
  int64_t decoderLayers = 0;       // memformer: at least 1
  int64_t layers = 0;              // of the other kinds: at least 1
  int64_t segment = 0;             // L
  int64_t clsTokens = 0;           // C
  std::string activation = "gelu"; // "gelu" (tanh form) or "relu"
  bool postNorm = false;           // norm = "post"
  double dropout = 0.0;            // in [0, 1)
  bool tieEmbeddings = false;
  bool untiedBiases = false;     // transformer-xl, compressive-transformer: u and v of each layer
  std::string precision = "f32"; // or "tf32", "bf16", "f16": what matrix products multiply
  /// "f32", "bf16" or "int8": the type of the weights that a generated position reads.
  std::string generationWeights = "f32";
};

/// [memory]: of a memformer, the slots and how they are written (no slots: no memory at all); of
/// Transformers that cache hidden states, how many.
struct MemorySettings {
  int64_t slots = 0;        // K
  double temperature = 1.0; // > 0
  int64_t writeHeads = 0;   // H_w, divides width; heads where the text does not say
  int64_t readLayers = 0;   // the last so many encoder layers read; all where the text does not say
  int64_t writeLayers = 1;  // the memory is written after each of the last so many encoder layers
  bool forget = true;
  bool projectedSlotValue = false; // slot_value = "projected"
  bool outputProjection = false;

  int64_t length = 0;                      // M; the segment's length where the text does not say
  bool replayGradient = false;             // gradient = "replay": it flows to earlier segments
  int64_t compressedLength = 0;            // C; length where the text does not say
  int64_t compressionRate = 4;             // c, divides the segment's length
  std::string compression = "convolution"; // "mean", "max" or "most-used"
  double reconstructionWeight = 1.0;       // of the attention-reconstruction loss
};

/// [initializer]: what docs/model.md leaves to the run.
struct InitializerSettings {
  double embedding = 0.02; // standard deviation of the embedding and the classification tokens
  double position =
      0.02; // standard deviation of the positions; embedding's where the text does not say
  double memoryBias = 0.3; // length of each row of memory.bias
};

enum class Decay { Constant, Cosine, Linear };

/// [train]: the optimizer, the rollouts and when to look at the result.
struct TrainSettings {
  std::string schedule = "mrbp"; // "bptt", "checkpoint" or "mrbp"
  int64_t batch = 8;             // B
  int64_t horizon = 0;           // segments in a rollout; 0: what the data asks for, else 8
  int64_t stride = 0;            // segments a rollout moves on, at most horizon; 0: horizon
  int64_t steps = 1000;
  double minutes = 0.0; // stops earlier after that long, over all resumptions; 0: no limit
  double learningRate = 1e-3;
  double finalLearningRate = 0.0; // where cosine and linear decay end
  int64_t warmup = 100;           // steps of linear warm-up
  Decay decay = Decay::Constant;
  double weightDecay = 0.01;
  double beta1 = 0.9;
  double beta2 = 0.999;
  double epsilon = 1e-8;
  double maxGradientNorm = 1.0;  // 0: no clipping
  double lossScale = 1.0;        // a power of two that the loss is multiplied by, where not dynamic
  bool dynamicLossScale = false; // loss_scale = "dynamic": LossScale; where the text does not say,
                                 // in f16
  uint64_t seed = 0;
  int64_t logEvery = 10;         // steps
  int64_t evaluateEvery = 0;     // steps; 0: at the end only
  int64_t checkpointEvery = 500; // steps; 0: at the end only
  int64_t evaluateRollouts =
      0; // rollouts in an evaluation; 0: all held-out data, or 16 of a built-in task
};

/// [data]: where the tokens come from.
struct DataSettings {
  std::string kind; // "recall", "copy", "text", "idx" or "tokens"; empty: the text names none
  std::string path; // relative paths are relative to the working directory
  std::string validationPath; // empty: the last `validation` of the training file is held out
  double validation = 0.05;   // fraction of the file (or of the images) held out, in [0, 1)
  int64_t bos = 0;            // the token that stands before a sequence
  std::string separator; // text: documents end after these bytes, and the memory restarts; empty:
                         // one document
  int64_t separatorToken = -1; // tokens: documents end after this id; -1: one document
  int64_t tokenBytes = 2;      // tokens: dtype "u16" (2) or "u32" (4)
  bool shuffle = true;         // idx: a new order of the images in each epoch
  int64_t size = 0;            // idx: images are reduced to size x size pixels; 0: as they are
  int64_t levels = 256;        // idx: grey levels that pixels are reduced to, 2 to 256

  // The built-in tasks.
  int64_t minGap =
      8; // noise segments between the facts and the question; `gap = N` or `gap = [MIN, MAX]`
  int64_t maxGap = 8;
  double curriculum =
      0.0; // > 0: begin at gap 1 (or MIN), double once held-out accuracy passes this
  int64_t curriculumEvery = 10; // steps between two looks at the accuracy
  int64_t facts = 1;   // recall: key-value pairs in a sequence, each in a segment of its own
  int64_t keys = 8;    // recall: different keys
  int64_t values = 8;  // recall: different values
  int64_t symbols = 8; // copy: different symbols
  int64_t noise = 8;   // different noise symbols, of no other use
};

struct Configuration {
  ModelSettings model;
  bool hasModel = false; // the text has a [model] table
  MemorySettings memory;
  InitializerSettings initializer;
  TrainSettings train;
  DataSettings data;
  /// The TOML text that gives these values, overrides included.
  std::string text;
  /// The part of it that a compiler needs ([model], [memory], [initializer]), without comments and
  /// in one order: equal for equal models.
  std::string modelText;
};

/// Parses `text`; `file` names it in errors. `overrides` are `section.key=value` with a TOML value
/// (or a bare word for a string), applied in order before the checks. Unknown keys, wrong types and
/// values out of range are errors that name file and line, expectation and value. A text without
/// [model] is accepted (`hasModel` is false).
Result<Configuration> parseConfiguration(std::string_view text, std::string_view file,
                                         std::span<const std::string> overrides = {});

/// Reads and parses a file.
Result<Configuration> readConfiguration(const std::string &path,
                                        std::span<const std::string> overrides = {});

} // namespace memformer
