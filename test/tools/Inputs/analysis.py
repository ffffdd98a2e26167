# analysis.py FOLDER TEXT BOS: compares FOLDER/analysis.json with what memformer-run trace says of the same model and text.
# Run in a folder with model.toml and run/weights.safetensors.
import base64, json, math, struct, subprocess, sys
from collections import Counter

folder, text, bos = sys.argv[1], sys.argv[2], int(sys.argv[3])
analysis = json.load(open(f"{folder}/analysis.json"))
K, H, T, L, C = (analysis[key] for key in ("slots", "heads", "segments", "segment_tokens", "cls_tokens"))
views, S = analysis["views"], L + C
assert views == (1 if H == 1 else 1 + H)


def unpack(packed):
    return memoryview(base64.b64decode(packed)).cast("H")


def write_safetensors(path, tensors):
    header, data = {}, b""
    for name, (shape, values) in tensors.items():
        header[name] = {"dtype": "I32", "shape": shape, "data_offsets": [len(data), len(data) + 4 * len(values)]}
        data += struct.pack(f"<{len(values)}i", *values)
    encoded = json.dumps(header).encode()
    open(path, "wb").write(struct.pack("<Q", len(encoded)) + encoded + data)


def read_safetensors(path):
    data = open(path, "rb").read()
    (length,) = struct.unpack_from("<Q", data)
    header = json.loads(data[8 : 8 + length])
    return {name: (entry["shape"], memoryview(data[8 + length :][slice(*entry["data_offsets"])]).cast("f")) for name, entry in header.items() if name != "__metadata__"}


# The segments of the text as docs/model.md cuts them: the encoder reads the one before.
stream = list(open(text, "rb").read())
assert T == min(math.ceil(len(stream) / L), T) and T * L < len(stream) + L
segments = [stream[t * L : (t + 1) * L] for t in range(T)]
segments[-1] += [0] * (L - len(segments[-1]))
encoder = [[bos] * L] + segments[:-1]
decoder = [[before[-1]] + segment[:-1] for before, segment in zip(encoder, segments)]
flat = lambda lists: [token for one in lists for token in one]
shape = [T, 1, L]
write_safetensors("tokens.safetensors", {"encoder_tokens": (shape, flat(encoder)), "decoder_tokens": (shape, flat(decoder)), "targets": (shape, flat(segments))})
command = ["memformer-run", "trace", "model.toml", "--weights", "run/weights.safetensors", "--tokens", "tokens.safetensors", "--out", "trace.safetensors"]
subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
sizes, attention = read_safetensors("trace.safetensors")[analysis["write"]]
assert sizes == [T, 1, H, K, 1 + S], sizes
weight = lambda t, h, k, entry: attention[((t * H + h) * K + k) * (1 + S) + entry]
mean = lambda t, k, entry: sum(weight(t, h, k, entry) for h in range(H)) / H
of = lambda t, view, k, entry: mean(t, k, entry) if view == 0 else weight(t, view - 1, k, entry)

assert analysis["tokens"] == encoder
assert analysis["restarts"] == [1] + [0] * (T - 1)
# Self weights, exact to half a unit, and the types of what is stored.
stored = unpack(analysis["self_weights"])
assert len(stored) == T * views * K
for t in range(T):
    for view in range(views):
        for k in range(K):
            assert abs(stored[(t * views + view) * K + k] / 65535 - of(t, view, k, 0)) < 0.51 / 65535 + 1e-6, (t, view, k)
thresholds = analysis["thresholds"]
type_of = lambda w: 1 if w >= thresholds["keeps"] else 3 if w <= thresholds["replaces"] else 2
types = [[type_of(stored[t * views * K + k] / 65535) for k in range(K)] for t in range(T)]
assert analysis["types"] == [[row.count(kind) for kind in (1, 2, 3)] for row in types], analysis["types"]
assert analysis["slot"]["types"] == [[[row[k] for row in types].count(kind) for kind in (1, 2, 3)] for k in range(K)]
print("types", [sum(counts) for counts in zip(*analysis["types"])])

# Tokens: those of most weight, none below the least, the rest zero.
packed, kept_in_all = analysis["attention"], 0
for view, rows in [(0, "mean")] + [(view, "heads") for view in range(1, views) if "heads" in packed]:
    counts, positions, weights = (unpack(packed[rows][key]) for key in ("counts", "positions", "weights"))
    stride, offset = (K, 0) if rows == "mean" else (H * K, (view - 1) * K)
    assert len(counts) == T * stride and len(positions) == len(weights) == sum(counts)
    starts = [0]
    for count in counts:
        starts.append(starts[-1] + count)
    for t in range(T):
        for k in range(K):
            row = t * stride + offset + k
            kept = {positions[i]: weights[i] / 65535 for i in range(starts[row], starts[row + 1])}
            kept_in_all += len(kept)
            assert list(kept) == sorted(kept) and len(kept) == counts[row] <= packed["most"]
            expected = {i: of(t, view, k, 1 + i) for i in range(S)}
            worthy = [w for w in expected.values() if w >= packed["least"] + 1e-6]
            assert len(kept) >= min(len(worthy), packed["most"]), (t, view, k, kept, worthy)
            least = min(kept.values(), default=1)
            for i, w in expected.items():
                if i in kept:
                    assert abs(kept[i] - w) < 0.51 / 65535 + 1e-6, (t, view, k, i)
                else:
                    assert w < packed["least"] + 1e-6 or (len(kept) == packed["most"] and w <= least + 2e-5) or packed["most"] == 0, (t, view, k, i)
print("heads" if "heads" in packed else "mean", "at most", packed["most"], "stored", kept_in_all)

# Over all segments: update rates, the lengths of the bias, the tokens of a slot.
bias = read_safetensors("run/weights.safetensors")["memory.bias"]
width = bias[0][1]
frequency = Counter()
for t in range(T):
    frequency.update(encoder[t] + [-1 - i for i in range(C)])
for k in range(K):
    rate = sum(1 - mean(t, k, 0) for t in range(T)) / T
    assert abs(analysis["slot"]["update_rate"][k] - rate) < 2e-6, (k, rate)
    norm = math.sqrt(sum(x * x for x in bias[1][k * width : (k + 1) * width]))
    assert abs(analysis["slot"]["bias_norm"][k] - norm) < 2e-6, (k, norm)
    received = Counter()
    for t in range(T):
        for i in range(S):
            received[encoder[t][i] if i < L else L - i - 1] += mean(t, k, 1 + i)
    total = sum(received.values())
    tokens = analysis["slot"]["tokens"][k]
    assert len(tokens) == min(12, len(frequency))
    ranked = sorted(received.values(), reverse=True)
    for rank, (token, share, lift) in enumerate(tokens):
        assert abs(share - received[token] / total) < 1e-5 and abs(share - ranked[rank] / total) < 1e-5, (k, token)
        assert abs(lift - share / (frequency[token] / frequency.total())) < 1e-3 * max(1, lift), (k, token)
print("as traced")
