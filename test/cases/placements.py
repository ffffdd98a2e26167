#!/usr/bin/env python3
"""Writes the cases of Memformers that write more than once a segment and do not read in every layer, as docs/model.md has them: plain PyTorch in float64.

usage: placements.py (needs torch and safetensors). A case is a folder as generate.py describes it; its states are `memory`, and each write's attention is there too.
"""

import math
import os

import torch
from safetensors.torch import save_file
from torch import nn
from torch.nn import functional

HERE = os.path.dirname(os.path.abspath(__file__))
torch.set_default_dtype(torch.float64)


def attend(p, name, x, context, heads, causal=False):
    """Multi-head attention of [B,L,d] to [B,S,d], with the projections called `name` in `p`."""
    split = lambda t: t.unflatten(-1, (heads, -1)).transpose(1, 2)
    q, k, v = (split(functional.linear(t, p[f"{name}.{which}.weight"], p[f"{name}.{which}.bias"])) for which, t in (("query", x), ("key", context), ("value", context)))
    out = functional.scaled_dot_product_attention(q, k, v, is_causal=causal)
    return functional.linear(out.transpose(1, 2).flatten(2), p[f"{name}.output.weight"], p[f"{name}.output.bias"])


class Model:
    """Parameters by their names, made as they are asked for."""

    def __init__(self, model, memory):
        self.c, self.m, self.p = model, memory, {}
        d, length = model["d_model"], model["segment"]
        norm = lambda name: self.add({f"{name}.weight": [d], f"{name}.bias": [d]})
        linear = lambda name, out=d, into=d: self.add({f"{name}.weight": [out, into], f"{name}.bias": [out]})
        block = lambda name: [linear(f"{name}.{which}") for which in ("query", "key", "value", "output")]
        self.pre = model.get("norm", "pre") == "pre"
        self.encoder, reads, writes = model["encoder_layers"], memory["read_layers"], memory["write_layers"]
        self.reading = range(self.encoder - reads, self.encoder)
        self.writing = range(self.encoder - writes, self.encoder - 1)
        self.add({"embedding.weight": [model["vocab"], d], "encoder.position.weight": [length, d], "decoder.position.weight": [length, d], "memory.bias": [memory["slots"], d]})
        for side, layers in (("encoder", self.encoder), ("decoder", model["decoder_layers"])):
            for n in range(layers):
                name = f"{side}.layers.{n}"
                norm(f"{name}.self_norm"), norm(f"{name}.ffn_norm"), block(f"{name}.self_attention")
                linear(f"{name}.ffn.up", model["d_ff"]), linear(f"{name}.ffn.down", d, model["d_ff"])
                if side == "decoder":
                    norm(f"{name}.cross_norm"), block(f"{name}.cross_attention")
                elif n in self.reading:
                    norm(f"{name}.read_norm"), block(f"{name}.memory_read")
            if self.pre:
                norm(f"{side}.norm")
        places = ["memory.write", *(f"encoder.layers.{n}.memory_write" for n in self.writing)]
        for place in places:
            for which in ("query", "key", "value", *(["slot_value"] if memory.get("slot_value") == "projected" else []), *(["output"] if memory.get("output_projection") else [])):
                linear(f"{place}.{which}")
        if self.pre:
            for n in self.writing:
                norm(f"encoder.layers.{n}.write_norm")
        linear("decoder.output", model["vocab"])

    def add(self, shapes):
        for name, shape in shapes.items():
            near_one = "norm.weight" in name
            scale = 0.2 if "norm" in name or name.endswith("bias") else 1 / math.sqrt(shape[-1])
            self.p[name] = nn.Parameter((near_one + scale * torch.randn(shape)).float().double())

    def norm(self, name, x):
        return functional.layer_norm(x, x.shape[-1:], self.p[f"{name}.weight"], self.p[f"{name}.bias"])

    def linear(self, name, x):
        return functional.linear(x, self.p[f"{name}.weight"], self.p[f"{name}.bias"])

    def sublayer(self, x, norm, function):
        return x + function(self.norm(norm, x)) if self.pre else self.norm(norm, x + function(x))

    def feed_forward(self, name, x):
        hidden = self.linear(f"{name}.up", x)
        return self.linear(f"{name}.down", functional.relu(hidden) if self.c.get("activation") == "relu" else functional.gelu(hidden, approximate="tanh"))

    def write(self, name, memory, x):
        """The candidate [B,K,d] and the attention [B,H,K,1+S]."""
        heads = self.m.get("write_heads", self.c["heads"])
        split = lambda t: t.unflatten(-1, (heads, -1)).transpose(1, 2)
        q, own, k, v = (split(self.linear(f"{name}.{which}", t)) for which, t in (("query", memory), ("key", memory), ("key", x), ("value", x)))
        value = split(self.linear(f"{name}.slot_value", memory) if f"{name}.slot_value.weight" in self.p else memory)
        logits = torch.cat([(q * own).sum(-1, keepdim=True), q @ k.transpose(-1, -2)], -1) / (math.sqrt(q.shape[-1]) * self.m["temperature"])
        a = logits.softmax(-1)
        out = (a[..., :1] * value + a[..., 1:] @ v).transpose(1, 2).flatten(2)
        return self.linear(f"{name}.output", out) if f"{name}.output.weight" in self.p else out, a

    def segment(self, memory, encoder_tokens, decoder_tokens):
        c, heads, attentions = self.c, self.c["heads"], {}
        unit = lambda m: m / m.norm(dim=-1, keepdim=True)
        x = self.p["embedding.weight"][encoder_tokens] + self.p["encoder.position.weight"]
        for n in range(self.encoder):
            name = f"encoder.layers.{n}"
            x = self.sublayer(x, f"{name}.self_norm", lambda v: attend(self.p, f"{name}.self_attention", v, v, heads))
            if n in self.reading:
                x = self.sublayer(x, f"{name}.read_norm", lambda v: attend(self.p, f"{name}.memory_read", v, memory, heads))
            x = self.sublayer(x, f"{name}.ffn_norm", lambda v: self.feed_forward(f"{name}.ffn", v))
            if n in self.writing:
                candidate, attentions[f"write_attention.{n}"] = self.write(f"{name}.memory_write", memory, self.norm(f"{name}.write_norm", x) if self.pre else x)
                memory = unit(candidate)
        encoded = self.norm("encoder.norm", x) if self.pre else x
        candidate, attentions["write_attention"] = self.write("memory.write", memory, encoded)
        memory = unit(candidate + self.p["memory.bias"] if self.m.get("forget", True) else candidate)
        y = self.p["embedding.weight"][decoder_tokens] + self.p["decoder.position.weight"]
        for n in range(c["decoder_layers"]):
            name = f"decoder.layers.{n}"
            y = self.sublayer(y, f"{name}.self_norm", lambda v: attend(self.p, f"{name}.self_attention", v, v, heads, True))
            y = self.sublayer(y, f"{name}.cross_norm", lambda v: attend(self.p, f"{name}.cross_attention", v, encoded, heads))
            y = self.sublayer(y, f"{name}.ffn_norm", lambda v: self.feed_forward(f"{name}.ffn", v))
        return self.linear("decoder.output", self.norm("decoder.norm", y) if self.pre else y), memory, attentions


