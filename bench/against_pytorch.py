#!/usr/bin/env python3
"""Times training steps of memformer-run and of PyTorch on the same model, threads and amount of work, interleaved, and prints medians and their ratio.

PyTorch is installed into a virtual environment of its own (.venv-bench) when it is first needed.
"""
import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys
import venv

ROOT = pathlib.Path(__file__).resolve().parent.parent


def peer_python():
    directory = ROOT / ".venv-bench"
    python = directory / "bin" / "python"
    if not python.exists():
        print("installing PyTorch into .venv-bench", file=sys.stderr)
        venv.create(directory, with_pip=True)
    if subprocess.run([python, "-c", "import torch"], capture_output=True).returncode:
        subprocess.run([python, "-m", "pip", "install", "-q", "torch", "numpy"], check=True)
    return python


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("config", nargs="?", default=str(ROOT / "bench" / "mnist.toml"))
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--segments", type=int, default=8)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--work", choices=["mrbp", "bptt", "infer", "generate"], default="mrbp")
    parser.add_argument("--rounds", type=int, default=7, help="each round times both, one after the other")
    parser.add_argument("--build", default=str(ROOT / "build"), help="build folder of this project")
    parser.add_argument("--python", help="a Python with PyTorch, instead of the virtual environment")
    arguments = parser.parse_args()

    # Some machines set these for the benefit of old libraries; a current one is slowed by them.
    environment = {k: v for k, v in os.environ.items() if k not in ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE")}
    shape = ["--batch", str(arguments.batch), "--segments", str(arguments.segments), "--threads", str(arguments.threads)]
    peer = subprocess.Popen([arguments.python or peer_python(), ROOT / "bench" / "pytorch_memformer.py", arguments.config, "--work", arguments.work, *shape],
                            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment)

    def pytorch_step():
        peer.stdin.write("\n")
        peer.stdin.flush()
        return float(peer.stdout.readline())

    mode = ["--mode", arguments.work] if arguments.work in ("infer", "generate") else ["--mode", "train", "--schedule", arguments.work]

    def memformer_step():
        command = [pathlib.Path(arguments.build) / "bin" / "memformer-run", "bench", arguments.config, *mode, *shape, "--json"]
        return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)["step_seconds"]["median"]

    memformer_step()  # compiles
    pytorch_step(), pytorch_step()  # warm-up
    ours, theirs = [], []
    for _ in range(arguments.rounds):
        theirs.append(pytorch_step())
        ours.append(memformer_step())
        theirs.append(pytorch_step())
    peer.stdin.close()
    peer.wait()
    ratios = [(theirs[2 * i] + theirs[2 * i + 1]) / 2 / ours[i] for i in range(arguments.rounds)]
    print(f"{arguments.work}, batch {arguments.batch}, {arguments.segments} segments, {arguments.threads} thread(s), {arguments.rounds} rounds")
    print(f"  PyTorch eager   median {statistics.median(theirs):.4f} s   min {min(theirs):.4f} s")
    print(f"  memformer-run   median {statistics.median(ours):.4f} s   min {min(ours):.4f} s")
    print(f"  PyTorch / memformer-run, round by round: median {statistics.median(ratios):.2f}, min {min(ratios):.2f}, max {max(ratios):.2f}")


if __name__ == "__main__":
    main()
