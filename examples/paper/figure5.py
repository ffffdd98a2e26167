#!/usr/bin/env python3
"""Figure 5 of the paper: FLOPs against sequence length for Transformer, Transformer-XL and Memformer, and measured peak memory of inference against memory size.

The models have the width of the paper's language models, 16 layers of Transformer-XL, and a Memformer of as many parameters. FLOPs are those of the compiled kernels, one sequence; memory is the largest resident set of
`memformer-run bench --mode infer` at batch 16, a segment of 128. Needs 8 GiB of memory and about ten minutes; `--jobs 1` where timings do not matter either.
"""
import sys

import drawing
import experiments
import tables
from experiments import HERE, Row

LENGTHS = (128, 256, 512, 1024, 2048, 4096, 8192)
MEMORY = (64, 128, 256, 512, 1024, 2048)
KINDS = ("Transformer", "Transformer-XL", "Memformer")


def model(kind, arguments, length=None, memory=None):
    """Settings of a kind. `length` is a Transformer's sequence."""
    layers = arguments.layers
    if kind == "Transformer":
        return {"model.kind": "transformer", "model.layers": layers, "model.segment": length}
    if kind == "Transformer-XL":
        return {"model.kind": "transformer-xl", "model.layers": layers, "model.segment": arguments.segment, "memory.length": memory}
    # A layer of Transformer-XL has 13 d^2 parameters at d_ff = 4 d, one of the Memformer 16 d^2.
    encoder = max(1, layers // 4)
    return {"model.kind": "memformer", "model.encoder_layers": encoder, "model.decoder_layers": max(1, round(layers * 13 / 16) - encoder), "model.segment": arguments.segment,
            "memory.slots": memory, "memory.temperature": 0.125}


def lengths(arguments):
    return [n * arguments.segment // 128 for n in LENGTHS]


def points(arguments):
    """(what, kind, at, settings, words of the command) of each measurement."""
    for kind in KINDS:
        for length in lengths(arguments):
            whole = kind == "Transformer"
            yield "flops", kind, length, model(kind, arguments, length, arguments.memory), ["--batch", 1, "--segments", 1 if whole else length // arguments.segment]
    for kind in KINDS[1:]:
        for memory in arguments.sizes:
            yield "memory", kind, memory, model(kind, arguments, memory=memory), ["--batch", 16, "--segments", 1]


def measure(experiment, what, kind, at, settings, words):
    where = key(experiment, what, kind, at, settings, words)
    if experiment.results.find(where):
        return "done before"
    settings = experiment.settings(Row("", settings))
    sets = experiments.as_sets(settings)
    # Operations and bytes of inference do not depend on the schedule; with this one nothing is saved.
    common = [experiment.base, *sets, "--schedule", "mrbp", *words]
    cost = experiment.run_json("inspect", *common)
    values = {"settings": settings, "parameters": cost["parameter_count"], "flops": cost["flops"]["forward"],
              "state_bytes": cost["costs"]["state_bytes"]["total"]}
    told = f"{values['flops'] * 1e-9:.2f} GFLOPs"
    if what == "memory":
        result, values["peak_bytes"] = experiment.measure("bench", *common, "--mode", "infer", "--repeat", 1, "--seconds", 0, "--threads", experiment.arguments.threads)
        values["parameter_bytes"] = result["memory"]["parameters"]
        told = f"{tables.size(values['peak_bytes'])} at the peak"
    experiment.record(where, values)
    return told


def key(experiment, what, kind, at, settings, words):
    return {"what": what, "kind": kind, "at": at, "hash": experiments.key_of([experiment.settings(Row("", settings)), words])}


def render(experiment, command):
    found = {}
    for point in points(experiment.arguments):
        record = experiment.results.find(key(experiment, *point))
        if record:
            found[point[:3]] = record
    memory = experiment.arguments.memory
    out = ["# Figure 5: computation and memory", "", tables.origin({"": list(found.values())}, command), ""]
    at = lambda what, kind, value, name="flops": found.get((what, kind, value), {}).get(name)
    flops = lambda value: "–" if value is None else f"{value * 1e-9:,.3g}" if value < 1e12 else f"{value * 1e-9:,.0f}"
    out += [f"## FLOPs against sequence length, in G, for one sequence; memory {memory}", "",
            tables.table(("tokens", *KINDS), [[length, *(flops(at("flops", kind, length)) for kind in KINDS)] for length in lengths(experiment.arguments)]), ""]
    first, last = lengths(experiment.arguments)[0], lengths(experiment.arguments)[-1]
    for kind in KINDS:
        low, high = at("flops", kind, first), at("flops", kind, last)
        if low and high:
            out.append(f"* {kind}: {last // first} times the tokens take {high / low:.1f} times the operations; {tables.big(found['flops', kind, last]['parameters'])} parameters.")
    sizes = experiment.arguments.sizes
    rows, ratios = [], {}
    for value in sizes:
        ours, theirs = found.get(("memory", "Memformer", value)), found.get(("memory", "Transformer-XL", value))
        show = lambda r, name: tables.size(r[name]) if r else "–"
        net = lambda r: r["peak_bytes"] - r["parameter_bytes"]
        ratio = [theirs["peak_bytes"] / ours["peak_bytes"], net(theirs) / net(ours), theirs["state_bytes"] / ours["state_bytes"]] if ours and theirs else None
        if ratio:
            ratios[value] = ratio
        rows.append([value, show(theirs, "peak_bytes"), show(ours, "peak_bytes"), *(f"{r:.2f}" for r in ratio or ()), *("––––" if not ratio else "")])
    out += ["", "## Peak memory of inference against memory size, batch 16", "",
            tables.table(("memory", "Transformer-XL, peak resident", "Memformer, peak resident", "ratio", "ratio without parameters", "ratio of the states"), rows), ""]
    if ratios:
        best = max(ratios, key=lambda value: ratios[value][0])
        net = max(ratios, key=lambda value: ratios[value][1])
        out += [f"Transformer-XL takes at most {ratios[best][0]:.1f} times the memory of the Memformer (at memory {best}), {ratios[net][1]:.1f} times where parameters do not count (at {net}); "
                f"its state is {max(r[2] for r in ratios.values()):.1f} times as large. The paper: 8.1 times less memory in a large memory size setting.", ""]
    left = drawing.lines([(kind, [(n, at("flops", kind, n) * 1e-9) for n in lengths(experiment.arguments) if at("flops", kind, n)]) for kind in KINDS], "Computation", "tokens in the sequence", "GFLOPs", 2, 10)
    right = drawing.lines([(kind, [(n, at("memory", kind, n, "peak_bytes") / 2**20) for n in sizes if at("memory", kind, n, "peak_bytes")]) for kind in KINDS[1:]],
                          "Peak memory of inference, batch 16", "memory size", "MiB", 2, zero=True)
    experiment.folder.mkdir(parents=True, exist_ok=True)
    if drawing.svg(experiment.folder / "figure5.svg", [left, right]):
        out += ["![FLOPs and memory](figure5.svg)", ""]
    (experiment.folder / "figure5.md").write_text("\n".join(out))
    print("\n".join(out))


def main():
    parser = experiments.options(__doc__, jobs=1)
    parser.add_argument("--layers", type=int, default=16, help="of Transformer and Transformer-XL [16]")
    parser.add_argument("--segment", type=int, default=128, help="tokens in a segment of the others; sequences are 1 to 64 segments [128]")
    parser.add_argument("--memory", type=int, default=512, help="memory size of the first panel [512]")
    parser.add_argument("--sizes", type=int, nargs="+", default=list(MEMORY), help="memory sizes of the second panel [64 ... 2048]")
    arguments = parser.parse_args()
    experiment = experiments.Experiment("figure5", arguments, HERE / "figure5.toml")
    names = experiments.chosen(KINDS, arguments.rows)
    chosen = [p for p in points(arguments) if p[1] in names]
    if not arguments.render:
        experiment.work([(f"{what} of {kind} at {at}", lambda p=(what, kind, at, settings, words): measure(experiment, *p)) for what, kind, at, settings, words in chosen])
    render(experiment, "examples/paper/figure5.py")
    return experiment.finish()


if __name__ == "__main__":
    sys.exit(main())