def write(name, model, memory, segments, batch, seed):
    """One rollout over a random stream, some targets not counted."""
    torch.manual_seed(seed)
    m, length = Model(model, memory), model["segment"]
    stream = torch.randint(model["vocab"], (batch, (segments + 1) * length))
    cut = lambda shift: torch.stack([stream[:, t * length + shift : (t + 1) * length + shift] for t in range(segments)])
    tokens = {"encoder_tokens": cut(0), "decoder_tokens": cut(length - 1), "targets": cut(length).clone()}
    tokens["targets"][torch.rand(tokens["targets"].shape) < 0.1] = -1
    bias = m.p["memory.bias"]
    states, logits, sums, attentions = [(bias / bias.norm(dim=-1, keepdim=True)).expand(batch, -1, -1)], [], [], {}
    for x, y, t in zip(*tokens.values()):
        out, state, seen = m.segment(states[-1], x, y)
        states.append(state), logits.append(out)
        sums.append(functional.cross_entropy(out.flatten(0, 1), t.flatten(), ignore_index=-1, reduction="sum"))
        for key, value in seen.items():
            attentions.setdefault(key, []).append(value)
    loss = sum(sums) / (tokens["targets"] >= 0).sum()
    loss.backward()
    expected = {"loss": loss[None], "segment_loss": torch.stack(sums), "logits": torch.stack(logits), "memory": torch.stack(states)}
    expected |= {key: torch.stack(values) for key, values in attentions.items()} | {f"grad.{key}": value.grad for key, value in m.p.items()}
    folder = os.path.join(HERE, name)
    os.makedirs(folder, exist_ok=True)
    quoted = lambda v: f'"{v}"' if isinstance(v, str) else str(v).lower() if isinstance(v, bool) else str(v)
    with open(os.path.join(folder, "model.toml"), "w") as file:
        for section, table in (("model", {"kind": "memformer", **model}), ("memory", memory)):
            file.write(f"[{section}]\n" + "".join(f"{key} = {quoted(value)}\n" for key, value in table.items()))
    for file, tensors, kind in (("weights", m.p, torch.float32), ("expected", expected, torch.float32), ("tokens", tokens, torch.int32)):
        save_file({key: tensor.detach().to(kind).contiguous().clone() for key, tensor in tensors.items()}, os.path.join(folder, f"{file}.safetensors"))


if __name__ == "__main__":
    write("placements", dict(vocab=23, d_model=21, heads=3, d_ff=17, encoder_layers=3, decoder_layers=1, segment=7),
          dict(slots=5, temperature=0.5, read_layers=2, write_layers=2), segments=3, batch=2, seed=7)
    write("placements-post-norm", dict(vocab=11, d_model=10, heads=2, d_ff=13, encoder_layers=3, decoder_layers=2, segment=3, norm="post", activation="relu"),
          dict(slots=1, temperature=0.25, write_heads=1, slot_value="projected", output_projection=True, read_layers=1, write_layers=3), segments=4, batch=3, seed=6)
