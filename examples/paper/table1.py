#!/usr/bin/env python3
"""Table 1 of the paper: autoregressive images, five systems and the Memformer's ablations.

Small by default: 14 x 14 pixels of 16 grey levels, half the paper's layers and width; about ten minutes a seed on two quiet cores. `--size paper` is the paper's own: 28 x 28 pixels of 256 levels, for a GPU and days.
"""
import gzip
import pathlib
import struct
import sys

import drawing
import experiments
import tables
from experiments import HERE, Failed, Row

# What the paper fixes, and what half of it is here. It does not say what segments its Transformer-XL has: those of 8 tokens give the FLOPs that it counts.
SIZES = {
    "small": {"base": "table1.toml", "side": 14, "levels": 16, "segment": 14, "width": 64, "feed_forward": 128, "halves": 2, "slots": 16, "segments": 14, "xl_segment": 14},
    "paper": {"base": "table1-paper.toml", "side": 28, "levels": 256, "segment": 56, "width": 128, "feed_forward": 256, "halves": 1, "slots": 64, "segments": 8, "xl_segment": 8},
}
FASHION = pathlib.Path("/usr/share/datasets/fashion-mnist/train-images-idx3-ubyte.gz")
SAMPLED = ("LSTM", "Transformer", "Transformer-XL, memory whole image", "Compressive Transformer", "Memformer")


