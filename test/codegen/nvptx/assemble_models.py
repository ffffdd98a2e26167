"""assemble_models.py ARCHITECTURES SCHEDULES: assembles every kernel of the benchmarks' models in each precision, those that schedules have in common once, and fails where one does not assemble or spills."""
import concurrent.futures
import os
import pathlib
import re
import subprocess
import sys
import tempfile

BENCH = pathlib.Path(__file__).resolve().parents[3] / "bench"


def precisions_of(architecture):
    """f16 is the same code as bf16 but for the oldest, whose tensor cores have f16 alone."""
    return ("f32", "tf32", "bf16") + (("f16",) if architecture in ("sm_75", "sm_80") else ())


def kernels_of(model, architecture, schedule, precision):
    """The model's kernels as pairs of name and PTX module."""
    command = ["memformer-compile", BENCH / f"{model}.toml", "--for=everything", f"--schedule={schedule}", f"--target={architecture}", "--emit=ptx", "-o", "-", "--set", f"model.precision={precision}"]
    text = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    modules = re.split(r"(?m)^(?=\.version )", text)[1:]
    for module in modules:
        yield re.search(r"\.visible \.entry (\w+)\(", module)[1], module


def unique_kernels(architectures, schedules):
    seen = {}
    for architecture in architectures:
        for model in ("mnist", "wikitext"):
            for schedule in schedules:
                for precision in precisions_of(architecture):
                    for name, module in kernels_of(model, architecture, schedule, precision):
                        what = f"{name} of {model}, {architecture}, {schedule}, {precision}"
                        seen.setdefault((architecture, module.replace(name, "kernel")), what)
    return [(what, architecture, module) for (architecture, module), what in seen.items()]


def assemble(what, architecture, module, folder, number):
    """Why the kernel is not as it should be, or None."""
    path = pathlib.Path(folder) / f"{number}.ptx"
    path.write_text(module)
    done = subprocess.run([os.environ["MEMFORMER_PTXAS"], "-v", "-arch", architecture, "-o", os.devnull, path], capture_output=True, text=True)
    said = done.stdout + done.stderr
    spilled = re.search(r"(\d+) bytes spill stores", said)
    if done.returncode or not spilled:
        return f"{what} does not assemble: {said}"
    return f"{what} spills {spilled[1]} bytes" if int(spilled[1]) else None


def main(architectures, schedules):
    kernels = unique_kernels(architectures.split(","), schedules.split(","))
    with tempfile.TemporaryDirectory() as folder, concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        faults = list(filter(None, pool.map(lambda number: assemble(*kernels[number], folder, number), range(len(kernels)))))
    print("\n".join(faults) if faults else f"{len(kernels)} kernels assembled, no spills")
    sys.exit(bool(faults) or not kernels)


main(*sys.argv[1:])
