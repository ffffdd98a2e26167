#!/usr/bin/env python3
"""Writes the cases of models other than the Memformer: weights and tokens at random, and what PyTorch computes of them in float64.

usage: generate.py (needs torch and safetensors; PyTorch's own modules where it has them, else the papers' equations in plain code)

A case is a folder: model.toml, weights.safetensors, tokens.safetensors [T,B,L] and expected.safetensors with `loss`, `segment_loss`, `logits` and `grad.<parameter>`, and
each state [T+1,B,…], the initial one first.
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
    state, states, logits, sums = model.initial(batch), [], [], []
    states.append(state)
    for t in range(segments):
        outputs, state = model(tokens[t], state)
        states.append(state)
        logits.append(outputs)
        sums.append(functional.cross_entropy(outputs.flatten(0, 1), targets[t].flatten(), ignore_index=-1, reduction="sum"))
    loss = sum(sums) / (targets >= 0).sum()
    loss.backward()

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
    with open(os.path.join(folder, "model.toml"), "w") as file:
        file.write("[model]\n" + "".join(f"{key} = {toml(value)}\n" for key, value in {"kind": kind, **settings}.items()))
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


if __name__ == "__main__":
    main()
