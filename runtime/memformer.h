/* The C interface of the runtime: a compiled model, stepped, evaluated, read and set. */
#ifndef MEMFORMER_H
#define MEMFORMER_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Functions that can fail return MEMFORMER_OK or another status, and memformer_error() tells what
 * was expected and what was found. A session is used by one thread at a time; different sessions
 * are independent. Arrays are dense and row-major; strings are UTF-8 and end with a zero byte. What
 * a function returns a pointer to belongs to the session and lives as long.
 */
typedef enum memformer_status {
  MEMFORMER_OK = 0,
  MEMFORMER_BAD_ARGUMENT = 1, /* a null pointer, an index or a size: the caller's mistake */
  MEMFORMER_FAILED = 2        /* a file, a value in it, or the machine */
} memformer_status;

typedef struct memformer_session memformer_session;

/* The message of the last failure in this thread; "" if there was none. Valid until the next call.
 */
const char *memformer_error(void);

typedef struct memformer_options {
  int64_t segments;   /* the longest rollout, at least 1 */
  unsigned threads;   /* 0: as many as the process may use */
  uint64_t seed;      /* of dropout, and of the first parameters */
  const char *device; /* "cpu", "cuda" or "cuda:N"; null: the cpu */
  int replay_on_host; /* nonzero: the states of a CUDA device lie in memory of the host */
} memformer_options;

/* Loads an artifact (*.mfa), reserves all memory and draws the parameters from their initializers.
 */
memformer_status memformer_create(const char *artifact_path, const memformer_options *options,
                                  memformer_session **session);
/* The same of an artifact in memory, which may be freed afterwards. */
memformer_status memformer_create_from_memory(const void *artifact, size_t bytes,
                                              const memformer_options *options,
                                              memformer_session **session);
void memformer_destroy(memformer_session *session); /* null is allowed */

/* A tensor of the model. The strings and the shape live as long as the session. */
typedef struct memformer_tensor {
  const char *name;
  const char *type; /* "f32" or "i32" */
  size_t rank;
  const int64_t *shape;
  size_t elements;
} memformer_tensor;

typedef enum memformer_table {
  MEMFORMER_PARAMETERS = 0,
  MEMFORMER_STATE = 1,  /* what goes from segment to segment */
  MEMFORMER_INPUTS = 2, /* of one segment; `reset` and `dropout_key` are filled by the runtime */
  MEMFORMER_OUTPUTS = 3 /* of one segment */
} memformer_table;

int64_t memformer_batch(const memformer_session *session);
/* 0 for an unknown table. */
size_t memformer_count(const memformer_session *session, memformer_table table);
memformer_status memformer_describe(const memformer_session *session, memformer_table table,
                                    size_t index, memformer_tensor *tensor);
/* The index of a name in a table. */
memformer_status memformer_find(const memformer_session *session, memformer_table table,
                                const char *name, size_t *index);

/* Data of one input or output for all segments of a rollout: [segments, shape...]. */
typedef struct memformer_input {
  const char *name;
  const void *data;
} memformer_input;
typedef struct memformer_output {
  const char *name;
  void *data;
} memformer_output;

/*
 * A sequence of segments. It begins with the state in slot 0 and leaves the state before segment t
 * in slot t and the last one in slot `segments`: memformer_move_state(session, segments, 0) goes
 * on.
 */
typedef struct memformer_rollout {
  int64_t segments;     /* 1 to the options' segments */
  int64_t stored;       /* states before segments 0 ... stored are in their slots already */
  const int32_t *reset; /* [segments, batch], nonzero: the row restarts before that segment. Null:
                           every row at segment 0 if stored is 0, else none */
  uint64_t position;    /* of the first segment in its stream */
  float loss_scale;     /* the gradient is that of loss_scale * (sum of losses) */
  const memformer_input *inputs;
  size_t input_count;
  const memformer_output *outputs; /* those that are wanted */
  size_t output_count;
} memformer_rollout;

typedef struct memformer_optimizer {
  double learning_rate;
  double beta1, beta2;
  double epsilon;
  double weight_decay;
  double max_gradient_norm; /* 0: no clipping */
  uint64_t step;            /* 1 for the first update; also what dropout depends on */
  double loss_scale;        /* the part of the rollout's loss_scale that gradients are divided by
                               before all else: a power of two; 0: 1 */
} memformer_optimizer;

