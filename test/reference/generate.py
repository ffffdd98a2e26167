#!/usr/bin/env python3
"""Writes the value tests of this folder: each op on small inputs, and what numpy computes for it in float64.

usage: generate.py (needs numpy; the formulas here are those of the op descriptions, written without looking at the reference)
"""

import math
import os

import numpy as np

HERE = os.path.dirname(os.path.abspath(__file__))


def data(*shape, seed=0):
    """Quarters in [-1.25, 1.25], exact in f32 and f64."""
    count = math.prod(shape)
    values = [((i * i * 3 + i * 7 + seed * 5 + 3) % 11 - 5) / 4 for i in range(count)]
    return np.array(values).reshape(shape)


def integers(*values):
    return np.array(values, dtype=np.int32)


class File:
    def __init__(self, name, summary):
        self.name, self.summary = name, summary
        self.body, self.checks, self.constants, self.prints = [], [], 0, set()

    def type_of(self, array, kind):
        element = "i32" if array.dtype == np.int32 else kind
        return "tensor<" + "".join(f"{extent}x" for extent in array.shape) + element + ">"

    def literal(self, array):
        if array.ndim == 0:
            return str(int(array)) if array.dtype == np.int32 else f"{float(array)!r}"
        return "[" + ", ".join(self.literal(entry) for entry in array) + "]"

    def constant(self, array, kind):
        name = f"%c{self.constants}"
        self.constants += 1
        self.body.append(f"  {name} = arith.constant dense<{self.literal(array)}> : {self.type_of(array, kind)}")
        return name

    def number(self, value, array, kind):
        if array.dtype == np.int32:
            return str(int(value))
        if abs(value) < 1e-12:
            return "{{-?0|-?[0-9.]+e-(0[89]|1[0-9])}}"  # zero, or what rounding leaves of it
        text = f"{float(value):g}"
        if kind == "f64" or len(text.lstrip("-").replace(".", "")) < 6:
            return text
        # f32: the leading digits that all values within its rounding have.
        shared = os.path.commonprefix([f"{value * (1 + error):g}" for error in (-1e-5, 0, 1e-5)])
        digits = shared.lstrip("-0.")
        assert len(digits) >= 2, value
        shared = shared[: len(shared) - len(digits) + 5]
        return shared + "{{[0-9.e-]*}}"

    def check(self, array, kind):
        sizes = ", ".join(str(extent) for extent in array.shape)
        self.checks.append(f"// CHECK: sizes = [{sizes}]" if array.ndim else "// CHECK: rank = 0")
        rows = array.reshape(-1, array.shape[-1]) if array.ndim else array.reshape(1, 1)
        for row in rows:
            self.checks.append("// CHECK: [" + ", ".join(self.number(value, array, kind) for value in row) + "]")

    def case(self, op, operands, results, kinds=("f64", "f32"), comment=""):
        """One op, in both precisions; `op` names its operands {0}, {1}, …"""
        for kind in kinds:
            names = [self.constant(array, kind) for array in operands]
            types = ", ".join(self.type_of(array, kind) for array in operands)
            result_types = [self.type_of(array, kind) for array in results]
            name = f"%r{self.constants}"
            count = f":{len(results)}" if len(results) > 1 else ""
            if comment:
                self.body.append(f"  // {comment}")
            self.body.append(f"  {name}{count} = memformer.{op.format(*names)} : ({types}) -> ({', '.join(result_types)})")
            for index, (array, text) in enumerate(zip(results, result_types)):
                value = f"{name}#{index}" if count else name
                element = text[:-1].split("x")[-1].split("<")[-1]
                self.prints.add(element)
                cast = f"{name}_{index}"
                self.body.append(f"  {cast} = tensor.cast {value} : {text} to tensor<*x{element}>")
                self.body.append(f"  call @printMemref{element.upper()}({cast}) : (tensor<*x{element}>) -> ()")
                self.check(array, kind)

    def write(self):
        lines = [f"// {self.summary}", "// Values: numpy in float64 (generate.py).", "",
                 "// RUN: %reference %s | %run | FileCheck %s", ""]
        lines += [f"func.func private @printMemref{e.upper()}(tensor<*x{e}>)" for e in sorted(self.prints)]
        lines += ["", "func.func @main() {"] + self.body + ["  return", "}", ""] + self.checks
        with open(os.path.join(HERE, self.name + ".mlir"), "w") as file:
            file.write("\n".join(lines) + "\n")


