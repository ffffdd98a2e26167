"""check_budgets.py [--write]: compares the GPU reports of the benchmarks' models with bench/gpu_budgets.json, and fails where one is worse; with --write it makes the file anew.

What depends on registers is compared where ptxas is installed (and written with it alone)."""
import json
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[3]
BUDGETS = ROOT / "bench" / "gpu_budgets.json"
ROWS = [("mnist", 256, "bf16", "sm_90a"), ("mnist", 256, "tf32", "sm_80"), ("mnist", 256, "f32", "sm_80"), ("wikitext", 8, "bf16", "sm_90a")]
# Of rounding alone.
SLACK = 1.002


def report_of(model, batch, precision, architecture):
    command = ["memformer-compile", ROOT / "bench" / f"{model}.toml", "--batch", batch, "--set", f"model.precision={precision}", f"--target={architecture}", "--emit=gpu-report", "--json", "-o", "-"]
    return json.loads(subprocess.run([str(word) for word in command], check=True, capture_output=True, text=True).stdout)


def figures_of(report):
    """Figures that are the better the smaller they are: of a step, of its functions, and of each kind of kernel."""
    step = report["step"]
    figures = {"launches": step["launches"], "share_not_on_tensor_cores": 1 - step["tensor_core_flops"] / step["flops"], "moved_over_compulsory": step["moved_bytes"] / step["bytes"],
               "roofline_seconds": step["roofline_seconds"]}
    for function in report["functions"]:
        if function["per_segment"] and function["function"].startswith("train"):
            figures[f"launches of {function['function']}"] = function["launches"]
    if report["assembled"]:
        for kernel in report["kernels"]:
            kind = kernel["kind"].split(".")[-1]
            for name, value in (("registers", kernel["registers"]), ("unoccupied", 1 - kernel["occupancy"])):
                figures[f"{name} of {kind}"] = max(figures.get(f"{name} of {kind}", 0), value)
    return {name: round(value, 7) if isinstance(value, float) else value for name, value in figures.items()}


def main(write):
    found = {}
    assembled = True
    for row in ROWS:
        report = report_of(*row)
        assembled &= report["assembled"]
        found[" ".join(map(str, row))] = figures_of(report)
    if write:
        if not assembled:
            sys.exit("expected ptxas: budgets have registers too")
        BUDGETS.write_text(json.dumps(found, indent=1) + "\n")
        return
    budgets = json.loads(BUDGETS.read_text())
    faults = [] if set(budgets) == set(found) else ["the budgets are of other rows: write them anew"]
    compared = 0
    for row, figures in found.items():
        for name, value in figures.items():
            budget = budgets.get(row, {}).get(name)
            compared += 1
            if budget is None:
                faults.append(f"{row}: {name} has no budget")
            elif value > budget * SLACK + 1e-6:
                faults.append(f"{row}: expected {name} of at most {budget}, but got {value}")
    print("\n".join(faults) if faults else f"{compared} figures within budget" + ("" if assembled else ", those of registers left out: no ptxas"))
    if faults:
        print(f"where this is meant, {pathlib.Path(__file__).name} --write makes the budgets anew")
    sys.exit(bool(faults))


main("--write" in sys.argv[1:])
