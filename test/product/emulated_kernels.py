#!/usr/bin/env python3
"""Lists the forms of all kernels that the tests' models have on a GPU, with the tests that launched each on the emulator.

usage: emulated_kernels.py memformer-compile SOURCE LAUNCHES

LAUNCHES is a folder of what the emulator wrote, a file for each test. Fails where a form of a kernel, or an emitter of codegen/nvptx/Emitters.h, is in no test.
"""

import collections
import os
import re
import subprocess
import sys

HEAD = "// kernel: "


def forms_of(compiler, model, target, precision, schedule):
    words = [compiler, model, "--for=everything", "--emit=mlir", f"--target={target}", "--batch=3", f"--schedule={schedule}", f"--set=model.precision={precision}"]
    run = subprocess.run(words, capture_output=True, text=True)
    if run.returncode:
        sys.exit(f"error: {' '.join(words)}: {run.stderr}")
    return {line[len(HEAD):] for line in run.stdout.splitlines() if line.startswith(HEAD)}


def main():
    compiler, source, launches = sys.argv[1:]
    cases = os.path.join(source, "test", "cases")
    models = sorted(os.path.join(cases, name, "model.toml") for name in os.listdir(cases) if os.path.exists(os.path.join(cases, name, "model.toml")))
    models.append(os.path.join(source, "test", "product", "recall.toml"))
    needed = collections.defaultdict(set)
    for model in models:
        # On sm_80 and sm_90a f16 is the code of bf16.
        for target, precision in (("sm_80", "f32"), ("sm_80", "bf16"), ("sm_75", "f16"), ("sm_90a", "bf16")):
            for schedule in ("mrbp", "checkpoint", "bptt"):
                for form in forms_of(compiler, model, target, precision, schedule):
                    needed[form].add(os.path.basename(os.path.dirname(model)))
    launched = collections.defaultdict(set)
    for test in sorted(os.listdir(launches)):
        with open(os.path.join(launches, test)) as file:
            for line in file:
                if line.startswith(HEAD):
                    launched[line.rstrip("\n")[len(HEAD):]].add(test)
    missing = 0
    for form in sorted(set(needed) | set(launched)):
        tests = sorted(launched[form])
        missing += not tests
        print(f"{form}: {len(tests)} tests: {', '.join(tests[:3])}{', ...' if len(tests) > 3 else ''}" if tests else f"{form}: NO TEST (of {', '.join(sorted(needed[form]))})")
    # Every emitter: of Emitters.h, in the ops' names.
    with open(os.path.join(source, "codegen", "nvptx", "Emitters.h")) as file:
        emitters = re.findall(r"^MEMFORMER_EMITTER\((\w+)\)", file.read(), re.M)
    names = {re.match(r"\w+", form).group(0).replace("_", "") for form in launched}
    for emitter in emitters:
        if emitter.lower() not in names:
            print(f"emitter of {emitter}: NO TEST")
            missing += 1
    print(f"{len(needed)} forms of kernels, {len(emitters)} emitters, {missing} without a test on the emulator")
    return 1 if missing or not emitters or not needed else 0


if __name__ == "__main__":
    sys.exit(main())
