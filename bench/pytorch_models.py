#!/usr/bin/env python3
"""A training step of an LSTM or a Transformer-XL in PyTorch, written to be fast: the peer of `memformer-run bench` for these kinds, of the line protocol of pytorch_memformer.py.

The LSTM is nn.LSTM. The Transformer-XL shifts scores by padding and viewing them, projects keys and values of memory and segment in one product and the distances once for the whole batch, and multiplies by baddbmm.
"""
import torch
import torch.nn as nn
import torch.nn.functional as F

from pytorch_memformer import arguments_of, prepare, serve


class Lstm(nn.Module):
    """Time comes first, as nn.LSTM has it inside."""

    def __init__(self, c, _):
        super().__init__()
        d = c["d_model"]
        self.layers, self.replays = c["layers"], True
        self.embedding = nn.Embedding(c["vocab"], d)
        self.lstm = nn.LSTM(d, d, c["layers"])
        self.output = nn.Linear(d, c["vocab"])

    def initial(self, batch):
        return tuple(torch.zeros(self.layers, batch, self.lstm.hidden_size) for _ in range(2))

    def forward(self, tokens, targets, state):
        x, state = self.lstm(self.embedding(tokens.T), state)
        return F.cross_entropy(self.output(x).flatten(0, 1), targets.T.flatten(), reduction="sum"), state


class Layer(nn.Module):
    def __init__(self, c):
        super().__init__()
        d = c["d_model"]
        self.heads, self.post = c["heads"], c.get("norm") == "post"
        self.query, self.position, self.output = (nn.Linear(d, d, bias=False) for _ in range(3))
        self.key_value = nn.Linear(d, 2 * d, bias=False)
        self.self_norm, self.ffn_norm = nn.LayerNorm(d), nn.LayerNorm(d)
        self.up, self.down = nn.Linear(d, c["d_ff"]), nn.Linear(c["d_ff"], d)
        self.relu = c.get("activation") == "relu"

    def split(self, x):
        return x.unflatten(-1, (self.heads, -1)).transpose(-3, -2)

    def attention(self, x, context, distances, hidden, u, v):
        """`distances` [M+L, d] from the farthest to 0; `hidden` [L, M+L] is true where a query must not look."""
        batch, length, width = x.shape
        total = context.shape[1]
        q = self.query(x)
        scale = (width // self.heads) ** -0.5
        qu, qv = (self.split((q + bias) * scale).flatten(0, 1) for bias in (u, v))
        k, value = (self.split(part).flatten(0, 1) for part in self.key_value(context).chunk(2, -1))
        r = self.split(self.position(distances))
        by_distance = (qv.unflatten(0, (batch, self.heads)).transpose(0, 1).flatten(1, 2) @ r.transpose(-1, -2)).unflatten(1, (batch, length)).transpose(0, 1)
        # Row i of the padded matrix, read with rows of another length, begins L − 1 − i columns later.
        shifted = F.pad(by_distance, (1, 0)).view(batch, self.heads, total + 1, length)[:, :, 1:].reshape(batch * self.heads, length, total)
        weights = torch.baddbmm(shifted, qu, k.transpose(-1, -2)).masked_fill_(hidden, -torch.inf).softmax(-1)
        return self.output((weights @ value).unflatten(0, (batch, self.heads)).transpose(1, 2).flatten(2))

    def feed_forward(self, x):
        x = self.up(x)
        return self.down(F.relu(x) if self.relu else F.gelu(x, approximate="tanh"))

    def forward(self, x, memory, *rest):
        context = torch.cat([memory, x], 1)
        if self.post:
            x = self.self_norm(x + self.attention(x, context, *rest))
            return self.ffn_norm(x + self.feed_forward(x))
        context = self.self_norm(context)
        x = x + self.attention(context[:, memory.shape[1]:], context, *rest)
        return x + self.feed_forward(self.ffn_norm(x))


class TransformerXl(nn.Module):
    def __init__(self, c, m):
        super().__init__()
        d, segment = c["d_model"], c["segment"]
        self.length, self.replays = m.get("length", segment), m.get("gradient") == "replay"
        self.embedding = nn.Embedding(c["vocab"], d)
        self.layers = nn.ModuleList(Layer(c) for _ in range(c["layers"]))
        self.norm = nn.Identity() if c.get("norm") == "post" else nn.LayerNorm(d)
        self.output = nn.Linear(d, c["vocab"])
        self.biases = nn.ParameterList(nn.Parameter(0.02 * torch.randn(d)) for _ in range(2))
        total = self.length + segment
        angles = torch.arange(total - 1, -1, -1)[:, None] * 10000 ** (-torch.arange(0, d, 2) / d)
        self.distances = torch.cat([angles.sin(), angles.cos()], -1)[:, :d]
        self.hidden = torch.ones(segment, total, dtype=torch.bool).triu(self.length + 1)

    def initial(self, batch):
        return [torch.zeros(batch, self.length, self.embedding.embedding_dim) for _ in self.layers]

    def forward(self, tokens, targets, state):
        x, after = self.embedding(tokens), []
        for layer, memory in zip(self.layers, state):
            known = x if self.length <= x.shape[1] else torch.cat([memory, x], 1)
            after.append(known[:, -self.length:])
            x = layer(x, memory, self.distances, self.hidden, *self.biases)
        loss = F.cross_entropy(self.output(self.norm(x)).flatten(0, 1), targets.flatten(), reduction="sum")
        return loss, after if self.replays else [memory.detach() for memory in after]


def run(model, tokens, targets, backward):
    """One rollout. Where no gradient goes from segment to segment, each is traversed back at once, while caches have it."""
    state, total = model.initial(tokens.shape[1]), 0
    for x, t in zip(tokens, targets):
        loss, state = model(x, t, state)
        total = total + loss
        if backward and not model.replays:
            (total / targets.numel()).backward()
            total = 0
    if backward and model.replays:
        (total / targets.numel()).backward()


def infer(model, tokens, targets):
    with torch.inference_mode():
        run(model, tokens, targets, backward=False)


KINDS = {"lstm": Lstm, "transformer-xl": TransformerXl}


def main():
    arguments = arguments_of(__doc__, ["bptt", "infer"])
    config = prepare(arguments)
    c = config["model"]
    model = KINDS[c["kind"]](c, config.get("memory", {}))
    if arguments.compile:
        model.compile(dynamic=False)
    tokens, targets = (torch.randint(0, c["vocab"], (arguments.segments, arguments.batch, c["segment"])) for _ in range(2))
    if arguments.work == "infer":
        serve(arguments, infer=lambda: infer(model, tokens, targets))
    else:
        optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, weight_decay=0.01, fused=True)
        serve(arguments, train=lambda: run(model, tokens, targets, backward=True), optimizer=optimizer)


if __name__ == "__main__":
    main()
