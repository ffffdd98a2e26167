#!/usr/bin/env python3
"""Times memformer against other frameworks and libraries, interleaved on the same work, and writes a table.

ROW is a name, or a pattern of names such as 'mnist-mrbp-*' or 'gemm-weight/*'; none is all rows of steps. Rows of single kernels (`--list` shows them) need a build with
-DMEMFORMER_BUILD_BENCHMARKS=ON. The peers' packages are installed into .venv-bench as they are needed; a peer that cannot be had is left out, and the table says why.
"""
import argparse
import dataclasses
import fnmatch
import json
import pathlib
import statistics
import subprocess
import sys
import time

import contestants
from contestants import ROOT, Memformer, Python, Server, Unavailable, log


@dataclasses.dataclass
class Step:
    """A row of whole steps. `wanted`: the ratio to the best peer that is aimed at."""
    name: str
    model: str
    work: str
    batch: int
    segments: int
    threads: int
    wanted: float = None
    device: str = "cpu"  # or "cuda"
    precision: str = "f32"
    settings: tuple = ()  # changes of the configuration, each SECTION.KEY=VALUE

    def changes(self):
        return [word for setting in self.settings for word in ("--set", setting)]

    def shape(self):
        return ["--batch", self.batch, "--segments", self.segments, "--threads", self.threads]

    def place(self):
        """For the peers; nothing for rows of CPUs."""
        return [] if self.device == "cpu" else ["--device", self.device, "--precision", self.precision]


# Of models whose size matters to which kernels take the time.
WIDE_XL = tuple(f"model.{key}" for key in ("d_model=256", "d_ff=1024", "layers=4", "segment=128")) + ("memory.length=128",)
SIZES = [("lstm", f"d{width}", batch, (f"model.d_model={width}",)) for width, batch in ((128, 32), (256, 8), (256, 16), (512, 8), (512, 16))]
SIZES += [("transformer-xl", f"m{length}", batch, (f"memory.length={length}",)) for length, batch in ((56, 8), (56, 16), (224, 8), (784, 8))]
SIZES += [("transformer-xl", "d256", 8, WIDE_XL)]


def step_rows():
    wanted = {"mnist-mrbp-b8-t1": 1.4, "mnist-mrbp-b8-t2": 1.9, "mnist-mrbp-b1-t2": 5, "mnist-bptt-b8-t1": 1.3, "mnist-bptt-b8-t2": 1.7,
              "mnist-infer-b8-t1": 1.4, "mnist-infer-b8-t2": 1.8, "mnist-infer-b1-t2": 5, "wikitext-mrbp-b2-t1": 1.4, "wikitext-mrbp-b2-t2": 1.4,
              "mnist-generate-b1-t1": 10, "mnist-generate-b1-t2": 10}
    shapes = [("mnist", work, batch, 8) for batch in (8, 1) for work in ("mrbp", "bptt", "checkpoint", "infer")]
    shapes += [("mnist", "generate", 1, 2), ("wikitext", "mrbp", 2, 4), ("wikitext", "infer", 2, 4), ("wikitext", "generate", 1, 1)]
    for model, work, batch, segments in shapes:
        for threads in (1, 2):
            name = f"{model}-{work}-b{batch}-t{threads}"
            yield Step(name, model, work, batch, segments, threads, wanted.get(name))
    for model, size, batch, settings in SIZES:
        for threads in (1, 2):
            yield Step(f"{model}-{size}-bptt-b{batch}-t{threads}", model, "bptt", batch, 8, threads, 1.3, settings=settings)
    for model, work, batch in [("mnist", "mrbp", 8), ("mnist", "mrbp", 256), ("mnist", "bptt", 256), ("mnist", "infer", 256), ("wikitext", "mrbp", 8)]:
        for precision in ("f32", "tf32", "bf16"):
            yield Step(f"{model}-{work}-b{batch}-cuda-{precision}", model, work, batch, 8, 1, None, "cuda", precision)


