/* Kernels of the toy model (toy_model.h), written by hand in the ABI of docs/artifact.md. */
#include <stdint.h>

enum { B = 3, L = 5, D = 7, V = 11 };

static float square_root(float x) {
  float guess = x > 1 ? x : 1;
  for (int i = 0; i < 64; ++i)
    guess = 0.5f * (guess + x / guess);
  return x > 0 ? guess : 0;
}

/* packed [V, D] = weight [V, D]; a workgroup is a row. */
void toy_pack(void *const *arguments, int64_t v) {
  const float *weight = arguments[0];
  float *packed = arguments[1];
  for (int j = 0; j < D; ++j)
    packed[v * D + j] = weight[v * D + j];
}

/* next [B, D] = (reset ? 1 : state) / 2 + sum over l of packed[token[l]]; a workgroup is a row. */
void toy_forward(void *const *arguments, int64_t b) {
  const int32_t *reset = arguments[0], *tokens = arguments[1];
  const float *packed = arguments[2], *state = arguments[3];
  float *next = arguments[4];
  for (int j = 0; j < D; ++j) {
    float sum = 0.5f * (reset[b] ? 1.0f : state[b * D + j]);
    for (int l = 0; l < L; ++l)
      sum += packed[tokens[b * L + l] * D + j];
    next[b * D + j] = sum;
  }
}

/* loss [B, L] = next[b][0] * token; prediction [B, L] = token + 1; a workgroup is a row. */
void toy_loss(void *const *arguments, int64_t b) {
  const int32_t *tokens = arguments[0];
  const float *next = arguments[1];
  float *loss = arguments[2];
  int32_t *prediction = arguments[3];
  for (int l = 0; l < L; ++l) {
    loss[b * L + l] = next[b * D] * (float)tokens[b * L + l];
    prediction[b * L + l] = tokens[b * L + l] + 1;
  }
}

/* The objective is loss_scale * the sum of the squares of all next states, halved. adjoint [B, D]
 * comes in as that of the next state. A workgroup is a column. */
void toy_backward(void *const *arguments, int64_t j) {
  const int32_t *reset = arguments[0], *tokens = arguments[1];
  const float *next = arguments[2], *scale = arguments[3];
  float *adjoint = arguments[4], *gradient = arguments[5];
  for (int b = 0; b < B; ++b) {
    const float total = adjoint[b * D + j] + *scale * next[b * D + j];
    for (int l = 0; l < L; ++l)
      gradient[tokens[b * L + l] * D + j] += total;
    adjoint[b * D + j] = reset[b] ? 0 : 0.5f * total;
  }
}

/* Counts how often it ran. */
void toy_count(void *const *arguments, int64_t workgroup) {
  (void)workgroup;
  *(int32_t *)arguments[0] += 1;
}

/* gradient_norm, of V * D entries times gradient_scale. */
void toy_norm(void *const *arguments, int64_t workgroup) {
  (void)workgroup;
  const float *gradient = arguments[0], *scale = arguments[2];
  float *norm = arguments[1], sum = 0;
  for (int i = 0; i < V * D; ++i)
    sum += gradient[i] * gradient[i];
  *norm = square_root(sum) * *scale;
}

/* With gradients times gradient_scale: weight -= learning_rate * gradient; first moment = beta1 *
 * it
 * + (1 - beta1) * gradient, second moment = bias_correction2. Nothing where the norm is not finite.
 * A workgroup is a row. */
void toy_update(void *const *arguments, int64_t v) {
  const float *gradient = arguments[0], *rate = arguments[1], *beta1 = arguments[2],
              *correction = arguments[3];
  float *weight = arguments[4], *first = arguments[5], *second = arguments[6];
  const float *scale = arguments[7], *norm = arguments[8];
  if (!(*norm < __builtin_inff()))
    return;
  for (int i = (int)v * D; i < (int)(v + 1) * D; ++i) {
    weight[i] -= *rate * (*scale * gradient[i]);
    first[i] = *beta1 * first[i] + (1 - *beta1) * (*scale * gradient[i]);
    second[i] = *correction;
  }
}

/* out [D] = a denormal number halved: 0 where denormals are flushed. */
void toy_denormal(void *const *arguments, int64_t workgroup) {
  volatile float smallest = 1.5e-38f;
  volatile float half = 0.5f;
  ((float *)arguments[0])[workgroup] = smallest * half;
}
