"""Checks that the sums of a GPU report are those of its parts."""
import json
import math
import sys

report = json.load(open(sys.argv[1]))
functions = {function["function"]: function for function in report["functions"]}
step, segments = report["step"], report["step"]["segments"]
assert segments == 8
for key in ("launches", "flops", "tensor_core_flops", "bytes", "moved_bytes", "roofline_seconds", "launch_seconds"):
    parts = {name: function[key] for name, function in functions.items()}
    total = (segments - 1) * parts["train (forward)"] + segments * parts["train (replay)"] + parts["prepare"] + parts["update"]
    assert math.isclose(step[key], total, rel_tol=1e-9), (key, step[key], total)
for function in functions.values():
    assert sum(times for _, times in function["sequence"]) == function["launches"], function
for kernel in report["kernels"]:
    assert kernel["threads"] % 32 == 0 and kernel["grid"] > 0, kernel
    assert 0 < kernel["occupancy"] <= 1, kernel
    assert kernel["global_accesses"] > 0, kernel
    assert kernel["moved_bytes"] >= kernel["bytes"], kernel
    assert kernel["roofline_seconds"] >= kernel["moved_bytes"] / 1555e9 * 0.999, kernel
    if "sass" in kernel:
        assert kernel["sass"]["LDL"] == 0 and kernel["sass"]["STG"] > 0, kernel
        assert (kernel["sass"]["HMMA"] > 0) == (kernel["matrix_products"] > 0), kernel
    if report["assembled"]:
        assert kernel["registers"] > 0 and kernel["spilled_bytes"] == 0, kernel