def gelu(x):
    return x / 2 * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3)))


def gelu_slope(x):
    t = np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3))
    return (1 + t) / 2 + x / 2 * (1 - t**2) * np.sqrt(2 / np.pi) * (1 + 3 * 0.044715 * x**2)


def elementwise():
    f = File("elementwise", "Element-wise ops.")
    a, b = data(2, 3, 5), data(3, 5, seed=1)
    f.case("add {0}, {1}", [a, b], [a + b])
    f.case("add {0}, {1}", [data(1), data(1, seed=1)], [data(1) + data(1, seed=1)])
    f.case("broadcast {0}", [data(3)], [np.broadcast_to(data(3), (2, 1, 3))])
    x, y = data(3, 5), data(3, 5, seed=2)
    f.case("select_rows {0}, {1}, {2}", [integers(0, 1, -7), x, y], [np.stack([y[0], x[1], x[2]])])
    f.case("select_rows {0}, {1}, {2}", [integers(1, 0), y[0], x[:2]], [np.stack([y[0], x[1]])])
    f.case("relu {0}", [data(17)], [np.maximum(data(17), 0)])
    f.case("relu_gradient {0}, {1}", [data(17, seed=1), data(17)], [np.where(data(17) > 0, data(17, seed=1), 0)])
    f.case("gelu {0}", [data(2, 7)], [gelu(data(2, 7))])
    g = data(2, 7, seed=3)
    f.case("gelu_gradient {0}, {1}", [g, data(2, 7)], [g * gelu_slope(data(2, 7))])
    f.write()


def mix(x):
    x ^= x >> 16
    x = x * 0x7FEB352D & 0xFFFFFFFF
    x ^= x >> 15
    x = x * 0x846CA68B & 0xFFFFFFFF
    return x ^ x >> 16


def keep(key, stream, index, probability):
    """Whether dropout keeps an entry: the generator that dialect/memformer/Random.h describes."""
    spread = stream * 0x9E3779B9 & 0xFFFFFFFF
    a = mix(key[0] + spread & 0xFFFFFFFF)
    b = mix((key[1] + spread & 0xFFFFFFFF) ^ a)
    bits = mix(mix(index + a & 0xFFFFFFFF) ^ b)
    return bits >= round(probability * 2**32)


def mask(key, stream, shape, probability):
    count = math.prod(shape)
    return np.array([keep(key, stream, i, probability) for i in range(count)]).reshape(shape) / (1 - probability)


def dropout():
    f = File("dropout", "Dropout: which entries are kept is a function of key, stream and place.")
    x = data(3, 17)
    for key, stream, probability in (((11, -5), 7, 0.375), ((12, -5), 7, 0.375), ((11, -5), 8, 0.5), ((1, 2), 0, 0.0)):
        f.case(f"dropout {{0}}, {{1}} probability {probability} stream {stream}", [x, integers(*key)],
               [x * mask(key, stream, x.shape, probability) + 0.0])
    f.write()


def rearrange():
    f = File("rearrange", "Sums over leading dimensions, concatenation and slices.")
    a = data(2, 3, 5)
    f.case("sum_leading {0}", [a], [a.sum(0)])
    f.case("sum_leading {0}", [a], [a.sum((0, 1))])
    f.case("sum_leading {0}", [a], [a.sum()])
    b = data(2, 1, 5, seed=1)
    f.case("concat {0}, {1} axis 1", [a, b], [np.concatenate([a, b], 1)])
    f.case("concat {0}, {1} axis 0", [data(1), data(2, seed=1)], [np.concatenate([data(1), data(2, seed=1)])])
    f.case("slice {0} axis 1 offset 1", [a], [a[:, 1:3]])
    f.case("slice {0} axis 2 offset 4", [a], [a[:, :, 4:]])
    f.write()


