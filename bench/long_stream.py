#!/usr/bin/env python3
"""Streams without end: evaluates and generates a long stream with each recurrent model, and says whether memory and time per segment stay the same.

    bench/long_stream.py --tools build/bin                      # 1,000,000 tokens of each model, evaluated and generated
    bench/long_stream.py --tools build/bin --tokens 200000 lstm  # a shorter one of one model

Memory is the peak of the resident set in a tenth of the stream (the kernel's own mark, set back at each tenth, where it lets us; else samples), time that of its one thread on a processor. Exit status 1 where the
last tenth's is more than 1 MB above the first's, or its time of a segment more than --slower times the first's."""
import argparse, os, pathlib, random, re, statistics, subprocess, sys, tempfile, time

SEGMENT = 32
MODELS = {  # the rest is the same for all
    "memformer": "encoder_layers = 1\ndecoder_layers = 1\nheads = 2\nd_ff = 64\n[memory]\nslots = 8",
    "transformer-xl": 'layers = 2\nheads = 2\nd_ff = 64\n[memory]\nlength = 48',
    "compressive-transformer": 'layers = 2\nheads = 2\nd_ff = 64\n[memory]\nlength = 32\ncompressed_length = 32\ncompression_rate = 4',
    "lstm": "layers = 2",
}
CONFIGURATION = """[model]
kind = "{kind}"
vocab = 256
d_model = 32
segment = {segment}
{model}
[train]
batch = 1
horizon = 4
steps = 1
evaluate_rollouts = {rollouts}
[data]
kind = "text"
path = "text"
validation_path = "text"
"""


class Watch:
    """The resident set of a process and the time, by the tokens that it has read."""

    def __init__(self, process, tokens):
        self.process, self.tokens = process, tokens
        self.peaks, self.times = [], []  # of each tenth: kB; (tokens, seconds) at its ends
        self.peak, self.last, self.marks = 0, None, True

    def seconds(self):
        """Of its one thread on a processor, whatever else the machine does; else those that have passed."""
        try:
            with open(f"/proc/{self.process.pid}/schedstat") as times:
                return int(times.read().split()[0]) / 1e9
        except (OSError, IndexError, ValueError):
            return time.monotonic()

    def see(self, tokens):
        """Called now and then with the number of tokens so far."""
        with open(f"/proc/{self.process.pid}/status") as status:
            found = re.search(("VmHWM" if self.marks else "VmRSS") + r":\s+(\d+) kB", status.read())
        if not found:  # it has ended
            return
        self.peak, self.last = max(self.peak, int(found.group(1))), (tokens, self.seconds())
        if not self.times:  # what came before belongs to starting
            self.begin()
        elif tokens * 10 // self.tokens > self.times[-1][0] * 10 // self.tokens:
            self.end()

    def begin(self):
        self.times.append(self.last)
        self.peak = 0
        try:
            with open(f"/proc/{self.process.pid}/clear_refs", "w") as marks:
                marks.write("5")
        except OSError:
            self.marks = False

    def end(self):
        self.peaks.append(self.peak)
        self.begin()

    def finish(self):
        """What has been seen of the last tenth, which ends with the process."""
        if self.times and self.last[0] > self.times[-1][0]:
            self.peaks.append(self.peak)
            self.times.append(self.last)

    def microseconds(self, tenth):
        (first, begin), (last, end) = self.times[tenth], self.times[tenth + 1]
        return 1e6 * (end - begin) / max(1, last - first) * SEGMENT


# A page: the process waits for whoever watches it, and is not far ahead.
PIPE = dict(stdout=subprocess.PIPE, stderr=subprocess.PIPE, pipesize=4096)


def evaluate(run, folder, tokens):
    # A line for each rollout.
    process = subprocess.Popen([*run, "eval", str(folder / "run"), "--threads", "1", "--progress", "1"], cwd=folder, **PIPE)
    watch, rest, problem, seen = Watch(process, tokens), b"", "", 0
    while some := os.read(process.stderr.fileno(), 1024):
        *lines, rest = (rest + some).split(b"\n")
        for line in lines:
            found = re.match(rb"(\d+) tokens in ", line)
            if not found:
                problem = line.decode()
            elif int(found.group(1)) - seen >= tokens / 1000:
                seen = int(found.group(1))
                watch.see(seen)
    watch.finish()
    return watch, problem


