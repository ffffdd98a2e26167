#!/usr/bin/env python3
"""A Memformer training step in JAX, compiled whole: a peer of `memformer-run bench`, of the line protocol of pytorch_memformer.py.

With `--iree` the inference step is compiled and run by IREE instead of XLA.
"""
import argparse
import math
import os
import sys
import time
import tomllib


def arguments_of():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("config")
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--segments", type=int, default=8)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--work", choices=["mrbp", "checkpoint", "bptt", "infer"], default="mrbp")
    parser.add_argument("--iree", action="store_true")
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    parser.add_argument("--precision", choices=["f32", "tf32", "bf16"], default="f32", help="of products on cuda")
    return parser.parse_args()


arguments = arguments_of()
# XLA makes as many threads as the process may use cores.
os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: arguments.threads])
os.environ["JAX_PLATFORMS"] = arguments.device
if arguments.threads == 1:
    os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false"

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

if arguments.device == "cuda":
    jax.config.update("jax_default_matmul_precision", {"f32": "highest", "tf32": "tensorfloat32", "bf16": "bfloat16"}[arguments.precision])

with open(arguments.config, "rb") as file:
    config = tomllib.load(file)
c, m = config["model"], config["memory"]
width, heads, length, slots = c["d_model"], c["heads"], c["segment"], m["slots"]
write_heads = m.get("write_heads", heads)
random = np.random.default_rng(0)


def linear(inputs, outputs):
    bound = 1 / math.sqrt(inputs)
    return {"weight": random.uniform(-bound, bound, (inputs, outputs)).astype(np.float32), "bias": random.uniform(-bound, bound, outputs).astype(np.float32)}


def norm():
    return {"scale": np.ones(width, np.float32), "shift": np.zeros(width, np.float32)}


def block(second):
    b = {"norm": norm(), "qkv": linear(width, 3 * width), "output": linear(width, width), "ffn_norm": norm(), "up": linear(width, c["d_ff"]), "down": linear(c["d_ff"], width)}
    if second:
        b |= {"second_norm": norm(), "query": linear(width, width), "key_value": linear(width, 2 * width), "second_output": linear(width, width)}
    return b


def initial_parameters():
    normal = lambda *shape: (0.02 * random.standard_normal(shape)).astype(np.float32)
    # Layers stacked, so that a scan over them is compiled once.
    stack = lambda blocks: jax.tree.map(lambda *leaves: np.stack(leaves), *blocks)
    return {
        "embedding": normal(c["vocab"], width), "positions": normal(2, length, width),
        "encoder": stack([block(True) for _ in range(c["encoder_layers"])]), "encoder_norm": norm(),
        "decoder": stack([block(True) for _ in range(c["decoder_layers"])]), "decoder_norm": norm(),
        "output": linear(width, c["vocab"]), "bias": normal(slots, width) + 0.03,
        "write": {name: linear(width, width) for name in ("query", "key", "value")},
    }


def apply(p, x):
    return x @ p["weight"] + p["bias"]


def normalized(p, x):
    mean = x.mean(-1, keepdims=True)
    centred = x - mean
    return centred * lax.rsqrt((centred * centred).mean(-1, keepdims=True) + 1e-5) * p["scale"] + p["shift"]