def linear():
    f = File("linear", "Linear layers and the gradient of their weight.")
    x, w, b = data(2, 3, 5), data(7, 5, seed=1), data(7, seed=2)
    f.case("linear {0}, {1}", [x, w], [x @ w.T])
    f.case("linear {0}, {1}, {2}", [x, w, b], [x @ w.T + b])
    f.case("linear {0}, {1}, {2} transposed", [x, w.T.copy(), b], [x @ w.T + b])
    f.case("linear {0}, {1}", [data(17), data(1, 17, seed=1)], [data(17) @ data(1, 17, seed=1).T])
    g = data(2, 3, 7, seed=3)
    f.case("weight_gradient {0}, {1}", [g, x], [np.einsum("bro,bri->oi", g, x)])
    f.case("weight_gradient {0}, {1}", [data(1, 2), data(1, 3)], [np.outer(data(2), data(3))])
    f.write()


def norm():
    f = File("norm", "Layer normalisation, biased memory normalisation, and their gradients.")
    for shape, epsilon in (((2, 3, 5), 1e-5), ((17,), 0.25), ((2, 1), 1e-5)):
        x, scale, shift = data(*shape), data(shape[-1], seed=1), data(shape[-1], seed=2)
        sigma = np.sqrt(x.var(-1, keepdims=True) + epsilon)
        normal = (x - x.mean(-1, keepdims=True)) / sigma
        attributes = f" {{{{epsilon = {epsilon}}}}}" if epsilon != 1e-5 else ""
        f.case("layer_norm {0}, {1}, {2}" + attributes, [x, scale, shift], [normal * scale + shift])
        g = data(*shape, seed=3)
        h = g * scale
        dx = (h - h.mean(-1, keepdims=True) - normal * (h * normal).mean(-1, keepdims=True)) / sigma
        rows = tuple(range(len(shape) - 1))
        if shape[-1] > 1:
            f.case("layer_norm_gradient {0}, {1}, {2}" + attributes, [g, x, scale],
                   [dx, (g * normal).sum(rows), g.sum(rows)])
    m, v, g = data(2, 3, 5), data(3, 5, seed=1), data(2, 3, 5, seed=4)
    u = m + v
    length = np.linalg.norm(u, axis=-1, keepdims=True)
    y = u / length
    f.case("bmn {0}, {1}", [m, v], [y])
    f.case("bmn {0}", [v], [v / np.linalg.norm(v, axis=-1, keepdims=True)])
    f.case("bmn_gradient {0}, {1}, {2}", [g, m, v], [(g - y * (g * y).sum(-1, keepdims=True)) / length])
    y = v / np.linalg.norm(v, axis=-1, keepdims=True)
    g = g[0]
    f.case("bmn_gradient {0}, {1}", [g, v],
           [(g - y * (g * y).sum(-1, keepdims=True)) / np.linalg.norm(v, axis=-1, keepdims=True)])
    f.write()


