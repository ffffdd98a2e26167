#!/usr/bin/env python3
"""A Memformer training step in PyTorch, written to be fast: the peer of `memformer-run bench`.

Reads the same TOML configuration. Speaks a line protocol, so that another process can interleave it with its own work: for each line
on standard input it runs one step and answers with its seconds.
"""
import argparse
import math
import sys
import time
import tomllib

import torch
import torch.nn as nn
import torch.nn.functional as F
import torch.utils.checkpoint


class Attention(nn.Module):
    def __init__(self, width, heads, fused):
        super().__init__()
        self.heads, self.fused = heads, fused
        if fused:  # queries, keys and values of one input in one product
            self.projection = nn.Linear(width, 3 * width)
        else:
            self.query, self.key_value = nn.Linear(width, width), nn.Linear(width, 2 * width)
        self.output = nn.Linear(width, width)

    def forward(self, x, context=None, causal=False):
        if self.fused:
            parts = self.projection(x).chunk(3, -1)
        else:
            parts = (self.query(x), *self.key_value(context).chunk(2, -1))
        q, k, v = (p.unflatten(-1, (self.heads, -1)).transpose(1, 2) for p in parts)
        out = F.scaled_dot_product_attention(q, k, v, is_causal=causal)
        return self.output(out.transpose(1, 2).flatten(2))


class Block(nn.Module):
    """Pre-norm: self-attention, an optional second attention, feed-forward."""

    def __init__(self, c, second):
        super().__init__()
        d = c["d_model"]
        self.norms = nn.ModuleList(nn.LayerNorm(d) for _ in range(3 if second else 2))
        self.self_attention = Attention(d, c["heads"], True)
        self.second = Attention(d, c["heads"], False) if second else None
        self.up, self.down = nn.Linear(d, c["d_ff"]), nn.Linear(c["d_ff"], d)
        self.relu = c.get("activation") == "relu"

    def forward(self, x, context, causal):
        x = x + self.self_attention(self.norms[0](x), causal=causal)
        if self.second is not None:
            x = x + self.second(self.norms[1](x), context)
        hidden = self.up(self.norms[-1](x))
        return x + self.down(F.relu(hidden) if self.relu else F.gelu(hidden, approximate="tanh"))


