/* A program in C99 that uses the interface as its header says. Returns what went wrong, or null. */
#include "runtime/memformer.h"

#include <stdlib.h>
#include <string.h>

#define CHECK(condition)                                                                           \
  do {                                                                                             \
    if (!(condition))                                                                              \
      return "line of c_interface_use.c: " #condition;                                             \
  } while (0)

const char *use_c_interface(const char *path, const char *weights_path, const char *device);

const char *use_c_interface(const char *path, const char *weights_path, const char *device) {
  enum { T = 3, B = 3, L = 5, V = 11, D = 7 };
  memformer_options options = {T, 2, 42, device, 0};
  memformer_session *session = NULL, *second = NULL;
  CHECK(memformer_create(path, &options, &session) == MEMFORMER_OK);
  CHECK(memformer_batch(session) == B);
  CHECK(memformer_count(session, MEMFORMER_PARAMETERS) == 1);

  size_t index = 99;
  memformer_tensor tensor;
  CHECK(memformer_find(session, MEMFORMER_PARAMETERS, "weight", &index) == MEMFORMER_OK);
  CHECK(memformer_describe(session, MEMFORMER_PARAMETERS, index, &tensor) == MEMFORMER_OK);
  CHECK(strcmp(tensor.name, "weight") == 0 && strcmp(tensor.type, "f32") == 0);
  CHECK(tensor.rank == 2 && tensor.shape[0] == V && tensor.shape[1] == D);
  CHECK(tensor.elements == V * D);

  int32_t tokens[T * B * L], prediction[T * B * L];
  float loss[T * B * L], again[T * B * L];
  for (int i = 0; i < T * B * L; ++i)
    tokens[i] = (i * 7) % V;
  memformer_input inputs[1] = {{"tokens", tokens}};
  memformer_output outputs[2] = {{"loss", loss}, {"prediction", prediction}};
  memformer_rollout rollout;
  memset(&rollout, 0, sizeof(rollout));
  rollout.segments = T;
  rollout.loss_scale = 1;
  rollout.inputs = inputs;
  rollout.input_count = 1;
  rollout.outputs = outputs;
  rollout.output_count = 2;
  CHECK(memformer_evaluate(session, &rollout) == MEMFORMER_OK);
  CHECK(prediction[1] == 8);

  /* One update: weight -= rate * gradient. */
  float before[V * D], gradient[V * D], after[V * D];
  memformer_optimizer optimizer = {0.125, 0.9, 0.999, 1e-8, 0, 0, 1, 0};
  double norm = -1;
  CHECK(memformer_get_parameter(session, index, before, V * D) == MEMFORMER_OK);
  rollout.output_count = 1;
  CHECK(memformer_step(session, &rollout, &optimizer, &norm) == MEMFORMER_OK);
  CHECK(norm > 0);
  CHECK(memformer_get_gradient(session, index, gradient, V * D) == MEMFORMER_OK);
  CHECK(memformer_get_parameter(session, index, after, V * D) == MEMFORMER_OK);
  for (int i = 0; i < V * D; ++i)
    CHECK(after[i] == before[i] - 0.125f * gradient[i]);

  /* A scaled loss makes the same step, and one whose gradient is not finite none. */
  memformer_loss_scale scale = {0, 0};
  double scaled_norm = 0;
  rollout.output_count = 0;
  float scaled[V * D];
  CHECK(memformer_set_parameter(session, index, before, V * D) == MEMFORMER_OK);
  optimizer.loss_scale = memformer_next_loss_scale(&scale, norm);
  CHECK(optimizer.loss_scale == 65536);
  rollout.loss_scale = 65536;
  CHECK(memformer_step(session, &rollout, &optimizer, &scaled_norm) == MEMFORMER_OK);
  CHECK(scaled_norm == norm);
  CHECK(memformer_get_parameter(session, index, scaled, V * D) == MEMFORMER_OK);
  CHECK(memcmp(scaled, after, sizeof(after)) == 0);
  CHECK(memformer_get_gradient(session, index, scaled, V * D) == MEMFORMER_OK);
  for (int i = 0; i < V * D; ++i)
    CHECK(scaled[i] == 65536 * gradient[i]);
  rollout.loss_scale = 1e38f;
  CHECK(memformer_step(session, &rollout, &optimizer, &scaled_norm) == MEMFORMER_OK);
  CHECK(!(scaled_norm < 1e300));
  CHECK(memformer_get_parameter(session, index, scaled, V * D) == MEMFORMER_OK);
  CHECK(memcmp(scaled, after, sizeof(after)) == 0);
  CHECK(memformer_next_loss_scale(&scale, scaled_norm) == 32768);
  for (int i = 1; i < 2000; ++i)
    CHECK(memformer_next_loss_scale(&scale, 1) == 32768);
  CHECK(memformer_next_loss_scale(&scale, 1) == 65536 && scale.good_steps == 0);
  CHECK(memformer_next_loss_scale(NULL, 1) == 0);
  optimizer.loss_scale = 3;
  CHECK(memformer_step(session, &rollout, &optimizer, NULL) == MEMFORMER_BAD_ARGUMENT);
  CHECK(strcmp(memformer_error(),
               "expected a loss scale that is a power of two, 2^-24 to 2^64, but got 3") == 0);
  optimizer.loss_scale = 0;
  rollout.loss_scale = 1;
  rollout.output_count = 1;

  /* The old weights give the old loss again. */
  CHECK(memformer_save_parameters(session, weights_path) == MEMFORMER_OK);
  CHECK(memformer_set_parameter(session, index, before, V * D) == MEMFORMER_OK);
  outputs[0].data = again;
  CHECK(memformer_evaluate(session, &rollout) == MEMFORMER_OK);
  CHECK(memcmp(loss, again, sizeof(loss)) == 0);
  CHECK(memformer_load_parameters(session, weights_path) == MEMFORMER_OK);
  CHECK(memformer_get_parameter(session, index, before, V * D) == MEMFORMER_OK);
  CHECK(memcmp(before, after, sizeof(after)) == 0);

  /* States: the last slot into the first, through bytes and through a tensor. */
  size_t bytes = memformer_state_bytes(session);
  char *state = malloc(bytes);
  float values[B * D];
  CHECK(memformer_get_state(session, T, state, bytes) == MEMFORMER_OK);
  CHECK(memformer_set_state(session, 0, state, bytes) == MEMFORMER_OK);
  CHECK(memformer_get_state_tensor(session, 0, 0, values, B * D) == MEMFORMER_OK);
  CHECK(memcmp(values, state, sizeof(values)) == 0);
  values[0] = 5;
  CHECK(memformer_set_state_tensor(session, 1, 0, values, B * D) == MEMFORMER_OK);
  CHECK(memformer_shift_state(session, 1) == MEMFORMER_OK);
  CHECK(memformer_move_state(session, 0, 2) == MEMFORMER_OK);
  CHECK(memformer_get_state_tensor(session, 2, 0, values, B * D) == MEMFORMER_OK);
  CHECK(values[0] == 5);

  /* Mistakes. */
  memformer_options elsewhere = {T, 2, 42, "cuda:x", 0};
  CHECK(memformer_create(path, &elsewhere, &second) == MEMFORMER_BAD_ARGUMENT && !second);
  CHECK(strcmp(memformer_error(),
               "expected a device to be cpu, cuda or cuda:N, but got 'cuda:x'") == 0);
  CHECK(memformer_create("no/such.mfa", &options, &second) == MEMFORMER_FAILED && !second);
  CHECK(strcmp(memformer_error(), "cannot open no/such.mfa: No such file or directory") == 0);
  CHECK(memformer_create_from_memory("MEMFORMR", 8, &options, &second) == MEMFORMER_FAILED);
  CHECK(memformer_create(NULL, &options, &second) == MEMFORMER_BAD_ARGUMENT);
  CHECK(memformer_get_state(session, T + 1, state, bytes) == MEMFORMER_BAD_ARGUMENT);
  CHECK(strcmp(memformer_error(), "expected a slot in [0, 3], but got 4") == 0);
  CHECK(memformer_get_state(session, 0, state, bytes - 1) == MEMFORMER_BAD_ARGUMENT);
  CHECK(memformer_get_parameter(session, 1, before, V * D) == MEMFORMER_BAD_ARGUMENT);
  CHECK(memformer_get_parameter(session, 0, before, 3) == MEMFORMER_BAD_ARGUMENT);
  CHECK(strcmp(memformer_error(), "'weight' has 77 elements, but got 3") == 0);
  CHECK(memformer_find(session, MEMFORMER_INPUTS, "nothing", &index) == MEMFORMER_BAD_ARGUMENT);
  CHECK(memformer_load_parameters(session, path) == MEMFORMER_FAILED);
  CHECK(memformer_shift_state(NULL, 0) == MEMFORMER_BAD_ARGUMENT);
  CHECK(memformer_evaluate(session, NULL) == MEMFORMER_BAD_ARGUMENT);
  tokens[4] = V;
  CHECK(memformer_step(session, &rollout, &optimizer, NULL) == MEMFORMER_FAILED);
  CHECK(strcmp(memformer_error(), "input 'tokens', segment 0, row 0, position 4: expected a value "
                                  "in [0, 11), but got 11") == 0);

  free(state);
  memformer_destroy(session);
  memformer_destroy(NULL);
  return NULL;
}
