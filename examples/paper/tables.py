"""What all tables say alike: cells, the order of the paper's results against ours, and where the results come from."""
import statistics


def table(heads, rows):
    """A Markdown table; rows of one entry are headings inside of it."""
    out = ["| " + " | ".join(heads) + " |", "|" + "---|" * len(heads)]
    for row in rows:
        out.append("| " + " | ".join(str(cell) for cell in (list(row) + [""] * len(heads))[: len(heads)]) + " |")
    return "\n".join(out)


def median(records, key="perplexity"):
    return statistics.median(r[key] for r in records) if records else None


def shown(value, form="{:.4f}"):
    return "–" if value is None else form.format(value)


def big(value):
    """A count with a unit: 1.25 M."""
    for unit, factor in (("G", 1e9), ("M", 1e6), ("k", 1e3)):
        if value >= factor:
            return f"{value / factor:.3g} {unit}"
    return f"{value:g}"


def size(value):
    for unit, factor in (("GiB", 2**30), ("MiB", 2**20), ("KiB", 2**10)):
        if value >= factor:
            return f"{value / factor:.1f} {unit}"
    return f"{value:g} B"


def verdict(better, worse):
    """Whether what the paper has ahead is ahead here too, by medians and seed by seed. Both are lists of records."""
    if not better or not worse:
        return "not measured"
    theirs = {r["seed"]: r["perplexity"] for r in worse}
    pairs = [(r["perplexity"], theirs[r["seed"]]) for r in better if r["seed"] in theirs]
    wins = sum(ours < other for ours, other in pairs)
    distance = 100 * (median(worse) / median(better) - 1)
    word = "not reproduced" if distance <= 0 else "reproduced" if wins == len(pairs) else "reproduced in the median only"
    return f"**{word}**: {distance:+.2f} %, {wins} of {len(pairs)} seeds"


def order(claims, records):
    """A table of claims (text, better, worse), by names of rows, and how many hold."""
    rows = []
    for claim, better, worse in claims:
        rows.append((claim, f"{better} before {worse}", verdict(records.get(better), records.get(worse))))
    measured = [row for row in rows if row[2] != "not measured"]
    held = sum(row[2].startswith("**reproduced**") for row in measured)
    median_only = sum("median only" in row[2] for row in measured)
    missing = len(rows) - len(measured)
    told = f"Of {len(measured)} comparisons, {held} came out as in the paper, {median_only} in the median but not with every seed, {len(measured) - held - median_only} did not."
    if missing:
        told += f" {missing} could not be made."
    return told + "\n\n" + table(("the paper says", "rows", "here: distance of the medians, seeds that agree"), rows)


def pairs(rows, records, key="perplexity"):
    """How many of all pairs of rows that the paper orders are in the same order here."""
    known = [(row.paper[key], median(records[row.name])) for row in rows if key in row.paper and records.get(row.name)]
    ordered = [(a, b) for i, a in enumerate(known) for b in known[i + 1 :] if a[0] != b[0]]
    same = sum((a[0] < b[0]) == (a[1] < b[1]) for a, b in ordered)
    return same, len(ordered)


def origin(records, command):
    """Where results come from, as a paragraph."""
    some = [r for each in records.values() for r in each]
    if not some:
        return "No results yet."
    dates = sorted({r["date"] for r in some})
    cpus = sorted({r["cpu"] for r in some})
    threads = sorted({r["threads"] for r in some})
    parts = [f"Measured {' to '.join(sorted({dates[0], dates[-1]}))} on {', '.join(cpus)}, {' or '.join(map(str, threads))} thread{'s' if threads[-1] > 1 else ''} a row"]
    seeds = sorted({r["seed"] for r in some if "seed" in r})
    if seeds:
        parts.append(f"seeds {', '.join(map(str, seeds))}")
        command += f" --seeds {len(seeds)}" if seeds == list(range(len(seeds))) else f" --seeds {','.join(map(str, seeds))},"
    data = {digest: "held out" if "validation" in path else "data" for r in some for path, digest in r.get("data", {}).items()}
    if data:
        parts.append(f"SHA-256 of the files begins with {', '.join(f'{digest} ({what})' for digest, what in data.items())}")
    return "; ".join(parts) + f". Command: `{command}`. All settings of each row are in results.jsonl."
