#!/usr/bin/env python3
"""Figure 8 of the paper: perplexity of a small Memformer over the horizon of back-propagation, 1 to 32 segments, and over the size of its memory, 1 to 128 slots.

Only the horizon changes, as in the paper: batch and steps are the same, so that a longer rollout also is more text a step."""
import sys

import drawing
import experiments
import tables
from experiments import HERE, Row

HORIZONS = (1, 2, 4, 8, 16, 32)
SLOTS = (1, 2, 4, 8, 16, 32, 64, 128)
DEFAULT_HORIZON, DEFAULT_SLOTS = 8, 8


def row(horizon, slots):
    return Row(f"horizon {horizon}, {slots} slots", {"train.horizon": horizon, "memory.slots": slots})


def rows():
    yield from (row(horizon, DEFAULT_SLOTS) for horizon in HORIZONS)
    yield from (row(DEFAULT_HORIZON, slots) for slots in SLOTS if slots != DEFAULT_SLOTS)


def part(experiment, title, label, values, row_of, paper):
    """A panel and a table over one setting, and whether it falls as in the paper."""
    records = {value: experiment.records(row_of(value)) for value in values}
    panel = drawing.lines([("held-out, median of seeds", [(value, r["perplexity"]) for value in values for r in records[value]])], title, label, "perplexity of a byte", 2, x_ticks=values)
    lines = [[value, ", ".join(f"{r['perplexity']:.4f}" for r in records[value]) or "–", tables.shown(tables.median(records[value]))] for value in values]
    some = [(value, tables.median(records[value])) for value in values if records[value]]
    out = [f"## {title}", "", tables.table((label, "perplexity by seed", "median"), lines), "", f"The paper: {paper}"]
    if len(some) > 1:
        falls = sum(a[1] > b[1] for a, b in zip(some, some[1:]))
        least = min(some, key=lambda point: point[1])
        worst = max(some, key=lambda point: point[1])
        out.append(f"Here: {falls} of {len(some) - 1} steps to the right lower the perplexity; it is highest at {worst[0]} ({worst[1]:.4f}) and lowest at {least[0]} ({least[1]:.4f}).")
    return panel, [*out, ""]


def render(experiment, command):
    records = {r.name: experiment.records(r) for r in experiment.rows}
    left, first = part(experiment, "Time horizon", "segments of back-propagation", HORIZONS, lambda h: row(h, DEFAULT_SLOTS),
                       "perplexity falls with the horizon, worst at 1, and hardly any further at 32. Batch and steps are the same in all rows, so that a longer horizon also sees more text.")
    right, second = part(experiment, "Memory size", "slots", SLOTS, lambda s: row(DEFAULT_HORIZON, s), "a large gain from 1 to 8 slots, little beyond.")
    out = ["# Figure 8: time horizon and memory size", "", tables.origin(records, command), "", *first, *second]
    experiment.folder.mkdir(parents=True, exist_ok=True)
    if drawing.svg(experiment.folder / "figure8.svg", [left, right]):
        out += ["![perplexity over horizon and slots](figure8.svg)", ""]
    (experiment.folder / "figure8.md").write_text("\n".join(out))
    print("\n".join(out))


def main():
    arguments = experiments.training_options(__doc__, experiments.TEXT_HELP).parse_args()
    paths = {} if arguments.render else experiments.find_text(arguments)
    # The same streams for all rows, whatever they were trained with.
    evaluate = {"train.batch": 16, "train.horizon": 8, "train.evaluate_rollouts": 0}
    experiment = experiments.Training("figure8", arguments, HERE / "figure8.toml", list(rows()), paths, evaluate)
    experiment.run_all()
    render(experiment, "examples/paper/figure8.py")
    return experiment.finish()


if __name__ == "__main__":
    sys.exit(main())
