#!/usr/bin/env python3
"""Writes the cases of models other than the Memformer: weights and tokens at random, and what PyTorch computes of them in float64.

usage: generate.py (needs torch and safetensors; PyTorch's own modules where it has them, else the papers' equations in plain code)

A case is a folder: model.toml, weights.safetensors, tokens.safetensors [T,B,L] and expected.safetensors with `loss`, `segment_loss`, `logits` and `grad.<parameter>`, and
each state [T+1,B,…], the initial one first. Some have state_dict.safetensors: the module's own tensors in f64, of a CachedTransformer under the names of the authors' Transformer-XL.
"""

import os
from functools import partial

import torch
from safetensors.torch import save_file
from torch import nn
from torch.nn import functional

HERE = os.path.dirname(os.path.abspath(__file__))
torch.set_default_dtype(torch.float64)


class Transformer(nn.Module):
    """nn.TransformerEncoder with a causal mask: a decoder-only Transformer."""

    def __init__(self, vocab, d_model, heads, d_ff, layers, segment, norm="pre", activation="gelu", tie_embeddings=False):
        super().__init__()
        self.embedding = nn.Embedding(vocab, d_model)
        self.position = nn.Parameter(torch.empty(segment, d_model))
        function = partial(functional.gelu, approximate="tanh") if activation == "gelu" else functional.relu
        layer = nn.TransformerEncoderLayer(d_model, heads, d_ff, dropout=0.0, activation=function, batch_first=True, norm_first=norm == "pre")
        self.stack = nn.TransformerEncoder(layer, layers, norm=nn.LayerNorm(d_model) if norm == "pre" else None, enable_nested_tensor=False)
        self.output = nn.Linear(d_model, vocab)
        if tie_embeddings:
            self.output.weight = self.embedding.weight

    def initial(self, batch):
        return {}

    def forward(self, tokens, state):
        mask = nn.Transformer.generate_square_subsequent_mask(tokens.shape[1], dtype=torch.get_default_dtype())
        x = self.stack(self.embedding(tokens) + self.position, mask=mask, is_causal=True)
        return self.output(x), {}

    def names(self):
        """Our name: a function from the module's tensors (or their gradients) to it."""
        table = {"embedding.weight": lambda t: t("embedding.weight"), "position.weight": lambda t: t("position")}
        for tensor in ("weight", "bias"):
            if tensor == "bias" or self.output.weight is not self.embedding.weight:
                table[f"output.{tensor}"] = lambda t, tensor=tensor: t(f"output.{tensor}")
            if self.stack.norm is not None:
                table[f"norm.{tensor}"] = lambda t, tensor=tensor: t(f"stack.norm.{tensor}")
            for n in range(len(self.stack.layers)):
                theirs = f"stack.layers.{n}."
                for place, projection in enumerate(("query", "key", "value")):
                    name = f"layers.{n}.self_attention.{projection}.{tensor}"
                    table[name] = lambda t, key=f"{theirs}self_attn.in_proj_{tensor}", place=place: t(key).chunk(3)[place]
                for ours, module in (("self_attention.output", "self_attn.out_proj"), ("self_norm", "norm1"), ("ffn_norm", "norm2"), ("ffn.up", "linear1"),
                                     ("ffn.down", "linear2")):
                    table[f"layers.{n}.{ours}.{tensor}"] = lambda t, key=f"{theirs}{module}.{tensor}": t(key)
        return table


class Lstm(nn.Module):
    """nn.LSTM between an embedding and a linear layer."""

    def __init__(self, vocab, d_model, layers, segment, tie_embeddings=False):
        super().__init__()
        self.embedding = nn.Embedding(vocab, d_model)
        self.lstm = nn.LSTM(d_model, d_model, layers, batch_first=True)
        self.output = nn.Linear(d_model, vocab)
        if tie_embeddings:
            self.output.weight = self.embedding.weight

    def initial(self, batch):
        zeros = torch.zeros(batch, 1, self.lstm.hidden_size)
        return {f"{name}.{n}": zeros for n in range(self.lstm.num_layers) for name in ("hidden", "cell")}

    def forward(self, tokens, state):
        layers = range(self.lstm.num_layers)
        before = tuple(torch.cat([state[f"{name}.{n}"] for n in layers], dim=1).transpose(0, 1).contiguous() for name in ("hidden", "cell"))
        x, after = self.lstm(self.embedding(tokens), before)
        return self.output(x), {f"{name}.{n}": values[n][:, None] for name, values in zip(("hidden", "cell"), after) for n in layers}

    def names(self):
        return {name: lambda t, name=name: t(name) for name, _ in self.named_parameters()}