def run_step(row, options, python):
    """The medians of one row, with all its contestants."""
    config = ROOT / "bench" / f"{row.model}.toml"
    ours = Memformer(options.build, config, row)
    result = {"row": row.name, "wanted": row.wanted, "seconds": {}, "left_out": {}, "first_step_seconds": {}, "peak_bytes": {}}
    if row.device != "cpu":
        try:
            ours.run(1, 0)
        except Unavailable as reason:
            return result | {"left_out": {"the row": str(reason)}}
    running = {}
    for name in options.peers:
        try:
            peer = contestants.PEERS[name](python, config, row)
            log(f"{row.name}: {name} warms up")
            result["first_step_seconds"][name] = peer.step()
            peer.step(), peer.step()
            running[name] = peer
        except Unavailable as reason:
            result["left_out"][name] = str(reason)
    ours.run(1, 0)  # compiles
    times = {name: [] for name in ["memformer", *running]}
    for turn in range(options.rounds):
        # Each round in another order, so that none always follows the same neighbour.
        order = list(times)
        for name in order[turn % len(order):] + order[:turn % len(order)]:
            times[name].append((ours if name == "memformer" else running[name]).step())
    for name, peer in running.items():
        peer.close()
        result["peak_bytes"][name] = peer.peak
    result["peak_bytes"]["memformer"] = ours.peak
    result["flops"] = ours.flops
    return finish(result, times)


def finish(result, times):
    """Medians, and the ratio to the best peer, round by round."""
    result["seconds"] = {name: statistics.median(values) for name, values in times.items()}
    result["times"] = times
    peers = [name for name in times if name != "memformer"]
    if peers:
        result["best"] = min(peers, key=lambda name: result["seconds"][name])
        result["ratio"] = statistics.median(theirs / ours for theirs, ours in zip(times[result["best"]], times["memformer"]))
    return result


def own_rows(results):
    """Ours against ours: two threads over one, schedules over bptt, peak memory."""
    seconds = {r["row"]: r["seconds"].get("memformer") for r in results if "seconds" in r}
    for name in list(seconds):
        one, bptt = name.replace("-t2", "-t1"), name.replace("-mrbp-", "-bptt-").replace("-checkpoint-", "-bptt-")
        if one != name and one in seconds:
            yield {"row": f"{name} over one thread", "ratio": seconds[one] / seconds[name], "wanted": 1.85}
        if bptt != name and bptt in seconds:
            yield {"row": f"{name} over bptt", "ratio": seconds[bptt] / seconds[name], "wanted": 0.92 if "mrbp" in name else None}


def run_compile(options):
    """Seconds until a model's code is there, compiled and cached."""
    for row in (Step("mnist-compile", "mnist", "mrbp", 8, 1, 2, 8), Step("wikitext-compile", "wikitext", "mrbp", 2, 1, 2, 15)):
        if selected(row.name, options):
            cold, cached = Memformer(options.build, ROOT / "bench" / f"{row.model}.toml", row).compile_seconds()
            yield {"row": row.name, "cold": cold, "cached": cached, "wanted": row.wanted}


class Kernels:
    """memformer-bench-kernels, where it was built."""

    def __init__(self, options, python):
        program = pathlib.Path(options.build) / "bin" / "memformer-bench-kernels"
        if not program.exists():
            raise Unavailable(f"expected {program}; configure with -DMEMFORMER_BUILD_BENCHMARKS=ON")
        mkl = python.mkl() if "mkl" not in options.without else None
        self.server = Server([program, *(["--cpu", options.cpu] if options.cpu else []), *(["--mkl", mkl] if mkl else [])], "memformer-bench-kernels")

    def ask(self, line):
        answer = json.loads(self.server.ask(line))
        if isinstance(answer, dict) and "error" in answer:
            raise Unavailable(answer["error"])
        return answer


def run_kernel(case, kernels, torch, options):
    times, result = {}, {"row": case["name"], "wanted": case["wanted"], "flops": case["flops"], "bytes": case["bytes"], "left_out": {}}
    for _ in range(options.rounds):
        answer = kernels.ask(f"time {case['name']} {options.milliseconds}")
        if case["torch"] and torch:
            answer["PyTorch"] = float(torch.ask(f"{options.milliseconds} {case['torch']}"))
        for name, seconds in answer.items():
            times.setdefault(name, []).append(seconds)
    return finish(result, times)


def selected(name, options):
    return not options.rows or any(fnmatch.fnmatch(name, pattern) for pattern in options.rows)