def rows(size):
    part = size["halves"]
    wide = {"model.d_model": size["width"], "model.heads": 4, "model.d_ff": size["feed_forward"]}
    sequence = size["side"] ** 2
    recurrent = {"model.segment": size["segment"], "train.horizon": size["segments"]}
    layers = 8 // part

    def paper(flops, perplexity):
        return {"flops": flops, "perplexity": perplexity}

    def memformer(encoder, decoder, slots, **changes):
        settings = {"model.kind": "memformer", **wide, **recurrent, "model.encoder_layers": encoder // part, "model.decoder_layers": decoder // part,
                    "memory.slots": slots, "memory.temperature": 0.25}
        if not slots:
            del settings["memory.temperature"]
        return settings | {key.replace("__", "."): value for key, value in changes.items()}

    def xl(length):
        own = {"model.segment": size["xl_segment"], "train.horizon": size["segments"] * size["segment"] // size["xl_segment"]}
        return {"model.kind": "transformer-xl", **wide, **own, "model.layers": layers, "memory.length": length}

    segment, slots = size["segment"], size["slots"]
    compressive = xl(segment) | recurrent | {"model.kind": "compressive-transformer", "memory.compressed_length": segment, "memory.compression_rate": 2}
    return [
        Row("LSTM", {"model.kind": "lstm", **recurrent, "model.d_model": 4 * size["width"], "model.layers": 4 // part}, paper(52.5, 1.698), "systems"),
        Row("Transformer", {"model.kind": "transformer", **wide, "model.layers": layers, "model.segment": sequence, "train.horizon": 1}, paper(41.3, 1.569), "systems"),
        Row("Transformer-XL, memory 1 segment", xl(segment), paper(5.6, 1.650), "systems"),
        Row("Transformer-XL, memory 4 segments", xl(4 * segment), paper(15.6, 1.618), "systems"),
        Row("Transformer-XL, memory whole image", xl(sequence), paper(49.1, 1.611), "systems"),
        Row("Compressive Transformer", compressive, {}, "systems"),
        Row("Memformer", memformer(4, 8, slots), paper(5.0, 1.555), "systems"),
        Row("Memformer, fewer layers", memformer(2, 6, slots), paper(3.9, 1.594), "ablations"),
        Row("memory / 2", memformer(2, 6, slots // 2), paper(3.9, 1.600), "ablations"),
        Row("memory / 4", memformer(2, 6, slots // 4), paper(3.9, 1.604), "ablations"),
        Row("memory 1", memformer(2, 6, 1), paper(3.9, 1.627), "ablations"),
        Row("balanced layers", memformer(4, 4, slots), paper(3.6, 1.628), "ablations"),
        Row("w/o memory", memformer(2, 6, 0), paper(1.8, 1.745), "ablations"),
        Row("temperature 1", memformer(2, 6, slots, memory__temperature=1.0), paper(3.9, 1.612), "ablations"),
        Row("w/o forgetting", memformer(2, 6, slots, memory__forget=False), paper(3.9, 1.630), "ablations"),
        Row("w/o multi-head", memformer(2, 6, slots, memory__write_heads=1), paper(3.9, 1.626), "ablations"),
        Row("Memformer, read in its last layer alone", memformer(4, 8, slots, memory__read_layers=1), {}, "ablations"),
        Row("Memformer, written after each layer", memformer(4, 8, slots, memory__write_layers=4 // part), {}, "ablations"),
    ]


def claims(all_rows):
    xl = [row.name for row in all_rows if row.name.startswith("Transformer-XL")]
    base = "Memformer, fewer layers"
    yield "memory is what carries the past", base, "w/o memory"
    yield "one slot is better than none", "memory 1", "w/o memory"
    yield "the Memformer is best of all", "Memformer", "Transformer"
    for name in reversed(xl):
        yield "it is ahead of Transformer-XL of any memory", "Memformer", name
    yield "attention to everything is ahead of Transformer-XL", "Transformer", xl[2]
    yield "more memory helps Transformer-XL", xl[2], xl[1]
    yield "more memory helps Transformer-XL", xl[1], xl[0]
    yield "the LSTM is last of the systems", xl[0], "LSTM"
    yield "more layers help", "Memformer", base
    yield "decoder layers matter", base, "balanced layers"
    for more, fewer in ((base, "memory / 2"), ("memory / 2", "memory / 4"), ("memory / 4", "memory 1")):
        yield "more slots help", more, fewer
    yield "a sharp write helps", base, "temperature 1"
    yield "forgetting helps", base, "w/o forgetting"
    yield "several heads of the write help", base, "w/o multi-head"


def find_data(arguments):
    """The training and the held-out images."""
    path = arguments.data
    if not path:
        here = pathlib.Path("train-images-idx3-ubyte.gz")
        path = here if here.exists() else FASHION
    if not path.exists():
        experiments.fail(f"no images at {path}: give MNIST's train-images-idx3-ubyte.gz with --data, or install Debian's dataset-fashion-mnist")
    held = arguments.validation_data or path.with_name(path.name.replace("train", "t10k"))
    paths = {"data.path": path}
    if arguments.validation_data or (held != path and held.exists()):
        paths["data.validation_path"] = held
    return paths


def images(path, side, levels, count):
    """The first images of an IDX file, reduced as the loader does."""
    with (gzip.open if path.suffix == ".gz" else open)(path, "rb") as file:
        _, _, rows, columns = struct.unpack(">IIII", file.read(16))
        high, wide = rows // side, columns // side
        result = []
        for _ in range(count):
            image = file.read(rows * columns)
            block = lambda y, x: sum(image[(y * high + j) * columns + x * wide + i] for j in range(high) for i in range(wide))
            result.append([block(y, x) * levels // (256 * high * wide) for y in range(side) for x in range(side)])
    return result


def samples(experiment, size, count=10):
    """A sheet of images: real ones, then a row of each system's. Gives the names of the rows, or None where no system is trained."""
    lines, names = [images(experiment.paths["data.path"], size["side"], size["levels"], count)], ["the data"]
    pixels = size["side"] ** 2
    for row in experiment.rows:
        if row.name not in SAMPLED:
            continue
        folder = experiment.run_folder(row, experiment.seeds[0])
        if not (folder / "weights.safetensors").exists():
            continue
        try:
            made = [experiment.run_json("generate", folder, "--tokens", pixels, "--seed", seed)["tokens"][0] for seed in range(count)]
        except Failed as problem:
            experiment.failures[f"samples of {row.name}"] = str(problem)
            continue
        lines.append(made)
        names.append(row.name)
    drawing.sheet(experiment.folder / "samples.png", lines, size["side"], size["levels"])
    (experiment.folder / "samples.txt").write_text("\n".join(names) + "\n")


def render(experiment, size, command):
    records = {row.name: experiment.records(row) for row in experiment.rows}
    lines = []
    for group, title in (("systems", "**systems**"), ("ablations", "**ablations of the Memformer**")):
        some = [row for row in experiment.rows if row.group == group]
        if some:
            lines.append([title])
        for row in some:
            each = records[row.name]
            one = each[0] if each else {}
            values = ", ".join(f"{r['perplexity']:.4f}" for r in each)
            lines.append([row.name, tables.big(one["parameters"]) if one else "–", tables.big(one["flops"]) if one else "–", tables.size(one["state_bytes"]) if one else "–",
                          values or "–", tables.shown(tables.median(each)), row.paper.get("flops", "–"), row.paper.get("perplexity", "–")])
    heads = ("model", "parameters", "FLOPs an image", "state", "perplexity by seed", "median", "paper: GFLOPs", "paper: perplexity")
    out = ["# Table 1: autoregressive images", "", tables.origin(records, command), "", tables.table(heads, lines), ""]
    same, all_pairs = tables.pairs(experiment.rows, records)
    out += ["## The paper's order", "", f"Of all pairs of rows that the paper orders, {same} of {all_pairs} are in the same order here. " + tables.order(list(claims(rows(size))), records), ""]
    plot = [(row.name, [r["perplexity"] for r in records[row.name]]) for row in experiment.rows]
    if drawing.svg(experiment.folder / "table1.svg", [drawing.dots(plot, "Table 1: held-out perplexity of a pixel", "perplexity (dots: seeds, bar: median)")]):
        out += ["![perplexities](table1.svg)", ""]
    names = experiment.folder / "samples.txt"
    if names.exists():
        out += [f"Sampled images, a line each: {', '.join(names.read_text().split(chr(10))[:-1])}.", "", "![sampled images](samples.png)", ""]
    experiment.folder.mkdir(parents=True, exist_ok=True)
    (experiment.folder / "table1.md").write_text("\n".join(out))
    print("\n".join(out))


def main():
    parser = experiments.training_options(__doc__, "training images, IDX, gzipped or not; the held-out ones are t10k-… beside them, else the last twentieth "
                                          "[train-images-idx3-ubyte.gz here, else Debian's dataset-fashion-mnist]")
    parser.add_argument("--size", choices=list(SIZES), default="small", help="[small]")
    arguments = parser.parse_args()
    size = SIZES[arguments.size]
    paths = {} if arguments.render else find_data(arguments)
    experiment = experiments.Training("table1", arguments, HERE / size["base"], rows(size), paths)
    experiment.run_all()
    if not arguments.render:
        experiment.folder.mkdir(parents=True, exist_ok=True)
        samples(experiment, size)
    render(experiment, size, "examples/paper/table1.py")
    return experiment.finish()


if __name__ == "__main__":
    sys.exit(main())
