#!/usr/bin/env python3
"""Table 3 of the paper: back-propagation through time, gradient checkpointing and memory replay, what memory they take and how fast they are.

The model is the paper's for images. With `--peer-python PYTHON`, a Python that has torch, the same training in PyTorch is timed between ours, round by round.
"""
import pathlib
import statistics
import sys

import drawing
import experiments
import tables
from experiments import HERE, ROOT, Failed

SCHEDULES = {"bptt": ("BPTT", 16177, 1.00), "checkpoint": ("gradient checkpointing", 9885, 0.48), "mrbp": ("MRBP", 7229, 0.90)}


class Peer:
    """PyTorch's step of one schedule, in a process that waits between steps."""

    def __init__(self, experiment, base, schedule):
        sys.path.insert(0, str(ROOT / "bench"))
        import contestants

        arguments = experiment.arguments
        self.unavailable = contestants.Unavailable
        words = [arguments.peer_python, ROOT / "bench" / "pytorch_memformer.py", base, "--work", schedule, "--batch", arguments.batch,
                 "--segments", arguments.segments, "--threads", arguments.threads]
        self.server = contestants.Server(words, "PyTorch")

    def step(self):
        try:
            return self.server.step()
        except self.unavailable as problem:
            raise Failed(str(problem)) from problem

    def close(self):
        self.server.close()
        return self.server.peak


def key(experiment):
    arguments = experiment.arguments
    names = ("batch", "segments", "threads", "rounds")
    shape = {name: getattr(arguments, name) for name in names}
    return {"hash": experiments.key_of([shape, experiment.settings(experiments.Row("", {}))]), "peer": bool(arguments.peer_python)}


def measure(experiment):
    """Seconds of steps under each schedule, of us and of the peer, all in turns, so that a machine that changes its speed does so for all; and the memory of each."""
    if all(experiment.results.find(key(experiment) | {"row": schedule}) for schedule in SCHEDULES):
        return "done before"
    arguments = experiment.arguments
    sets = experiments.as_sets(experiments.override({}, arguments.set))
    shape = ["--batch", arguments.batch, "--segments", arguments.segments, "--threads", arguments.threads, "--repeat", 2, "--seconds", 0.5]
    peers = {schedule: Peer(experiment, experiment.base, schedule) for schedule in SCHEDULES if arguments.peer_python}
    for peer in peers.values():
        peer.step(), peer.step()
    values = {schedule: {"seconds": [], "peer_seconds": []} for schedule in SCHEDULES}
    for _ in range(arguments.rounds):
        for schedule, found in values.items():
            result, peak = experiment.measure("bench", experiment.base, *sets, "--mode", "train", "--schedule", schedule, *shape)
            found["seconds"].append(result["step_seconds"]["median"])
            found |= {"memory": result["memory"], "flops": result["flops"]["step"], "peak_bytes": peak}
            if schedule in peers:
                found["peer_seconds"].append(peers[schedule].step())
    for schedule, found in values.items():
        if schedule in peers:
            found["peer_peak_bytes"] = peers[schedule].close()
        else:
            del found["peer_seconds"]
        experiment.record(key(experiment) | {"row": schedule}, found | {"batch": arguments.batch, "segments": arguments.segments})
    return ", ".join(f"{schedule} {statistics.median(found['seconds']):.4f} s a step" for schedule, found in values.items())