def generate(run, folder, tokens):
    process = subprocess.Popen([*run, "generate", str(folder / "run"), "--threads", "1", "--tokens", str(tokens)], cwd=folder, **PIPE)
    watch, count, seen = Watch(process, tokens), 0, 0
    while some := os.read(process.stdout.fileno(), 1024):
        count += len(some)
        if count - seen >= tokens / 1000:
            watch.see(min(count, tokens))
            seen = count
    watch.finish()
    return watch, process.stderr.read().decode()


def check(name, watch, problem, slower):
    """The row of the table, and what is wrong."""
    wrong = []
    if watch.process.wait() != 0:
        return f"| {name} | failed |", [problem.strip()]
    if len(watch.peaks) < 8:
        return f"| {name} | seen only {len(watch.peaks)} tenths |", ["the stream is too short to be watched"]
    last = len(watch.peaks) - 1
    first_peak, last_peak = watch.peaks[0], watch.peaks[last]
    first_time, last_time = watch.microseconds(0), watch.microseconds(last)
    middle = statistics.median(watch.microseconds(i) for i in range(last + 1))
    if last_peak > first_peak + 1024:
        wrong.append(f"memory grows from {first_peak} to {last_peak} kB")
    if last_time > slower * first_time:
        wrong.append(f"a segment takes {last_time:.0f} µs at last, and {first_time:.0f} µs at first")
    row = f"| {name} | {first_peak} | {last_peak} | {max(watch.peaks)} | {first_time:.1f} | {middle:.1f} | {last_time:.1f} |"
    return row, wrong


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="*", metavar="MODEL", help=f"some of {', '.join(MODELS)} [all]")
    parser.add_argument("--tools", type=pathlib.Path, default=pathlib.Path("build/bin"), help="folder of memformer-run [build/bin]")
    parser.add_argument("--tokens", type=int, default=1000000)
    parser.add_argument("--slower", type=float, default=1.5, help="what a segment of the last tenth may take, in times of the first's [1.5]")
    options = parser.parse_args()
    for name in options.models:
        if name not in MODELS:
            parser.error(f"expected one of {', '.join(MODELS)}, but got '{name}'")
    tool = options.tools.resolve() / "memformer-run"
    if not tool.exists():
        parser.error(f"expected memformer-run in {options.tools}: build it, or say --tools FOLDER")
    draw = random.Random(1)
    text = bytes(draw.choices(b"abcdefghijklmnopqrstuvwxyz .,\n", k=options.tokens))
    print("| model, work | peak of first tenth, kB | of last tenth | of all | µs a segment, first tenth | median | last tenth |")
    print("|---|---|---|---|---|---|---|", flush=True)
    failures = []
    for kind in options.models or MODELS:
        with tempfile.TemporaryDirectory() as name:
            folder = pathlib.Path(name)
            run = [str(tool)]
            os.environ["XDG_CACHE_HOME"] = str(folder / "cache")
            (folder / "text").write_bytes(text)
            (folder / "model.toml").write_text(CONFIGURATION.format(kind=kind, model=MODELS[kind], segment=SEGMENT, rollouts=1))
            trained = subprocess.run([*run, "train", "model.toml", "--out", "run"], cwd=folder, capture_output=True, text=True)
            if trained.returncode != 0:
                sys.exit(trained.stderr)
            # Held out for training was a rollout; here it is everything.
            configuration = folder / "run" / "configuration.toml"
            configuration.write_text(re.sub("evaluate_rollouts = 1", "evaluate_rollouts = 0", configuration.read_text()))
            for work, function in (("eval", evaluate), ("generate", generate)):
                watch, problem = function(run, folder, options.tokens)
                row, wrong = check(f"{kind}, {work}", watch, problem, options.slower)
                print(row, flush=True)
                failures += [f"{kind}, {work}: {what}" for what in wrong]
    for failure in failures:
        print(failure, file=sys.stderr)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