def tokens():
    f = File("tokens", "Embedding, cross-entropy, their gradients, and argmax.")
    t, table = integers(4, 0, 4, 2, 2, 2).reshape(2, 3), data(5, 7)
    f.case("embedding {0}, {1}", [t, table], [table[t]])
    g = data(2, 3, 7, seed=1)
    dtable = np.zeros((5, 7))
    np.add.at(dtable, t, g)
    f.case("embedding_gradient {0}, {1}", [g, t], [dtable])
    z, targets = data(2, 3, 5) * 4, integers(0, -1, 4, 2, -1, 1).reshape(2, 3)
    lse = np.log(np.exp(z).sum(-1))
    counted = targets >= 0
    one_hot = np.eye(5)[np.where(counted, targets, 0)]
    f.case("cross_entropy {0}, {1}", [z, targets], [np.where(counted, lse - (z * one_hot).sum(-1), 0), lse])
    # Logits so large that exp of them is not a number.
    big = np.array([[1000.0, 998.0, -1000.0]])
    f.case("cross_entropy {0}, {1}", [big, integers(1)], [np.array([math.log1p(math.exp(-2)) + 2]), np.array([1000 + math.log1p(math.exp(-2))])], kinds=("f64",))
    g = data(2, 3, seed=2)
    z, lse = np.round(z, 3), np.round(lse * 4) / 4
    gradient = np.where(counted[..., None], g[..., None] * (np.exp(z - lse[..., None]) - one_hot), 0)
    f.case("cross_entropy_gradient {0}, {1}, {2}, {3}", [g, z, targets, lse], [gradient])
    f.case("argmax {0}", [data(2, 3, 5)], [data(2, 3, 5).argmax(-1).astype(np.int32)])
    ties = np.array([1.0, 3.0, -2.0, 3.0, 3.0])
    f.case("argmax {0}", [ties], [np.array(1, dtype=np.int32)])
    f.case("argmax {0}", [data(2, 1)], [integers(0, 0)])
    f.write()