def render(experiment, command):
    newest = {}
    for r in experiment.results.records:
        if experiment.arguments.render or all(r.get(k) == v for k, v in key(experiment).items()):
            newest[r["row"]] = r
    first = newest.get("bptt")
    seconds = lambda r, name="seconds": statistics.median(r[name])
    # Round by round, as they were taken.
    faster = lambda r, name="seconds": statistics.median(a / b for a, b in zip(first[name], r[name]))
    lines = []
    for schedule, (name, paper_memory, paper_speed) in SCHEDULES.items():
        r = newest.get(schedule)
        if not r:
            lines.append([name, *"–––––––", f"{paper_memory:,} MB", f"× {paper_speed:.2f}"])
            continue
        activations = r["memory"]["replay"] + r["memory"]["saved"] + r["memory"]["workspace"]
        peer = "peer_seconds" in r
        lines.append([name, tables.size(r["memory"]["total"]), tables.size(activations), tables.size(r["peak_bytes"]), f"{seconds(r):.4f} s",
                      f"× {faster(r):.2f}" if first else "–",
                      f"{seconds(r, 'peer_seconds'):.4f} s, {tables.size(r['peer_peak_bytes'])}" if peer else "–",
                      f"× {faster(r, 'peer_seconds'):.2f}" if peer and first and "peer_seconds" in first else "–",
                      f"{paper_memory:,} MB", f"× {paper_speed:.2f}"])
    heads = ("schedule", "planned memory", "of it replay, saved and workspace", "peak resident", "a step", "speed", "PyTorch: a step, peak resident", "its speed", "paper: memory", "paper: speed")
    some = next(iter(newest.values()), None)
    shape = f"Batch {some['batch']}, {some['segments']} segments of the model in table3.toml, {some['threads']} thread{'s' if some['threads'] > 1 else ''}; medians. " if some else ""
    out = ["# Table 3: schedules of training", "", shape + tables.origin({"": list(newest.values())}, command), "", tables.table(heads, lines), ""]
    if len(newest) == len(SCHEDULES):
        memory = {s: r["memory"]["total"] for s, r in newest.items()}
        speed = {s: faster(r) for s, r in newest.items()}
        compare = lambda a, b: "**reproduced**" if a < b else "**equal here**" if a == b else "**not reproduced**"
        out += ["## The paper's order", "",
                f"* Checkpointing takes less memory than BPTT: {compare(memory['checkpoint'], memory['bptt'])}.",
                f"* MRBP takes less memory than checkpointing: {compare(memory['mrbp'], memory['checkpoint'])}. Both keep nothing but the states of the segments here.",
                f"* MRBP takes {memory['bptt'] / memory['mrbp']:.2f} times less than BPTT; in the paper {16177 / 7229:.2f} times.",
                f"* BPTT is faster than MRBP: {compare(-speed['bptt'], -speed['mrbp'])}. MRBP is faster than checkpointing: {compare(-speed['mrbp'], -speed['checkpoint'])}.", ""]
    experiment.folder.mkdir(parents=True, exist_ok=True)
    panels = [drawing.lines([("memformer-run", [(r["memory"]["total"] / 2**20, seconds(r)) for r in newest.values()])]
                            + ([("PyTorch (peak resident)", [(r["peer_peak_bytes"] / 2**20, seconds(r, "peer_seconds")) for r in newest.values() if "peer_seconds" in r])] if any("peer_seconds" in r for r in newest.values()) else []),
                            "Schedules: memory against time", "MiB", "seconds a step", 10, zero=True)] if newest else []
    if drawing.svg(experiment.folder / "table3.svg", panels):
        out += ["![memory against time](table3.svg)", ""]
    (experiment.folder / "table3.md").write_text("\n".join(out))
    print("\n".join(out))


def main():
    parser = experiments.options(__doc__, jobs=1)
    parser.add_argument("--batch", type=int, default=8, help="[8]")
    parser.add_argument("--segments", type=int, default=8, help="[8]")
    parser.add_argument("--rounds", type=int, default=5, help="turns of each program [5]")
    parser.add_argument("--base", type=pathlib.Path, default=HERE / "table3.toml", help="another model [table3.toml]")
    parser.add_argument("--peer-python", metavar="PYTHON", help="a Python that has torch")
    arguments = parser.parse_args()
    arguments.jobs = 1  # programs that run side by side cannot be timed
    if arguments.peer_python and arguments.set:
        experiments.fail("--set changes nothing of PyTorch's model: expected --base FILE with --peer-python")
    experiment = experiments.Experiment("table3", arguments, arguments.base)
    if not arguments.render:
        experiment.work([("the schedules in turns", lambda: measure(experiment))])
    render(experiment, "examples/paper/table3.py" + (" --peer-python PYTHON" if arguments.peer_python else ""))
    return experiment.finish()


if __name__ == "__main__":
    sys.exit(main())