/* The gradients of a rollout, then one update of the parameters. `gradient_norm` (before clipping)
 * may be null. Where the norm is not finite the step is left out: parameters and moments stay. An
 * entry that is out of its bounds is an error, and nothing has run. */
memformer_status memformer_step(memformer_session *session, const memformer_rollout *rollout,
                                const memformer_optimizer *optimizer, double *gradient_norm);
/*
 * Dynamic loss scaling, for models whose products are of f16, where gradients below 6e-8 vanish:
 *   memformer_loss_scale scale = {0, 0};
 *   rollout.loss_scale = (float)(optimizer.loss_scale = memformer_next_loss_scale(&scale, norm)) *
 *                        (1 / targets);
 * before each step, with the norm of the step before (0 before the first): 65536 at first, half of
 * it after a step that was left out, twice as much after 2000 in a row that were not.
 */
typedef struct memformer_loss_scale {
  double value; /* 0 at first */
  uint64_t good_steps;
} memformer_loss_scale;
/* 0 where `scale` is null. */
double memformer_next_loss_scale(memformer_loss_scale *scale, double gradient_norm);
/* A rollout forward, without dropout. */
memformer_status memformer_evaluate(memformer_session *session, const memformer_rollout *rollout);

/* Parameters, f32. `count` must be the tensor's number of elements. */
memformer_status memformer_get_parameter(const memformer_session *session, size_t index,
                                         float *values, size_t count);
memformer_status memformer_set_parameter(memformer_session *session, size_t index,
                                         const float *values, size_t count);
/* The gradient that the last step left, times the optimizer's loss_scale. */
memformer_status memformer_get_gradient(const memformer_session *session, size_t index,
                                        float *values, size_t count);
/* All parameters from or to a safetensors file. */
memformer_status memformer_load_parameters(memformer_session *session, const char *path);
memformer_status memformer_save_parameters(const memformer_session *session, const char *path);

/* The state of all rows in slot 0 ... segments: the bytes of all its tensors, as one block that can
 * be saved and set again with the same artifact. Integers that would index a table beyond its end
 * are an error. */
size_t memformer_state_bytes(const memformer_session *session);
memformer_status memformer_get_state(const memformer_session *session, int64_t slot, void *bytes,
                                     size_t size);
memformer_status memformer_set_state(memformer_session *session, int64_t slot, const void *bytes,
                                     size_t size);
/* One tensor of a slot, of f32. */
memformer_status memformer_get_state_tensor(const memformer_session *session, int64_t slot,
                                            size_t index, float *values, size_t count);
memformer_status memformer_set_state_tensor(memformer_session *session, int64_t slot, size_t index,
                                            const float *values, size_t count);
/* Copies a slot over another. */
memformer_status memformer_move_state(memformer_session *session, int64_t from, int64_t to);
/* Slot `count` + i becomes slot i. */
memformer_status memformer_shift_state(memformer_session *session, int64_t count);

/*
 * Generation, of an artifact that was compiled for it (memformer-compile --for=generation). A
 * stream is a sequence of tokens for each row of the batch; memory does not grow with it. It uses
 * the state in slots 0 and 1. Begin, then feed tokens one at a time, asking for the logits of the
 * next, or a draw of it, whenever they are wanted.
 */
typedef struct memformer_sampling {
  double temperature; /* 0: the most likely token */
  int64_t top_k;      /* only the k most likely; 0: all */
  double top_p;       /* only the fewest with together this probability, in (0, 1] */
  uint64_t seed;
} memformer_sampling;

/* From the initial state. `bos` stands before the first token. Parameters must not change until
 * the stream ends. */
memformer_status memformer_stream_begin(memformer_session *session, int32_t bos);
/* The next token of each row: `count` is the batch. */
memformer_status memformer_stream_feed(memformer_session *session, const int32_t *tokens,
                                       size_t count);
/* The logits of the token that comes next, [batch, V]. */
memformer_status memformer_stream_logits(memformer_session *session, float *values, size_t count);
/* A draw of the token that comes next, for each row; it is not fed. */
memformer_status memformer_stream_sample(memformer_session *session,
                                         const memformer_sampling *sampling, int32_t *tokens,
                                         size_t count);

#ifdef __cplusplus
}
#endif
#endif
