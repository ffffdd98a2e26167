#!/usr/bin/env python3
"""Table 2 of the paper: language modelling with Transformer-XL over memory lengths, Compressive Transformer and Memformer.

Small by default: text as bytes, a quarter of the paper's layers, segments of 4. `--size paper` is the paper's own, WikiText-103 as word ids (words.py makes them), for several GPUs and days.
"""
import sys

import drawing
import experiments
import tables
from experiments import HERE, Row

# Lengths of Transformer-XL's memory are those of the paper in segments.
SIZES = {
    "small": {"base": "table2.toml", "segment": 4, "width": 64, "heads": 4, "feed_forward": 256, "part": 4, "slots": 8},
    "paper": {"base": "table2-paper.toml", "segment": 128, "width": 512, "heads": 8, "feed_forward": 2048, "part": 1, "slots": 1024},
}
LENGTHS = ((1600, 250, 23.95), (1024, 168, 23.67), (512, 94, 23.94), (256, 58, 25.39), (128, 39, 25.60), (32, 26, 27.22))


def rows(size):
    segment, part, slots = size["segment"], size["part"], size["slots"]
    wide = {"model.d_model": size["width"], "model.heads": size["heads"], "model.d_ff": size["feed_forward"], "model.segment": segment}
    scaled = lambda length: length * segment // 128

    def xl(length):
        return {"model.kind": "transformer-xl", **wide, "model.layers": 16 // part, "memory.length": length}

    def memformer(decoder, count):
        sharp = {"memory.temperature": 0.125 if part == 1 else 0.25} if count else {}
        return {"model.kind": "memformer", **wide, "model.encoder_layers": 4 // part, "model.decoder_layers": decoder // part, "memory.slots": count, **sharp}

    paper = lambda flops, perplexity: {"flops": flops, "perplexity": perplexity}
    result = [Row(f"Transformer-XL, memory {scaled(length)}", xl(scaled(length)), paper(flops, perplexity), "systems") for length, flops, perplexity in LENGTHS]
    compressive = xl(scaled(512)) | {"model.kind": "compressive-transformer", "memory.compressed_length": scaled(512), "memory.compression_rate": 4}
    result.append(Row("Compressive Transformer", compressive, paper(172, 23.23), "systems"))
    result.append(Row("Memformer", memformer(16, slots), paper(54, 22.74), "systems"))
    result.append(Row("Memformer, fewer layers", memformer(12, slots), paper(48, 23.91), "ablations"))
    result.append(Row("memory / 2", memformer(16, slots // 2), paper(35, 23.30), "ablations"))
    result.append(Row("w/o memory", memformer(16, 0), paper(31, 25.57), "ablations"))
    return result


def claims(all_rows):
    xl = [row.name for row in all_rows if row.name.startswith("Transformer-XL")]
    for name in xl[:2]:
        yield "the Memformer is ahead of Transformer-XL", "Memformer", name
    yield "the Memformer is ahead of the Compressive Transformer", "Memformer", "Compressive Transformer"
    yield "the Compressive Transformer is ahead of Transformer-XL of as much memory", "Compressive Transformer", xl[1]
    for longer, shorter in zip(xl[1:], xl[2:]):
        yield "more memory helps Transformer-XL", longer, shorter
    yield "up to a length", xl[1], xl[0]
    yield "memory is what carries the past", "Memformer", "w/o memory"
    yield "more slots help", "Memformer", "memory / 2"
    yield "half the slots are better than none", "memory / 2", "w/o memory"
    yield "more layers help", "Memformer", "Memformer, fewer layers"


def render(experiment, all_rows, command):
    records = {row.name: experiment.records(row) for row in experiment.rows}
    lines = []
    for group, title in (("systems", "**systems**"), ("ablations", "**ablations of the Memformer**")):
        some = [row for row in experiment.rows if row.group == group]
        if some:
            lines.append([title])
        for row in some:
            each = records[row.name]
            one = each[0] if each else {}
            lines.append([row.name, *([tables.big(one["parameters"]), tables.big(one["flops"] / one["tokens_of_flops"]), tables.size(one["state_bytes"])] if one else "–––"),
                          ", ".join(f"{r['perplexity']:.4f}" for r in each) or "–", tables.shown(tables.median(each)), tables.shown(tables.median(each, "bits")),
                          row.paper.get("flops", "–"), row.paper.get("perplexity", "–")])
    heads = ("model", "parameters", "FLOPs a token", "state", "perplexity by seed", "median", "bits a token", "paper: GFLOPs", "paper: perplexity")
    same, all_pairs = tables.pairs(experiment.rows, records)
    out = ["# Table 2: language modelling", "", tables.origin(records, command), "", tables.table(heads, lines), "", "## The paper's order", "",
           f"Of all pairs of rows that the paper orders, {same} of {all_pairs} are in the same order here. " + tables.order(list(claims(all_rows)), records), ""]
    plot = [(row.name, [r["perplexity"] for r in records[row.name]]) for row in experiment.rows]
    experiment.folder.mkdir(parents=True, exist_ok=True)
    if drawing.svg(experiment.folder / "table2.svg", [drawing.dots(plot, "Table 2: held-out perplexity of a token", "perplexity (dots: seeds, bar: median)")]):
        out += ["![perplexities](table2.svg)", ""]
    (experiment.folder / "table2.md").write_text("\n".join(out))
    print("\n".join(out))


def main():
    parser = experiments.training_options(__doc__, experiments.TEXT_HELP)
    parser.add_argument("--size", choices=list(SIZES), default="small", help="[small]")
    arguments = parser.parse_args()
    size = SIZES[arguments.size]
    if arguments.size == "paper" and not (arguments.data or arguments.render):
        experiments.fail("--size paper: expected --data FILE, ids of words that words.py makes")
    all_rows = rows(size)
    paths = {} if arguments.render else experiments.find_text(arguments)
    experiment = experiments.Training("table2", arguments, HERE / size["base"], all_rows, paths)
    experiment.run_all()
    render(experiment, all_rows, "examples/paper/table2.py")
    return experiment.finish()


if __name__ == "__main__":
    sys.exit(main())
