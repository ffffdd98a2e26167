#!/usr/bin/env bash
# Installs what is missing, builds, and trains a Memformer on the recall task, beside the same model without its memory.
set -euo pipefail
cd "$(dirname "$0")"

./install-dependencies.sh
cmake --preset release
cmake --build --preset release --target memformer-compile memformer-run

train() { ./build/bin/memformer-run train examples/recall.toml --overwrite --json "$@"; }
mkdir -p runs
echo "== with memory"
train --out runs/recall > runs/recall.json
echo "== the same model without memory (slots = 0)"
train --out runs/recall-without-memory --set memory.slots=0 > runs/recall-without-memory.json

python3 - <<'REPORT'
import json

names = ("with memory", "without memory")
results = [json.load(open(f"runs/{name}.json")) for name in ("recall", "recall-without-memory")]
scores = [result["evaluation"] for result in results]
cell = lambda score: f"{100 * score['accuracy']:6.2f} % +- {100 * score['standard_error']:.2f}"
print("\nHeld-out accuracy of the recalled value, by the number of noise segments between the fact and the question")
print("(trained on gaps up to 8; +- is one standard error)\n")
print(f"{'gap':>10}  " + "  ".join(f"{name:>20}" for name in names))
for rows in zip(*(score["gaps"] for score in scores)):
    print(f"{rows[0]['gap']:>10}  " + "  ".join(f"{cell(row):>20}" for row in rows))
print(f"{'chance':>10}  {100 * scores[0]['chance']:6.2f} %")
print("training   " + "  ".join(f"{result['step']:>6} steps, {result['seconds']:.0f} s" for result in results))
print("\nThe question and its answer are in different segments from the fact, so without memory the model can only guess.")
REPORT