class Memformer(nn.Module):
    def __init__(self, c, m):
        super().__init__()
        d, L = c["d_model"], c["segment"]
        self.embedding = nn.Embedding(c["vocab"], d)
        self.positions = nn.ParameterList(nn.Parameter(0.02 * torch.randn(L, d)) for _ in range(2))
        self.encoder = nn.ModuleList(Block(c, m["slots"] > 0) for _ in range(c["encoder_layers"]))
        self.decoder = nn.ModuleList(Block(c, True) for _ in range(c["decoder_layers"]))
        self.encoder_norm, self.decoder_norm = nn.LayerNorm(d), nn.LayerNorm(d)
        self.output = nn.Linear(d, c["vocab"])
        self.heads = m.get("write_heads", c["heads"])
        self.scale = 1 / (math.sqrt(d // self.heads) * m.get("temperature", 1.0))
        self.bias = nn.Parameter(0.03 * torch.randn(m["slots"], d))
        self.query, self.key, self.value = (nn.Linear(d, d) for _ in range(3))

    def encode(self, tokens, memory):
        x = self.embedding(tokens) + self.positions[0]
        for block in self.encoder:
            x = block(x, memory, False)
        return self.encoder_norm(x)

    def write(self, memory, x):
        split = lambda t: t.unflatten(-1, (self.heads, -1)).transpose(1, 2)
        q, own, k, v = split(self.query(memory)), split(self.key(memory)), split(self.key(x)), split(self.value(x))
        logits = torch.cat([(q * own).sum(-1, keepdim=True), q @ k.transpose(-1, -2)], -1) * self.scale
        a = logits.softmax(-1)
        out = (a[..., :1] * split(memory) + a[..., 1:] @ v).transpose(1, 2).flatten(2) + self.bias
        return out / out.norm(dim=-1, keepdim=True)

    def loss(self, encoded, tokens, targets):
        y = self.embedding(tokens) + self.positions[1]
        for block in self.decoder:
            y = block(y, encoded, True)
        return F.cross_entropy(self.output(self.decoder_norm(y)).flatten(0, 1), targets.flatten(), reduction="sum")

    def step(self, token, position, caches, crosses):
        """Logits of one position. `caches` hold self-attention's keys and values, `crosses` those of the encoder, by layer."""
        y = self.embedding(token) + self.positions[1][position]
        for block, cache, cross in zip(self.decoder, caches, crosses):
            own = block.self_attention
            parts = own.projection(block.norms[0](y)).chunk(3, -1)
            q, k, v = (p.unflatten(-1, (own.heads, -1)).transpose(1, 2) for p in parts)
            cache[0][:, :, position], cache[1][:, :, position] = k[:, :, 0], v[:, :, 0]
            out = F.scaled_dot_product_attention(q, cache[0][:, :, : position + 1], cache[1][:, :, : position + 1])
            y = y + own.output(out.transpose(1, 2).flatten(2))
            second = block.second
            q = second.query(block.norms[1](y)).unflatten(-1, (second.heads, -1)).transpose(1, 2)
            out = F.scaled_dot_product_attention(q, *cross)
            y = y + second.output(out.transpose(1, 2).flatten(2))
            hidden = block.up(block.norms[-1](y))
            y = y + block.down(F.relu(hidden) if block.relu else F.gelu(hidden, approximate="tanh"))
        return self.output(self.decoder_norm(y))

    def initial(self, batch):
        return (self.bias / self.bias.norm(dim=-1, keepdim=True)).expand(batch, -1, -1)


def mrbp(model, x, y, t, counted):
    """Memory replay back-propagation: the forward traversal has neither decoder nor loss."""
    with torch.no_grad():
        memories = [model.initial(x.shape[1])]
        for tokens in x[:-1]:
            memories.append(model.write(memories[-1], model.encode(tokens, memories[-1])))
    gradient = None
    for step in reversed(range(len(x))):
        memory = memories[step].detach().requires_grad_()
        encoded = model.encode(x[step], memory)
        loss = model.loss(encoded, y[step], t[step]) / counted
        if gradient is None:
            loss.backward()
        else:
            torch.autograd.backward([loss, model.write(memory, encoded)], [None, gradient])
        gradient = memory.grad
    model.initial(x.shape[1]).backward(gradient)


def segment(model, memory, x, y, t):
    encoded = model.encode(x, memory)
    return model.loss(encoded, y, t), model.write(memory, encoded)


def bptt(model, x, y, t, counted, run=segment):
    memory, total = model.initial(x.shape[1]), 0
    for step in range(len(x)):
        loss, memory = run(model, memory, x[step], y[step], t[step])
        total = total + loss
    (total / counted).backward()


def checkpoint(model, x, y, t, counted):
    """Gradient checkpointing at segment boundaries: the forward traversal computes all nodes."""
    bptt(model, x, y, t, counted, lambda *all: torch.utils.checkpoint.checkpoint(segment, *all, use_reentrant=False))


def infer(model, x, y, t, counted):
    with torch.inference_mode():
        memory, total = model.initial(x.shape[1]), 0
        for step in range(len(x)):
            loss, memory = segment(model, memory, x[step], y[step], t[step])
            total = total + loss


def generate(model, segments, batch, length):
    """Greedy generation with a KV cache; encoder and write run once a segment."""
    with torch.inference_mode():
        memory = model.initial(batch)
        tokens = torch.zeros(batch, length, dtype=torch.long)
        for _ in range(segments):
            encoded = model.encode(tokens, memory)
            memory = model.write(memory, encoded)
            crosses, caches = [], []
            for block in model.decoder:
                heads = block.second.heads
                parts = block.second.key_value(encoded).chunk(2, -1)
                crosses.append([p.unflatten(-1, (heads, -1)).transpose(1, 2).contiguous() for p in parts])
                caches.append([torch.empty_like(crosses[-1][0]) for _ in range(2)])
            token, said = tokens[:, -1:], []
            for position in range(length):
                token = model.step(token, position, caches, crosses)[:, -1].argmax(-1, keepdim=True)
                said.append(token)
            tokens = torch.cat(said, 1)


TRAINING = {"mrbp": mrbp, "bptt": bptt, "checkpoint": checkpoint}


def arguments_of(description, works):
    """What peers of `memformer-run bench` are told, each of them."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("config")
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--segments", type=int, default=8)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--work", choices=works, default=works[0])
    parser.add_argument("--compile", action="store_true", help="by torch.compile: encoder, write and decoder as one graph each, of other models a segment")
    parser.add_argument("--set", action="append", default=[], metavar="SECTION.KEY=VALUE", help="changes a key of the configuration")
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    parser.add_argument("--precision", choices=["f32", "tf32", "bf16"], default="f32", help="of products on cuda; bf16 by autocast")
    return parser.parse_args()


def prepare(arguments):
    """Sets device, threads and precision; the configuration, with what `--set` changes."""
    if arguments.device == "cuda" and not torch.cuda.is_available():
        sys.exit("PyTorch finds no CUDA device")
    torch.set_default_device(arguments.device)
    torch.backends.cuda.matmul.allow_tf32 = arguments.precision == "tf32"
    torch.set_num_threads(arguments.threads)
    torch.manual_seed(0)
    with open(arguments.config, "rb") as file:
        config = tomllib.load(file)
    for setting in arguments.set:
        section, _, key = setting.partition(".")
        config.setdefault(section, {}).update(tomllib.loads(key))
    return config


def serve(arguments, infer=None, train=None, optimizer=None):
    """For each line of input a step, answered with its seconds: `infer()`, or `train()`, which computes gradients, clipping and the optimizer."""
    rounds = torch.autocast(arguments.device, torch.bfloat16, enabled=arguments.precision == "bf16")
    wait = torch.cuda.synchronize if arguments.device == "cuda" else lambda: None
    for _ in sys.stdin:
        wait()
        begin = time.perf_counter()
        if infer:
            with rounds:
                infer()
        else:
            optimizer.zero_grad(set_to_none=True)
            with rounds:
                train()
            nn.utils.clip_grad_norm_([p for group in optimizer.param_groups for p in group["params"]], 1.0)
            optimizer.step()
        wait()
        print(time.perf_counter() - begin, flush=True)


def main():
    arguments = arguments_of(__doc__, [*TRAINING, "infer", "generate"])
    config = prepare(arguments)
    c, m = config["model"], config["memory"]
    model = Memformer(c, m)
    if arguments.compile:
        model.encode, model.write, model.loss = (torch.compile(part, dynamic=False) for part in (model.encode, model.write, model.loss))
    shape = (arguments.segments, arguments.batch, c["segment"])
    x, y, t = (torch.randint(0, c["vocab"], shape) for _ in range(3))
    if arguments.work == "infer":
        serve(arguments, infer=lambda: infer(model, x, y, t, t.numel()))
    elif arguments.work == "generate":
        serve(arguments, infer=lambda: generate(model, *shape))
    else:
        optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, weight_decay=0.01)
        serve(arguments, train=lambda: TRAINING[arguments.work](model, x, y, t, t.numel()), optimizer=optimizer)


if __name__ == "__main__":
    main()