def heads_of(x, heads):
    batch, length, width = x.shape
    return x.reshape(batch, length, heads, width // heads).transpose(0, 2, 1, 3)


def merge(x):
    batch, heads, length, width = x.shape
    return x.transpose(0, 2, 1, 3).reshape(batch, length, heads * width)


def softmax(s):
    e = np.exp(s - s.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def attend(q, k, v, heads, scale, causal=False):
    q, k, v = heads_of(q, heads), heads_of(k, heads), heads_of(v, heads)
    s = scale * q @ k.transpose(0, 1, 3, 2)
    if causal:
        s = np.where(np.tril(np.ones(s.shape[-2:])) > 0, s, -np.inf)
    return s, softmax(s), v


def attention():
    f = File("attention", "Attention: cross, causal, one head, as many heads as columns, dropout; its weights and gradients.")
    for (batch, queries, keys, width), heads, causal, drop in (
        ((2, 3, 5, 6), 2, False, None),
        ((1, 5, 5, 3), 3, True, None),
        ((1, 1, 17, 2), 1, False, None),
        ((2, 3, 3, 6), 3, True, ((17, 4), 3, 0.375)),
        ((1, 2, 7, 4), 2, False, ((-1, 4), 9, 0.25)),
    ):
        scale = 0.75
        q, k, v = data(batch, queries, width), data(batch, keys, width, seed=1), data(batch, keys, width, seed=2)
        s, p, values = attend(q, k, v, heads, scale, causal)
        d = mask(*drop[:2], p.shape, drop[2]) if drop else np.ones(p.shape)
        o = merge((p * d) @ values)
        lse = np.log(np.exp(s).sum(-1))
        suffix = f"heads {heads} scale {scale}" + (" causal" if causal else "")
        key = f" dropout({{3}} probability {drop[2]} stream {drop[1]})" if drop else ""
        operands = [q, k, v] + ([integers(*drop[0])] if drop else [])
        f.case("attention {0}, {1}, {2}" + key + " " + suffix, operands, [o, lse], kinds=("f64", "f32") if not drop else ("f64",))
        # The gradient, from the softmax's own Jacobian for each query; result and lse are as computed above.
        g = data(batch, queries, width, seed=3)
        gh = heads_of(g, heads)
        dp = (gh @ values.transpose(0, 1, 3, 2)) * d
        ds = np.zeros(p.shape)
        for place in np.ndindex(*p.shape[:3]):
            row = p[place]
            ds[place] = (np.diag(row) - np.outer(row, row)) @ dp[place]
        dq = merge(scale * ds @ heads_of(k, heads))
        dk = merge(scale * ds.transpose(0, 1, 3, 2) @ heads_of(q, heads))
        dv = merge((p * d).transpose(0, 1, 3, 2) @ gh)
        key = f" dropout({{6}} probability {drop[2]} stream {drop[1]})" if drop else ""
        f.case("attention_gradient {0}, {1}, {2}, {3}, {4}, {5}" + key + " " + suffix,
               [g, q, k, v, o, lse] + operands[3:], [dq, dk, dv], kinds=("f64",))
        if not drop:
            f.case("attention_weights {0}, {1}, {2} " + suffix, [q, k, lse], [p], kinds=("f64",))
            f.case("attention_usage {0}, {1}, {2} " + suffix, [q, k, lse], [p.sum(2)], kinds=("f64",))
    f.write()


def usage():
    f = File("usage", "What keys receive of an attention by distances, and the rows that received most on average.")
    # Query i and key j are Lk - Lq + i - j apart; row e of r is for the distance Lk - 1 - e.
    for (batch, queries, keys, width), heads in (((2, 3, 5, 4), 2), ((1, 1, 1, 1), 1), ((1, 4, 4, 6), 3)):
        q, k, relative, r = data(batch, queries, width), data(batch, keys, width, seed=1), data(batch, queries, width, seed=2), data(keys, width, seed=3)
        scores = np.full((batch, heads, queries, keys), -np.inf)
        for b, h, i in np.ndindex(batch, heads, queries):
            own = slice(h * width // heads, (h + 1) * width // heads)
            for j in range(keys - queries + i + 1):
                distance = keys - queries + i - j
                scores[b, h, i, j] = 0.75 * (q[b, i, own] @ k[b, j, own] + relative[b, i, own] @ r[keys - 1 - distance, own])
        lse = np.log(np.exp(scores).sum(-1))
        f.case(f"attention_usage {{0}}, {{1}}, {{2}} relative({{3}}, {{4}}) heads {heads} scale 0.75 causal", [q, k, lse, relative, r], [np.exp(scores - lse[..., None]).sum(2)])
    received = np.array([[[1.0, 3, 2, 0, 5], [0, 1, 2, 4, 1]], [[2, 2, 2, 2, 2], [1, 1, 1, 1, 1]]])
    for wanted, seen in ((1, 5), (2, 9), (3, 5), (5, 100)):
        averages = received.sum(1) / (seen - np.arange(5))
        chosen = [sorted(sorted(range(5), key=lambda i: (-row[i], i))[:wanted]) for row in averages]
        f.case(f"most_used {{0}} seen {seen}", [received], [np.array([[5 * b + i for i in rows] for b, rows in enumerate(chosen)], dtype=np.int32)])
    equal = np.ones((1, 1, 3)) * [3.0, 2.0, 1.0]  # of the same average: the first
    f.case("most_used {0} seen 3", [equal], [integers(0, 1).reshape(1, 2)])
    f.write()


def slot_attention():
    f = File("slot_attention", "Slot attention: each slot sees itself and the tokens; its weights and gradients.")
    for (batch, slots, tokens, width), heads in (((2, 3, 5, 6), 2), ((1, 1, 1, 1), 1), ((1, 2, 7, 3), 3)):
        scale = 1.5
        q, ks, vs = (data(batch, slots, width, seed=i) for i in (0, 1, 2))
        k, v = (data(batch, tokens, width, seed=i) for i in (3, 4))
        o, lse = np.zeros(q.shape), np.zeros((batch, heads, slots))
        weights = np.zeros((batch, heads, slots, 1 + tokens))
        g = data(batch, slots, width, seed=5)
        dq, dks, dvs, dk, dv = (np.zeros(x.shape) for x in (q, ks, vs, k, v))
        size = width // heads
        for b, h, i in np.ndindex(batch, heads, slots):
            columns = slice(h * size, (h + 1) * size)
            keys = np.vstack([ks[b, i, columns], k[b, :, columns]])
            values = np.vstack([vs[b, i, columns], v[b, :, columns]])
            s = scale * keys @ q[b, i, columns]
            p = softmax(s)
            weights[b, h, i], lse[b, h, i] = p, np.log(np.exp(s).sum())
            o[b, i, columns] = p @ values
            out = g[b, i, columns]
            ds = (np.diag(p) - np.outer(p, p)) @ (values @ out)
            dq[b, i, columns] = scale * ds @ keys
            dks[b, i, columns] = scale * ds[0] * q[b, i, columns]
            dk[b, :, columns] += scale * np.outer(ds[1:], q[b, i, columns])
            dvs[b, i, columns] = p[0] * out
            dv[b, :, columns] += np.outer(p[1:], out)
        suffix = f" heads {heads} scale {scale}"
        f.case("slot_attention {0} self({1}, {2}), {3}, {4}" + suffix, [q, ks, vs, k, v], [o, lse])
        f.case("attention_weights {0} self({1}), {2}, {3}" + suffix, [q, ks, k, lse], [weights], kinds=("f64",))
        f.case("slot_attention_gradient {0}, {1} self({2}, {3}), {4}, {5}, {6}, {7}" + suffix,
               [g, q, ks, vs, k, v, o, lse], [dq, dks, dvs, dk, dv], kinds=("f64",))
    f.write()


def steps():
    f = File("steps", "One position of a segment: rows of tables, and causal attention with what it keeps.")
    for shape, axis, position in (((5, 3), 0, 4), ((2, 5, 3), 1, 0), ((7,), 0, 3)):
        x = data(*shape)
        f.case(f"row {{0}} axis {axis} at {{1}}", [x, integers(position).reshape(())], [np.take(x, [position], axis=axis)])
    for batch, length, width, heads, position in ((2, 3, 4, 2, 1), (1, 5, 3, 3, 0), (1, 4, 6, 1, 3)):
        scale = 0.75
        q, k, v = data(batch, 1, width), data(batch, 1, width, seed=1), data(batch, 1, width, seed=2)
        keys, values = data(batch, length, width, seed=3), data(batch, length, width, seed=4)
        new_keys, new_values = keys.copy(), values.copy()
        new_keys[:, position], new_values[:, position] = k[:, 0], v[:, 0]
        _, p, seen = attend(q, new_keys[:, : position + 1], new_values[:, : position + 1], heads, scale, False)
        f.case("attention_step {0}, {1}, {2} cache({3}, {4}) at {5} " + f"heads {heads} scale {scale}",
               [q, k, v, keys, values, integers(position).reshape(())], [merge(p @ seen), new_keys, new_values])
    f.write()


def lstm():
    f = File("lstm", "A layer of long short-term memory and its gradients.")

    def sigmoid(x):
        return 1 / (1 + np.exp(-x))

    for batch, length, width in ((1, 1, 1), (2, 3, 5), (3, 5, 2)):
        gates, hidden, cell = data(batch, length, 4 * width), data(batch, 1, width, seed=1), data(batch, 1, width, seed=2)
        weight = data(4 * width, width, seed=3) / 2
        h, c, hs, cs, activations = hidden[:, 0], cell[:, 0], [], [], []
        for t in range(length):
            i, forget, g, o = np.split(gates[:, t] + h @ weight.T, 4, axis=-1)
            i, forget, g, o = sigmoid(i), sigmoid(forget), np.tanh(g), sigmoid(o)
            c = forget * c + i * g
            h = o * np.tanh(c)
            hs.append(h), cs.append(c), activations.append(np.concatenate([i, forget, g, o], axis=-1))
        hs, cs, activations = (np.stack(values, axis=1) for values in (hs, cs, activations))
        f.case("lstm {0}, {1}, {2}, {3}", [gates, hidden, cell, weight], [hs, cs, activations])

        # The gradient of Σ g h + e c by the chain rule, one position at a time.
        g_of_h, g_of_c = data(batch, length, width, seed=4), data(batch, length, width, seed=5)
        for with_hiddens, with_cells in ((True, True), (True, False), (False, True)):
            dh, dc, slopes = np.zeros((batch, width)), np.zeros((batch, width)), [None] * length
            for t in reversed(range(length)):
                i, forget, g, o = np.split(activations[:, t], 4, axis=-1)
                dh = dh + with_hiddens * g_of_h[:, t]
                dc = dc + with_cells * g_of_c[:, t] + dh * o * (1 - np.tanh(cs[:, t]) ** 2)
                before = cs[:, t - 1] if t else cell[:, 0]
                slopes[t] = np.concatenate([dc * g * i * (1 - i), dc * before * forget * (1 - forget), dc * i * (1 - g**2), dh * np.tanh(cs[:, t]) * o * (1 - o)], axis=-1)
                dh, dc = slopes[t] @ weight, dc * forget
            operands = [g_of_h] * with_hiddens + [g_of_c] * with_cells
            text = "lstm_gradient"
            text += " hiddens({0})" if with_hiddens else ""
            text += f" cells({{{int(with_hiddens)}}})" if with_cells else ""
            text += " " + ", ".join(f"{{{len(operands) + place}}}" for place in range(4))
            f.case(text, operands + [activations, cs, cell, weight], [np.stack(slopes, axis=1), dh[:, None], dc[:, None]], kinds=("f64",))
        for position in range(length):
            # What lies in the caches from the position on has no meaning.
            before = [np.where(np.arange(length)[:, None] < position, values, 9.0) for values in (hs, cs)]
            after = [np.where(np.arange(length)[:, None] <= position, values, 9.0) for values in (hs, cs)]
            row = slice(position, position + 1)
            f.case("lstm_step {0}, {1}, {2}, {3} cache({4}, {5}) at {6}", [gates[:, row], hidden, cell, weight] + before + [np.array(position, dtype=np.int32)],
                   [hs[:, row], cs[:, row]] + after, kinds=("f64",))
    f.write()


def composite():
    f = File("composite", "Memory read and write.")
    batch, tokens, slots, width = 2, 3, 5, 4
    x, m = data(batch, tokens, width), data(batch, slots, width, seed=1)
    weights = [(data(width, width, seed=i), data(width, seed=i + 1)) for i in range(2, 7)]
    flat = [array for pair in weights for array in pair]

    def project(value, i):
        return value @ weights[i][0].T + weights[i][1]

    heads = 2
    _, p, v = attend(project(x, 0), project(m, 1), project(m, 2), heads, 1 / math.sqrt(width / heads))
    projections = "query({2}, {3}) key({4}, {5}) value({6}, {7})"
    f.case("read {0}, {1} " + projections + " output({8}, {9}) heads 2", [x, m] + flat[:8], [project(merge(p @ v), 3)])
    for heads, temperature, projected, out in ((2, 0.25, False, False), (1, 0.5, True, True), (4, 1.0, False, True)):
        size = width // heads
        q, ks, k, v = project(m, 0), project(m, 1), project(x, 1), project(x, 2)
        vs = project(m, 3) if projected else m
        result, seen = np.zeros(m.shape), np.zeros((batch, heads, slots, 1 + tokens))
        for b, h, i in np.ndindex(batch, heads, slots):
            c = slice(h * size, (h + 1) * size)
            s = np.vstack([ks[b, i, c], k[b, :, c]]) @ q[b, i, c] / (math.sqrt(size) * temperature)
            seen[b, h, i] = softmax(s)
            result[b, i, c] = seen[b, h, i] @ np.vstack([vs[b, i, c], v[b, :, c]])
        operands, text = [m, x] + flat[:6], "write {0}, {1} " + projections
        if projected:
            text += f" slot_value({{{len(operands)}}}, {{{len(operands) + 1}}})"
            operands += weights[3]
        if out:
            text += f" output({{{len(operands)}}}, {{{len(operands) + 1}}})"
            operands += weights[4]
            result = project(result, 4)
        f.case(f"{text} heads {heads} temperature {temperature}", operands, [result, seen], kinds=("f64",))
    f.write()


for write in (elementwise, dropout, rearrange, linear, norm, tokens, attention, usage, slot_attention, lstm, steps, composite):
    write()
