# Runs every script of examples/paper on tiny settings: experiments.py SOURCE BIN FOLDER. Checks results, tables, plots and images, and that an interrupted row goes on to the same bits.
import json
import pathlib
import random
import signal
import struct
import subprocess
import sys
import time
import xml.etree.ElementTree
import zlib

SOURCE, BIN, FOLDER = (pathlib.Path(word).resolve() for word in sys.argv[1:4])
KINDS = ("LSTM", "Transformer", "Transformer-XL, memory 1 segment", "Compressive Transformer", "Memformer", "w/o memory", "memory / 2")


def write_data():
    """Images of 28 x 28 pixels and a text, both with something to learn."""
    draw = random.Random(1)
    for name, count in (("train-images-idx3-ubyte", 60), ("t10k-images-idx3-ubyte", 20)):
        pixels = bytes(draw.choice((0, 255)) if (i // 28) % 3 else 90 for i in range(count * 784))
        (FOLDER / name).write_bytes(struct.pack(">IIII", 0x803, count, 28, 28) + pixels)
    (FOLDER / "text").write_text(" ".join(draw.choice(("the cat", "a dog", "sleeps", "runs")) for _ in range(4000)))


def command(script, results, *words):
    return [sys.executable, str(SOURCE / "examples" / "paper" / f"{script}.py"), "--bin", str(BIN), "--results", str(FOLDER / results), *map(str, words)]


def run(script, results, *words, expect=0):
    done = subprocess.run(command(script, results, *words), capture_output=True, text=True, cwd=FOLDER)
    assert done.returncode == expect, f"{script} ended with {done.returncode}, not {expect}:\n{done.stderr}"
    return done


def records(results):
    return [json.loads(line) for line in (FOLDER / results / "results.jsonl").read_text().splitlines()]


def check_table(path, *texts):
    """Every table has rows of as many cells as its head; the texts are there."""
    content = path.read_text()
    for text in texts:
        assert text in content, f"{path}: no '{text}' in\n{content}"
    cells = None
    for line in content.splitlines():
        if not line.startswith("|"):
            cells = None
            continue
        assert cells in (None, line.count("|")), f"{path}: {line}"
        cells = line.count("|")


def check_svg(path, markers):
    """Well-formed, everything inside of the picture, and so many markers at least."""
    root = xml.etree.ElementTree.parse(path).getroot()
    assert root.tag == "{http://www.w3.org/2000/svg}svg", root.tag
    width, height = float(root.get("width")), float(root.get("height"))
    found = 0
    for item in root.iter():
        found += item.tag.rpartition("}")[2] in ("circle", "polygon") or (item.tag.endswith("rect") and item.get("x") is not None)
        for name, value in item.attrib.items():
            if name in ("x", "x1", "x2", "cx", "y", "y1", "y2", "cy"):
                assert -1 <= float(value) <= (width if "x" in name else height) + 1, f"{path}: {item.tag} {item.attrib}"
    assert found >= markers, f"{path}: {found} markers, expected {markers}"


def check_png(path, width, height):
    data = path.read_bytes()
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    at, body, names = 8, b"", []
    while at < len(data):
        length, name = struct.unpack(">I4s", data[at : at + 8])
        content = data[at + 8 : at + 8 + length]
        assert struct.unpack(">I", data[at + 8 + length : at + 12 + length])[0] == zlib.crc32(name + content)
        names.append(name)
        if name == b"IHDR":
            assert struct.unpack(">II", content[:8]) == (width, height), struct.unpack(">II", content[:8])
        body += content if name == b"IDAT" else b""
        at += 12 + length
    assert (names[0], names[-1]) == (b"IHDR", b"IEND")
    assert len(zlib.decompress(body)) == height * (width + 1)


def table1():
    data = ["--data", FOLDER / "train-images-idx3-ubyte", "--set", "model.d_model=8", "--set", "train.batch=4"]
    tiny = [*data, "--set", "train.steps=4", "--set", "train.warmup=1", "--set", "train.evaluate_rollouts=2", "--seeds", "2", "--rows", *KINDS]
    run("table1", "table1", *tiny)
    lines = records("table1")
    seen = {(r["row"], r["seed"]) for r in lines}
    assert len(seen) == len(lines) == 14, seen
    assert all(1 < r["perplexity"] < 100 and r["flops"] > 0 and r["targets"] == 2 * 4 * 196 for r in lines)
    state = {r["row"]: r["state_bytes"] for r in lines}
    assert state["w/o memory"] == state["Transformer"] == 0 and state["Memformer"] == 2 * state["memory / 2"] == 16 * 8 * 4, state
    check_table(FOLDER / "table1" / "table1.md", "seeds 0, 1", "memory is what carries the past", "reproduced", "not measured", "comparisons")
    check_svg(FOLDER / "table1" / "table1.svg", 14)
    check_png(FOLDER / "table1" / "samples.png", 2 + 10 * 58, 2 + 5 * 58)  # the data and four systems

    # Nothing is run again; a line that was cut off is, and no other.
    again = run("table1", "table1", *tiny)
    assert again.stderr.count("done before") == 14, again.stderr
    path = FOLDER / "table1" / "results.jsonl"
    path.write_text(path.read_text()[:-9])
    again = run("table1", "table1", *tiny)
    assert again.stderr.count("done before") == 13, again.stderr
    measured = lambda some: [(r["row"], r["seed"], r["loss"]) for r in some]
    assert measured(records("table1")) == measured(lines)
    before = (FOLDER / "table1" / "table1.md").read_text()
    run("table1", "table1", "--render", "--seeds", "2", "--rows", *KINDS)
    assert (FOLDER / "table1" / "table1.md").read_text() == before

    # A row that fails is told, and the others are there.
    failed = run("table1", "failed", *data, "--set", "train.steps=2", "--set", "train.evaluate_rollouts=1", "--set", "model.heads=3", "--rows", "LSTM", "Transformer", expect=1)
    assert "not run: Transformer, seed 0: " in failed.stderr and "divide" in failed.stderr, failed.stderr
    wrong = run("table1", "failed", "--data", FOLDER / "none", expect=1)
    assert "no images at" in wrong.stderr, wrong.stderr

    # Interrupted, it goes on to the bits of a run that was not.
    long = [*data, "--set", "train.steps=1200", "--set", "train.checkpoint_every=20", "--set", "train.evaluate_rollouts=1", "--rows", "w/o memory", "--jobs", "1"]
    process = subprocess.Popen(command("table1", "resumed", *long), cwd=FOLDER, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 120
    while not list((FOLDER / "resumed").glob("runs/*/checkpoint.safetensors")):
        assert time.monotonic() < deadline and process.poll() is None, "no checkpoint came"
        time.sleep(0.005)
    process.send_signal(signal.SIGTERM)
    time.sleep(0.02)
    process.send_signal(signal.SIGTERM)  # a second one changes nothing
    errors = process.communicate()[1]
    assert process.returncode == 130 and "goes on from here" in errors, (process.returncode, errors)
    assert not (FOLDER / "resumed" / "results.jsonl").exists()
    run("table1", "resumed", *long)
    run("table1", "whole", *long)
    assert [r["loss"] for r in records("resumed")] == [r["loss"] for r in records("whole")]


def text_experiments():
    tiny = ["--data", FOLDER / "text", "--set", "model.d_model=8", "--set", "model.d_ff=8", "--set", "train.steps=3", "--set", "train.warmup=1"]
    run("table2", "table2", *tiny, "--set", "model.heads=2", "--set", "train.evaluate_rollouts=2", "--rows", "Memformer", "w/o memory")
    assert {r["row"] for r in records("table2")} == {"Memformer", "w/o memory"}
    check_table(FOLDER / "table2" / "table2.md", "bits a token", "reproduced")
    check_svg(FOLDER / "table2" / "table2.svg", 2)

    run("figure8", "figure8", *tiny, "--set", "model.heads=2", "--rows", "horizon 1,", "horizon 8, 8 slots", "8, 128 slots")
    lines = records("figure8")
    assert len(lines) == 3 and len({r["targets"] for r in lines}) == 1, lines  # the same held-out text, whatever the horizon
    found = {r["row"]: r["perplexity"] for r in lines}
    falls = int(found["horizon 1, 8 slots"] > found["horizon 8, 8 slots"])
    check_table(FOLDER / "figure8" / "figure8.md", f"{falls} of 1 steps to the right")
    check_svg(FOLDER / "figure8" / "figure8.svg", 4)


def costs():
    run("table3", "table3", "--set", "model.d_model=16", "--set", "model.d_ff=16", "--set", "model.vocab=20", "--batch", 2, "--segments", 3, "--rounds", 1)
    check_table(FOLDER / "table3" / "table3.md", "BPTT", "gradient checkpointing", "MRBP", "times less than BPTT")
    check_svg(FOLDER / "table3" / "table3.svg", 3)
    planned = {r["row"]: r["memory"]["total"] for r in records("table3")}
    assert planned["mrbp"] < planned["bptt"], planned

    sizes = ["--set", "model.d_model=8", "--set", "model.heads=2", "--set", "model.d_ff=8", "--set", "model.vocab=8", "--layers", 2, "--segment", 8, "--memory", 4, "--sizes", 4, 40]
    run("figure5", "figure5", *sizes, "--rows", "Transformer", "Transformer-XL", "Memformer")
    flops = {(r["kind"], r["at"]): r["flops"] for r in records("figure5") if r["what"] == "flops"}
    for kind in ("Memformer", "Transformer-XL"):
        assert flops[kind, 512] == 64 * flops[kind, 8], flops
    state = {(r["kind"], r["at"]): r["state_bytes"] for r in records("figure5") if r["what"] == "memory"}
    assert state["Transformer-XL", 40] == 2 * state["Memformer", 40], state  # two layers of hidden states against slots
    assert flops["Transformer", 512] > 2.1 * flops["Transformer", 256], flops
    check_table(FOLDER / "figure5" / "figure5.md", "Memformer: 64 times the tokens take 64.0 times the operations")
    check_svg(FOLDER / "figure5" / "figure5.svg", 25)


def words():
    (FOLDER / "wiki").write_text(" = A = \n\n the cat <unk> \n = = B = = \n the dog \n")
    (FOLDER / "held").write_text(" = B = \n the bird \n")
    subprocess.run([sys.executable, SOURCE / "examples" / "paper" / "words.py", "wiki", "held"], cwd=FOLDER, check=True, stdout=subprocess.DEVNULL)
    order = (FOLDER / "words.txt").read_text().split()
    ids = struct.unpack("<8I", (FOLDER / "held.u32").read_bytes())
    assert [order[i] for i in ids] == ["<article>", "=", "B", "=", "<eos>", "the", "<unk>", "<eos>"], ids


FOLDER.mkdir(parents=True, exist_ok=True)
write_data()
for part in (table1, text_experiments, costs, words):
    begin = time.monotonic()
    part()
    print(f"{part.__name__}: {time.monotonic() - begin:.1f} s")
print("experiments: all parts")