class CachedTransformer(nn.Module):
    """Transformer-XL (Dai et al. 2019), and with `compressed_length` the Compressive Transformer (Rae et al. 2020), loop by loop as docs/ has them."""

    def __init__(self, vocab, d_model, heads, d_ff, layers, segment, norm="pre", activation="gelu", tie_embeddings=False, untied_biases=False, memory=None):
        super().__init__()
        self.heads, self.segment, self.layers, self.norm, self.untied = heads, segment, layers, norm, untied_biases
        self.length, self.replay = memory.get("length", segment), memory.get("gradient", "stop") == "replay"
        self.compressed_length = memory.get("compressed_length", self.length) if "compression_rate" in memory else 0
        self.rate, self.compression = memory.get("compression_rate", 1), memory.get("compression", "convolution")
        self.weight = memory.get("reconstruction_weight", 1.0)
        self.activation = partial(functional.gelu, approximate="tanh") if activation == "gelu" else functional.relu
        self.p = {}

        def add(name, *shape):  # modules have no names with dots
            self.p[name] = nn.Parameter(torch.empty(shape))
            self.register_parameter(name.replace(".", "/"), self.p[name])

        def linear(name, out, size, bias=True):
            add(f"{name}.weight", out, size)
            if bias:
                add(f"{name}.bias", out)

        add("embedding.weight", vocab, d_model)
        for bias in ("content_bias", "position_bias"):
            for name in [f"layers.{n}.self_attention" for n in range(layers)] if untied_biases else ["attention"]:
                add(f"{name}.{bias}", d_model)
        norms = [f"layers.{n}.{place}" for n in range(layers) for place in ("self_norm", "ffn_norm")] + (["norm"] if norm == "pre" else [])
        for name in norms:
            add(f"{name}.weight", d_model)
            add(f"{name}.bias", d_model)
        for n in range(layers):
            for projection in ("query", "key", "value", "position", "output"):
                linear(f"layers.{n}.self_attention.{projection}", d_model, d_model, bias=False)
            linear(f"layers.{n}.ffn.up", d_ff, d_model)
            linear(f"layers.{n}.ffn.down", d_model, d_ff)
            if self.compressed_length and self.compression == "convolution":
                linear(f"layers.{n}.compression", d_model, self.rate * d_model)
        if tie_embeddings:
            add("output.bias", vocab)
        else:
            linear("output", vocab, d_model)

    def initial(self, batch):
        width = self.p["embedding.weight"].shape[1]
        state = {f"memory.{n}": torch.zeros(batch, self.length, width) for n in range(self.layers)}
        if self.compressed_length:
            state.update({f"compressed_memory.{n}": torch.zeros(batch, self.compressed_length, width) for n in range(self.layers)})
            if self.compression == "most-used":
                state.update({f"usage.{n}": torch.zeros(batch, self.heads, self.length) for n in range(self.layers)})
        return state

    def heads_of(self, x):
        return x.unflatten(-1, (self.heads, -1))

    def layer_norm(self, x, name, p):
        return functional.layer_norm(x, x.shape[-1:], p[f"{name}.weight"], p[f"{name}.bias"])

    def attention(self, query, context, name, u, v):
        """Every distance by itself: no shift to get wrong."""
        length, total = query.shape[1], context.shape[1]
        width = query.shape[-1]
        rates = 10000 ** (-torch.arange(0, width, 2) / width)
        q, k, values = (self.heads_of(x @ self.p[f"{name}.{part}.weight"].T) for part, x in (("query", query), ("key", context), ("value", context)))
        columns, received = [], 0
        for i in range(length):
            seen = total - length + i + 1
            distances = (total - length + i - torch.arange(seen))[:, None] * rates
            r = self.heads_of(torch.cat([distances.sin(), distances.cos()], dim=-1)[:, :width] @ self.p[f"{name}.position.weight"].T)
            scores = torch.einsum("bhc,bkhc->bhk", q[:, i] + self.heads_of(u), k[:, :seen]) + torch.einsum("bhc,khc->bhk", q[:, i] + self.heads_of(v), r)
            shares = (scores / (width / self.heads) ** 0.5).softmax(-1)
            received = received + functional.pad(shares.detach(), (0, total - seen))
            columns.append(torch.einsum("bhk,bkhc->bhc", shares, values[:, :seen]).flatten(1))
        return torch.stack(columns, dim=1) @ self.p[f"{name}.output.weight"].T, received

    def most_used(self, evicted, received):
        """Of each sequence the rows whose queries, from their own on, gave them most on average, in their order."""
        kept = []
        for rows, shares in zip(evicted, received.sum(1)):
            averages = shares[:self.segment] / (self.length + self.segment - torch.arange(self.segment))
            best = sorted(range(self.segment), key=lambda i: (-averages[i].item(), i))[:self.segment // self.rate]
            kept.append(rows[sorted(best)])
        return torch.stack(kept)

    def compress(self, evicted, n):
        if self.compression == "convolution":
            wide = evicted.unflatten(1, (-1, self.rate)).flatten(2)
            return functional.linear(wide, self.p[f"layers.{n}.compression.weight"], self.p[f"layers.{n}.compression.bias"])
        groups = evicted.unflatten(1, (-1, self.rate))
        return groups.mean(2) if self.compression == "mean" else groups.amax(2)

    def reconstruction(self, query, memory, n):
        """Attention by content alone, through which only `memory` learns."""
        p = {key: value.detach() for key, value in self.p.items()}
        name = f"layers.{n}.self_attention"
        if self.norm == "pre":
            query, memory = (self.layer_norm(x, f"layers.{n}.self_norm", p) for x in (query, memory))
        q, k, v = (self.heads_of(x @ p[f"{name}.{part}.weight"].T) for part, x in (("query", query), ("key", memory), ("value", memory)))
        scores = torch.einsum("bqhc,bkhc->bhqk", q, k) / q.shape[-1] ** 0.5
        return torch.einsum("bhqk,bkhc->bqhc", scores.softmax(-1), v).flatten(2)

    def forward(self, tokens, state):
        p, after, self.auxiliary = self.p, {}, 0
        x = p["embedding.weight"][tokens]
        keep = (lambda tensor: tensor) if self.replay else (lambda tensor: tensor.detach())
        for n in range(self.layers):
            name = f"layers.{n}"
            memory = keep(state[f"memory.{n}"])
            earlier = torch.cat([keep(state[f"compressed_memory.{n}"]), memory], dim=1) if self.compressed_length else memory
            context, query = torch.cat([earlier, x], dim=1), x
            if self.norm == "pre":
                context, query = (self.layer_norm(tensor, f"{name}.self_norm", p) for tensor in (context, query))
            biases = (p[f"{name}.self_attention.{bias}" if self.untied else f"attention.{bias}"] for bias in ("content_bias", "position_bias"))
            attended, received = self.attention(query, context, f"{name}.self_attention", *biases)
            y = x + attended
            if self.norm == "post":
                y = self.layer_norm(y, f"{name}.self_norm", p)
            known = torch.cat([memory, x], dim=1)
            after[f"memory.{n}"] = keep(known[:, -self.length:])
            if self.compressed_length:
                evicted = known[:, :self.segment]
                if self.compression == "most-used":
                    received = received[..., self.compressed_length:] + functional.pad(state[f"usage.{n}"], (0, self.segment))
                    after[f"usage.{n}"] = received[..., -self.length:]
                    compressed = self.most_used(evicted, received)
                else:
                    compressed = self.compress(evicted, n)
                joined = torch.cat([keep(state[f"compressed_memory.{n}"]), compressed], dim=1)
                after[f"compressed_memory.{n}"] = keep(joined[:, -self.compressed_length:])
                if self.compression == "convolution":
                    learned = self.reconstruction(x.detach(), self.compress(evicted.detach(), n), n)
                    self.auxiliary = self.auxiliary + self.weight * (learned - self.reconstruction(x.detach(), evicted.detach(), n)).pow(2).mean(-1).sum()
            hidden = self.layer_norm(y, f"{name}.ffn_norm", p) if self.norm == "pre" else y
            hidden = functional.linear(self.activation(functional.linear(hidden, p[f"{name}.ffn.up.weight"], p[f"{name}.ffn.up.bias"])),
                                       p[f"{name}.ffn.down.weight"], p[f"{name}.ffn.down.bias"])
            x = y + hidden
            if self.norm == "post":
                x = self.layer_norm(x, f"{name}.ffn_norm", p)
        if self.norm == "pre":
            x = self.layer_norm(x, "norm", p)
        return functional.linear(x, p["output.weight"] if "output.weight" in p else p["embedding.weight"], p["output.bias"]), after

    def names(self):
        return {name: lambda t, name=name: t(name.replace(".", "/")) for name in self.p}

    def state_dict(self):
        """As the authors' code (MemTransformerLM) has it: joined projections, biases by heads, an embedding that is multiplied by √d."""
        p = {name: tensor.data for name, tensor in self.p.items()}
        width = p["embedding.weight"].shape[1]
        result = {"word_emb.emb_layers.0.weight": p["embedding.weight"] / width ** 0.5, "pos_emb.inv_freq": 10000 ** (-torch.arange(0, width, 2) / width)}
        for prefix, there in [(f"layers.{n}.self_attention", f"layers.{n}.dec_attn.") for n in range(self.layers)] if self.untied else [("attention", "")]:
            result[f"{there}r_w_bias"] = p[f"{prefix}.content_bias"].reshape(self.heads, -1)
            result[f"{there}r_r_bias"] = p[f"{prefix}.position_bias"].reshape(self.heads, -1)
        for n in range(self.layers):
            ours, there = f"layers.{n}.self_attention", f"layers.{n}.dec_attn"
            result[f"{there}.qkv_net.weight"] = torch.cat([p[f"{ours}.{part}.weight"] for part in ("query", "key", "value")])
            result[f"{there}.r_net.weight"], result[f"{there}.o_net.weight"] = p[f"{ours}.position.weight"], p[f"{ours}.output.weight"]
            for tensor in ("weight", "bias"):
                result[f"{there}.layer_norm.{tensor}"] = p[f"layers.{n}.self_norm.{tensor}"]
                result[f"layers.{n}.pos_ff.layer_norm.{tensor}"] = p[f"layers.{n}.ffn_norm.{tensor}"]
                result[f"layers.{n}.pos_ff.CoreNet.0.{tensor}"] = p[f"layers.{n}.ffn.up.{tensor}"]
                result[f"layers.{n}.pos_ff.CoreNet.3.{tensor}"] = p[f"layers.{n}.ffn.down.{tensor}"]
            if f"layers.{n}.compression.weight" in p:
                result[f"layers.{n}.compression.weight"] = p[f"layers.{n}.compression.weight"].reshape(width, self.rate, width).permute(0, 2, 1)
                result[f"layers.{n}.compression.bias"] = p[f"layers.{n}.compression.bias"]
        for name in ("norm.weight", "norm.bias"):
            if name in p:
                result[name] = p[name]
        for name in ("weight", "bias"):
            result[f"crit.out_layers.0.{name}"] = p[f"output.{name}"]
        return result


def toml(value):
    return f'"{value}"' if isinstance(value, str) else str(value).lower() if isinstance(value, bool) else str(value)


def write(name, kind, module, settings, segments, batch, seed, scale=0.3):
    """One rollout of a model whose parameters are random, some targets not counted."""
    torch.manual_seed(seed)
    model = module(**settings)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(scale * torch.randn(parameter.shape)).copy_(parameter.float())
    length, vocab = settings["segment"], settings["vocab"]
    tokens = torch.randint(vocab, (segments, batch, length))
    targets = torch.randint(vocab, (segments, batch, length))
    targets[torch.rand(targets.shape) < 0.1] = -1
    state, states, logits, sums, auxiliary = model.initial(batch), [], [], [], 0
    states.append(state)
    for t in range(segments):
        outputs, state = model(tokens[t], state)
        states.append(state)
        logits.append(outputs)
        auxiliary = auxiliary + getattr(model, "auxiliary", 0)  # trained, but not reported
        sums.append(functional.cross_entropy(outputs.flatten(0, 1), targets[t].flatten(), ignore_index=-1, reduction="sum"))
    loss = sum(sums) / (targets >= 0).sum()
    (loss + auxiliary / (targets >= 0).sum()).backward()

    expected = {"loss": loss[None], "segment_loss": torch.stack(sums), "logits": torch.stack(logits)}
    for key in states[0]:
        expected[key] = torch.stack([state[key].expand_as(states[-1][key]) for state in states])
    parameters = dict(model.named_parameters())
    names = model.names()
    for ours, take in names.items():
        expected[f"grad.{ours}"] = take(lambda key: parameters[key].grad)
    weights = {ours: take(lambda key: parameters[key].data) for ours, take in names.items()}

    folder = os.path.join(HERE, name)
    os.makedirs(folder, exist_ok=True)
    tables = {"model": {"kind": kind, **{key: value for key, value in settings.items() if key != "memory"}}, "memory": settings.get("memory", {})}
    with open(os.path.join(folder, "model.toml"), "w") as file:
        file.write("\n".join(f"[{table}]\n" + "".join(f"{key} = {toml(value)}\n" for key, value in keys.items()) for table, keys in tables.items() if keys))
    if name in ("transformer", "lstm", "transformer-xl", "transformer-xl-replay", "compressive-transformer"):
        save_file({key: tensor.detach().contiguous().clone() for key, tensor in model.state_dict().items()}, os.path.join(folder, "state_dict.safetensors"))
    narrow = lambda tensors, kind: {key: tensor.detach().to(kind).contiguous().clone() for key, tensor in tensors.items()}
    save_file(narrow(weights, torch.float32), os.path.join(folder, "weights.safetensors"))
    save_file(narrow(expected, torch.float32), os.path.join(folder, "expected.safetensors"))
    save_file(narrow({"decoder_tokens": tokens, "targets": targets}, torch.int32), os.path.join(folder, "tokens.safetensors"))


def main():
    write("transformer", "transformer", Transformer, dict(vocab=29, d_model=24, heads=3, d_ff=35, layers=2, segment=17), segments=2, batch=3, seed=1)
    write("transformer-post-norm", "transformer", Transformer,
          dict(vocab=13, d_model=10, heads=5, d_ff=7, layers=3, segment=33, norm="post", activation="relu", tie_embeddings=True), segments=1, batch=1, seed=2, scale=0.8)
    write("lstm", "lstm", Lstm, dict(vocab=19, d_model=17, layers=2, segment=9), segments=3, batch=5, seed=3)
    write("lstm-tied", "lstm", Lstm, dict(vocab=11, d_model=5, layers=1, segment=1, tie_embeddings=True), segments=4, batch=1, seed=4, scale=0.8)
    xl, compressive = "transformer-xl", "compressive-transformer"
    write("transformer-xl", xl, CachedTransformer, dict(vocab=23, d_model=18, heads=3, d_ff=29, layers=2, segment=7, norm="post", activation="relu", memory=dict(length=17)),
          segments=4, batch=3, seed=5)
    write("transformer-xl-replay", xl, CachedTransformer,
          dict(vocab=17, d_model=20, heads=2, d_ff=13, layers=3, segment=19, untied_biases=True, memory=dict(length=5, gradient="replay")), segments=3, batch=2, seed=6)
    write("transformer-xl-tiny", xl, CachedTransformer, dict(vocab=5, d_model=5, heads=1, d_ff=3, layers=1, segment=1, tie_embeddings=True, memory=dict(length=1, gradient="replay")),
          segments=5, batch=1, seed=7, scale=0.8)
    write("transformer-xl-long", xl, CachedTransformer, dict(vocab=7, d_model=16, heads=2, d_ff=9, layers=1, segment=37, memory=dict(length=131, gradient="replay")),
          segments=5, batch=1, seed=12)
    write("transformer-xl-empty", xl, CachedTransformer, dict(vocab=7, d_model=8, heads=1, d_ff=9, layers=1, segment=3, memory=dict(length=509, gradient="replay")),
          segments=1, batch=1, seed=17)
    write("compressive-transformer", compressive, CachedTransformer,
          dict(vocab=21, d_model=14, heads=2, d_ff=19, layers=2, segment=6, norm="post",
               memory=dict(length=9, compressed_length=5, compression_rate=3, reconstruction_weight=2.0)), segments=5, batch=3, seed=8)
    write("compressive-transformer-replay", compressive, CachedTransformer,
          dict(vocab=13, d_model=16, heads=4, d_ff=11, layers=2, segment=8,
               memory=dict(length=3, compressed_length=7, compression_rate=2, gradient="replay", reconstruction_weight=0.5)), segments=4, batch=2, seed=9)
    write("compressive-transformer-max", compressive, CachedTransformer,
          dict(vocab=11, d_model=10, heads=5, d_ff=7, layers=1, segment=4, memory=dict(length=4, compressed_length=1, compression_rate=4, compression="max", gradient="replay")),
          segments=4, batch=2, seed=10)
    write("compressive-transformer-mean", compressive, CachedTransformer,
          dict(vocab=11, d_model=9, heads=3, d_ff=7, layers=2, segment=4, norm="post",
               memory=dict(length=6, compressed_length=4, compression_rate=2, compression="mean", gradient="replay")), segments=4, batch=1, seed=11)
    write("compressive-transformer-most-used", compressive, CachedTransformer,
          dict(vocab=17, d_model=15, heads=3, d_ff=11, layers=2, segment=9,
               memory=dict(length=13, compressed_length=5, compression_rate=3, compression="most-used", gradient="replay")), segments=5, batch=3, seed=13)
    write("compressive-transformer-most-used-short", compressive, CachedTransformer,
          dict(vocab=11, d_model=8, heads=2, d_ff=7, layers=1, segment=20, norm="post",
               memory=dict(length=3, compressed_length=17, compression_rate=4, compression="most-used")), segments=4, batch=2, seed=14)


if __name__ == "__main__":
    main()