def render(results, machine):
    peak, copies = machine.get("fma_peak"), machine.get("copy_bandwidth")
    lines = [f"{time.strftime('%Y-%m-%d')}, {machine.get('cpu', 'CPU unknown')}, FMA peak of one core " + (f"{peak / 1e9:.0f} GFLOP/s, copies {copies / 1e9:.1f} GB/s" if peak else "not measured"), ""]
    lines += ["| row | memformer | best peer | ratio | wanted | GFLOP/s | of peak | GB/s | others |", "|---|---|---|---|---|---|---|---|---|"]
    number = lambda value, form: format(value, form) if value else "–"
    for r in results:
        ours = r.get("seconds", {}).get("memformer")
        threads = 2 if r["row"].endswith("-t2") else 1
        rate = r["flops"] / ours if ours and r.get("flops") else None
        share = f"{100 * rate / threads / peak:.0f} %" if rate and peak else "–"
        traffic = f"{r['bytes'] / ours / 1e9:.1f}" if ours and r.get("bytes") else "–"
        best = r.get("best")
        others = [f"{name} {seconds(value)}" for name, value in r.get("seconds", {}).items() if name not in ("memformer", best)]
        others += [f"{name} left out: {why}" for name, why in r.get("left_out", {}).items()]
        if r.get("peak_bytes"):
            others.append("peak RSS " + ", ".join(f"{name} {value / 1e6:.0f} MB" for name, value in r["peak_bytes"].items() if value))
        if "cold" in r:
            others.append(f"compiled in {r['cold']:.2f} s, cached in {r['cached']:.3f} s")
        lines.append(f"| {r['row']} | {seconds(ours) if ours else '–'} | {best + ' ' + seconds(r['seconds'][best]) if best else '–'} | {number(r.get('ratio'), '.2f')} | {r.get('wanted') or '–'} | "
                     f"{number(rate and rate / 1e9, '.1f')} | {share} | {traffic} | {'; '.join(others)} |")
    return "\n".join(lines) + "\n"


def seconds(value):
    return f"{value:.3f} s" if value >= 0.1 else f"{value * 1e3:.2f} ms" if value >= 1e-3 else f"{value * 1e6:.1f} µs"


def options_of():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("rows", nargs="*", metavar="ROW")
    parser.add_argument("--kernels", action="store_true", help="every row of single kernels")
    parser.add_argument("--list", action="store_true", help="print the names of all rows")
    parser.add_argument("--rounds", type=int, default=7, help="each times every contestant once [7]")
    parser.add_argument("--milliseconds", type=float, default=20, help="that a kernel is timed for in a round [20]")
    parser.add_argument("--peers", default="pytorch,compile,jax,iree", help="of whole steps [pytorch,compile,jax,iree]")
    parser.add_argument("--without", default="", help="peers of kernels to leave out: mkl, torch")
    parser.add_argument("--cpu", help="the CPU that kernels are compiled for, as of memformer-compile [the one at hand]")
    parser.add_argument("--build", default=str(ROOT / "build"), help="build folder of this project")
    parser.add_argument("--python", help="a Python with the peers' packages, instead of the virtual environment")
    parser.add_argument("--json", metavar="FILE", help="writes all figures")
    parser.add_argument("--output", metavar="FILE", help="writes the table, as well as printing it")
    options = parser.parse_args()
    options.peers = [name for name in options.peers.split(",") if name]
    unknown = [name for name in options.peers if name not in contestants.PEERS]
    if unknown:
        parser.error(f"expected peers of {', '.join(contestants.PEERS)}, but got {', '.join(unknown)}")
    return options


def main():
    options = options_of()
    python = Python(options.python)
    kernels, machine, cases = None, {}, []
    try:
        kernels = Kernels(options, python)
        cases = kernels.ask("list")
    except Unavailable as reason:
        if options.kernels or any("/" in row for row in options.rows):
            sys.exit(f"bench/run.py: {reason}")
        log(f"without shares of the peak: {reason}")
    if options.list:
        print("\n".join([row.name for row in step_rows()] + ["mnist-compile", "wikitext-compile"] + [case["name"] for case in cases]))
        return
    if kernels:
        machine = kernels.ask("machine")
    steps = [row for row in step_rows() if selected(row.name, options)] if options.rows or not options.kernels else []
    chosen = cases if options.kernels else [case for case in cases if options.rows and selected(case["name"], options)]
    results = [run_step(row, options, python) for row in steps]
    results += own_rows(results)
    results += run_compile(options) if options.rows or not options.kernels else []
    torch = None
    if any(case["torch"] for case in chosen) and "torch" not in options.without:
        try:
            torch = Server([python.needs("torch"), ROOT / "bench" / "pytorch_kernels.py"], "pytorch_kernels.py")
        except Unavailable as reason:
            log(f"without PyTorch: {reason}")
    for case in chosen:
        log(case["name"])
        results.append(run_kernel(case, kernels, torch, options))
    if not results:
        sys.exit(f"bench/run.py: no row matches {' '.join(options.rows)}; see --list")
    table = render(results, machine)
    print(table)
    if options.output:
        pathlib.Path(options.output).write_text(table)
    if options.json:
        pathlib.Path(options.json).write_text(json.dumps({"machine": machine, "rows": results}, indent=2))


if __name__ == "__main__":
    main()