def split(x, count=heads):
    return x.reshape(*x.shape[:-1], count, width // count)


def attend(q, k, v, causal):
    out = jax.nn.dot_product_attention(split(q), split(k), split(v), is_causal=causal)
    return out.reshape(q.shape)


def run_blocks(blocks, x, context, causal):
    def body(x, b):
        x = x + apply(b["output"], attend(*jnp.split(apply(b["qkv"], normalized(b["norm"], x)), 3, -1), causal))
        k, v = jnp.split(apply(b["key_value"], context), 2, -1)
        x = x + apply(b["second_output"], attend(apply(b["query"], normalized(b["second_norm"], x)), k, v, False))
        hidden = apply(b["up"], normalized(b["ffn_norm"], x))
        return x + apply(b["down"], jax.nn.relu(hidden) if c.get("activation") == "relu" else jax.nn.gelu(hidden)), None

    return lax.scan(body, x, blocks)[0]


def encode(p, tokens, memory):
    x = p["embedding"][tokens] + p["positions"][0]
    return normalized(p["encoder_norm"], run_blocks(p["encoder"], x, memory, False))


def write(p, memory, x):
    w, by_head = p["write"], lambda t: split(t, write_heads)
    q, own, k, v = by_head(apply(w["query"], memory)), by_head(apply(w["key"], memory)), by_head(apply(w["key"], x)), by_head(apply(w["value"], x))
    scale = 1 / (math.sqrt(width // write_heads) * m.get("temperature", 1.0))
    logits = jnp.concatenate([(q * own).sum(-1)[..., None].swapaxes(1, 2), jnp.einsum("bihc,bjhc->bhij", q, k)], -1) * scale
    a = jax.nn.softmax(logits, -1)
    out = a[..., 0].swapaxes(1, 2)[..., None] * by_head(memory) + jnp.einsum("bhij,bjhc->bihc", a[..., 1:], v)
    out = out.reshape(memory.shape) + p["bias"]
    return out / jnp.linalg.norm(out, axis=-1, keepdims=True)


def loss_of(p, encoded, tokens, targets):
    y = run_blocks(p["decoder"], p["embedding"][tokens] + p["positions"][1], encoded, True)
    logits = apply(p["output"], normalized(p["decoder_norm"], y))
    return (jax.nn.logsumexp(logits, -1) - jnp.take_along_axis(logits, targets[..., None], -1)[..., 0]).sum()


def segment(p, memory, data):
    x, y, t = data
    encoded = encode(p, x, memory)
    return write(p, memory, encoded), loss_of(p, encoded, y, t)


def initial_memory(p):
    rows = p["bias"] / jnp.linalg.norm(p["bias"], axis=-1, keepdims=True)
    return jnp.broadcast_to(rows, (arguments.batch, slots, width))


def total_loss(p, data, body):
    return lax.scan(lambda memory, one: body(p, memory, one), initial_memory(p), data)[1].sum()


def replay(p, data, counted):
    """Memory replay back-propagation: forward neither decoder nor loss, then each segment again."""
    first, of_first = jax.vjp(initial_memory, p)
    last, memories = lax.scan(lambda memory, x: (write(p, memory, encode(p, x, memory)), memory), first, data[0][:-1])
    memories = jnp.concatenate([memories, last[None]])

    def body(carried, one):
        gradient, sums = carried
        memory, data = one
        (_, loss), back = jax.vjp(lambda p, memory: segment(p, memory, data), p, memory)
        of_p, of_memory = back((gradient, 1 / counted))
        return (of_memory, jax.tree.map(jnp.add, sums, of_p)), loss

    zeros = jax.tree.map(jnp.zeros_like, p)
    (gradient, sums), losses = lax.scan(body, (jnp.zeros_like(first), zeros), (memories, data), reverse=True)
    return losses.sum() / counted, jax.tree.map(jnp.add, sums, of_first(gradient)[0])


def step(state, data):
    p, first, second, count = state
    counted = data[2].size
    if arguments.work == "mrbp":
        loss, gradients = replay(p, data, float(counted))
    else:
        body = jax.checkpoint(segment) if arguments.work == "checkpoint" else segment
        loss, gradients = jax.value_and_grad(lambda p: total_loss(p, data, body) / counted)(p)
    length = jnp.sqrt(sum((g * g).sum() for g in jax.tree.leaves(gradients)))
    gradients = jax.tree.map(lambda g: g * jnp.minimum(1, 1 / (length + 1e-6)), gradients)
    count = count + 1
    first = jax.tree.map(lambda v, g: 0.9 * v + 0.1 * g, first, gradients)
    second = jax.tree.map(lambda v, g: 0.999 * v + 0.001 * g * g, second, gradients)
    update = lambda p, a, b: p * (1 - 1e-5) - 1e-3 * (a / (1 - 0.9**count)) / (jnp.sqrt(b / (1 - 0.999**count)) + 1e-8)
    return (jax.tree.map(update, p, first, second), first, second, count), loss


def main():
    p = jax.tree.map(jnp.asarray, initial_parameters())
    shape = (arguments.segments, arguments.batch, length)
    data = tuple(jnp.asarray(random.integers(0, c["vocab"], shape, np.int32)) for _ in range(3))
    infer = lambda p, data: total_loss(p, data, segment)
    if arguments.iree:
        run_with_iree(infer, p, data)
        return
    if arguments.work == "infer":
        compiled = jax.jit(infer)
        one = lambda state: (state, compiled(state, data))
        state = p
    else:
        compiled = jax.jit(step, donate_argnums=0)
        one = lambda state: compiled(state, data)
        zeros = lambda: jax.tree.map(jnp.zeros_like, p)
        state = (p, zeros(), zeros(), jnp.float32(0))
    serve(one, state)


def serve(one, state):
    for _ in sys.stdin:
        begin = time.perf_counter()
        state, loss = one(state)
        jax.block_until_ready((state, loss))
        print(time.perf_counter() - begin, flush=True)


def run_with_iree(function, p, data):
    import iree.compiler
    import iree.runtime

    text = jax.jit(function).lower(p, data).as_text()
    binary = iree.compiler.compile_str(text, target_backends=["llvm-cpu"], input_type="stablehlo", extra_args=["--iree-llvmcpu-target-cpu=host", "--iree-opt-level=O3"])
    iree.runtime.flags.FUNCTION_INPUT_VALIDATION = False
    iree.runtime.flags.parse_flags(f"--task_topology_group_count={arguments.threads}")
    runtime = iree.runtime.Config("local-task")
    module = iree.runtime.load_vm_module(iree.runtime.VmModule.copy_buffer(runtime.vm_instance, binary), runtime)
    inputs = [iree.runtime.asdevicearray(runtime.device, np.asarray(leaf)) for leaf in jax.tree.leaves((p, data))]
    serve(lambda state: (state, np.asarray(module.main(*inputs))), 0)


if __name__ == "__main__":
    main()
