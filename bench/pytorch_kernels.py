#!/usr/bin/env python3
"""PyTorch's ways to compute what memformer-bench-kernels computes, timed as another process asks.

For each line `MILLISECONDS JSON` on standard input, the JSON being the "torch" of a case of `list`, it answers with the seconds of a call on one thread.
"""
import json
import math
import os
import sys
import time

for name in ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE", "MKL_ENABLE_INSTRUCTIONS", "MKL_DEBUG_CPU_TYPE", "ATEN_CPU_CAPABILITY", "ONEDNN_MAX_CPU_ISA"):
    os.environ.pop(name, None)

import torch
import torch.nn.functional as F

torch.set_num_threads(1)
torch.set_flush_denormal(True)


def heads(c, length, grad):
    """[batch, heads, length, width] as it lies after a projection: heads inside of rows."""
    x = torch.randn(c["batch"], length, c["heads"], c["width"]).transpose(1, 2)
    return x.requires_grad_(grad)


def attention(c, grad=False):
    q, k, v = heads(c, c["queries"], grad), heads(c, c["keys"], grad), heads(c, c["keys"], grad)
    return (q, k, v), lambda: F.scaled_dot_product_attention(q, k, v, is_causal=c["causal"])


def of_backward(inputs, forward):
    """The backward pass alone, again and again on one graph."""
    out = forward()
    gradient = torch.randn_like(out)
    return lambda: torch.autograd.grad(out, inputs, gradient, retain_graph=True)


def slot_write(c):
    q, own, slots = (heads(c, c["slots"], False) for _ in range(3))
    k, v = heads(c, c["tokens"], False), heads(c, c["tokens"], False)
    bias = torch.randn(c["slots"], c["heads"] * c["width"])
    scale = 4 / math.sqrt(c["width"])

    def write():
        a = torch.cat([(q * own).sum(-1, keepdim=True), q @ k.transpose(-1, -2)], -1).mul_(scale).softmax(-1)
        out = (a[..., :1] * slots + a[..., 1:] @ v).transpose(1, 2).flatten(2) + bias
        return out / out.norm(dim=-1, keepdim=True)

    return write


def adamw(c):
    parameter = torch.randn(c["entries"]).requires_grad_()
    parameter.grad = torch.randn(c["entries"])
    optimizer = torch.optim.AdamW([parameter], lr=1e-3, weight_decay=0.01, fused=True)
    return optimizer.step


def prepare(c):
    op = c["op"]
    if op == "attention":
        return attention(c)[1]
    if op == "attention_gradient":
        return of_backward(*attention(c, True))
    if op == "slot_write":
        return slot_write(c)
    if op == "adamw":
        return adamw(c)
    if op == "squared_norm":
        x = torch.randn(c["entries"])
        return lambda: torch.linalg.vector_norm(x)
    if op == "norm_linear_gelu":
        x, w, b = torch.randn(c["m"], c["k"]), torch.randn(c["n"], c["k"]), torch.randn(c["n"])
        scale, shift = torch.randn(c["k"]), torch.randn(c["k"])
        return lambda: F.gelu(F.linear(F.layer_norm(x, (c["k"],), scale, shift), w, b), approximate="tanh")
    x = torch.randn(c["rows"], c["width"])
    if op.startswith("layer_norm"):
        scale, shift = torch.randn(c["width"]), torch.randn(c["width"])
        inputs = (x, scale, shift)
        forward = lambda: F.layer_norm(x, (c["width"],), scale, shift)
    else:
        targets = torch.randint(0, c["width"], (c["rows"],))
        inputs = (x,)
        forward = lambda: F.cross_entropy(x, targets, reduction="sum")
    if not op.endswith("_gradient"):
        return forward
    for tensor in inputs:
        tensor.requires_grad_()
    return of_backward(inputs, forward)


def time_way(way, seconds):
    """As memformer-bench-kernels does: the shortest stretch of four, in seconds of computing."""
    begin = time.process_time()
    way()
    once = time.process_time() - begin
    calls, best = max(1, int(seconds / 4 / max(once, 1e-7))), once
    for _ in range(4):
        begin = time.process_time()
        for _ in range(calls):
            way()
        best = min(best, (time.process_time() - begin) / calls)
    return best


def main():
    ways = {}
    for line in sys.stdin:
        milliseconds, case = line.split(" ", 1)
        way = ways.get(case)
        if way is None:
            ways.clear()
            way = ways[case] = prepare(json.loads(case))
        if json.loads(case)["op"].endswith("_gradient") or "adamw" in case:
            print(time_way(way, float(milliseconds) / 1000), flush=True)
        else:
            with torch.inference_mode():
                print(time_way(way, float(milliseconds) / 1000), flush=True)


if __name__ == "__main__":
    main()
