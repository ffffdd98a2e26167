"""Experiments: trained rows that are done once and kept as JSON lines, and what the scripts beside this file share.

Every row is a run of `memformer-run` with settings of its own. A row whose settings, data and seed have a line in `results.jsonl` is not run again; one that was interrupted goes on from its checkpoint.
"""
import argparse
import concurrent.futures
import dataclasses
import datetime
import hashlib
import json
import os
import pathlib
import platform
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import tomllib

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent


def log(message):
    print(message, file=sys.stderr, flush=True)


def fail(message):
    log(f"error: {message}")
    sys.exit(1)


class Failed(Exception):
    """A run that gave no result; the message is the program's own."""


class Stopped(Exception):
    """The experiment was interrupted."""


@dataclasses.dataclass
class Row:
    """A line of a table. `settings` change the experiment's base file; `paper` holds what the paper's table says of it."""
    name: str
    settings: dict
    paper: dict = dataclasses.field(default_factory=dict)
    group: str = ""


def options(description, jobs=2):
    """The options that all experiments have."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--results", type=pathlib.Path, help="folder of results [results/EXPERIMENT]")
    parser.add_argument("--bin", type=pathlib.Path, help="folder of memformer-run and memformer-compile [build/bin, else PATH]")
    parser.add_argument("--jobs", type=int, default=jobs, metavar="N", help=f"rows that run side by side [{jobs}]")
    parser.add_argument("--threads", type=int, default=1, metavar="N", help="threads of a row; they never change a result [1]")
    parser.add_argument("--rows", nargs="+", metavar="TEXT", help="only rows of these names, or whose names contain them")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="changes a key of every row, as memformer-run's --set")
    parser.add_argument("--device", help="where rows run: cpu, or cuda:N [cpu]")
    parser.add_argument("--render", action="store_true", help="only write table and plot of the results that are there")
    return parser


def training_options(description, data, jobs=2):
    """Those of experiments that train. `data` says what file they need."""
    parser = options(description, jobs)
    parser.add_argument("--data", type=pathlib.Path, metavar="FILE", help=data)
    parser.add_argument("--validation-data", type=pathlib.Path, metavar="FILE", help="held-out data [beside the data, else the end of the file]")
    parser.add_argument("--seeds", default="1", help="how many seeds, or which of them: '3' is 0,1,2, and '3,' is 3 [1]")
    return parser


def seeds_of(text):
    try:
        seeds = [int(word) for word in text.split(",") if word]
        return seeds if "," in text else list(range(seeds[0]))
    except ValueError:
        fail(f"--seeds: expected a number, or numbers with commas between them, but got '{text}'")


def override(settings, texts):
    """SECTION.KEY=VALUE on top of flat settings."""
    result = dict(settings)
    for text in texts:
        key, equals, value = text.partition("=")
        if not equals or key.count(".") != 1:
            fail(f"--set {text}: expected SECTION.KEY=VALUE")
        try:
            result[key] = tomllib.loads(f"x = {value}")["x"]
        except tomllib.TOMLDecodeError:
            result[key] = value
    return result


def flat(path):
    """A TOML file as {"section.key": value}."""
    with open(path, "rb") as file:
        document = tomllib.load(file)
    return {f"{section}.{key}": value for section, table in document.items() for key, value in table.items()}


def as_sets(settings):
    """Options for memformer-run."""
    words = []
    for key, value in settings.items():
        words += ["--set", f"{key}={json.dumps(value)}"]
    return words


def cpu_name():
    try:
        for line in open("/proc/cpuinfo"):
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def fingerprint(path):
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:16]


TEXT_HELP = "text; held out is the end of it [bible.txt here, else what Debian's bible-kjv prints]"


def find_text(arguments):
    """The settings that name the text."""
    path = arguments.data or pathlib.Path("bible.txt")
    if not path.exists():
        program = shutil.which("bible")
        if arguments.data or not program:
            fail(f"no text at {path}: give any with --data, or install Debian's bible-kjv")
        path = pathlib.Path("results") / "bible.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as file:
            subprocess.run([program, "-f", "gen1:1-rev22:21"], stdin=subprocess.DEVNULL, stdout=file, check=True)
        os.replace(file.name, path)
    return {"data.path": path} | ({"data.validation_path": arguments.validation_data} if arguments.validation_data else {})


class Results:
    """A file of JSON lines. A line that was cut off when its writer was killed is dropped."""

    def __init__(self, path):
        self.path = path
        self.lock = threading.Lock()
        self.records = []
        text = path.read_text() if path.exists() else ""
        whole = text[: text.rfind("\n") + 1]
        if whole != text:
            path.write_text(whole)
        for number, line in enumerate(whole.splitlines(), 1):
            try:
                self.records.append(json.loads(line))
            except json.JSONDecodeError as problem:
                fail(f"{path}:{number}: expected a JSON line, but {problem}")

    def find(self, key):
        """The last record with these entries."""
        return next((r for r in reversed(self.records) if all(r.get(k) == v for k, v in key.items())), None)

    def add(self, record):
        with self.lock:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with open(self.path, "a") as file:
                file.write(json.dumps(record) + "\n")
                file.flush()
                os.fsync(file.fileno())
            self.records.append(record)


class Experiment:
    """A folder of results, and the program that fills it."""

    def __init__(self, name, arguments, base=None):
        self.name = name
        self.arguments = arguments
        self.base = base
        self.folder = arguments.results or pathlib.Path("results") / name
        self.results = Results(self.folder / "results.jsonl")
        self.failures = {}
        self.children = set()
        self.stopping = False
        self.lock = threading.Lock()
        if not arguments.render:
            self.run_program = self.program("memformer-run")

    def program(self, name):
        folders = [self.arguments.bin] if self.arguments.bin else [ROOT / "build" / "bin"]
        found = next((str(folder / name) for folder in folders if (folder / name).exists()), None) or (None if self.arguments.bin else shutil.which(name))
        if not found:
            fail(f"no {name} in {folders[0]}: build it, or say with --bin where it is")
        return found

    def selected(self, rows):
        names = chosen([row.name for row in rows], self.arguments.rows)
        return [row for row in rows if row.name in names]

    def settings(self, row):
        """Everything that decides the result of a row but the seed and the data."""
        return override(flat(self.base) | row.settings, self.arguments.set)

    def run(self, command):
        """Standard output of a program. It is interrupted with the experiment."""
        with self.lock:
            if self.stopping:
                raise Stopped
            # A session of its own: an interrupt at the terminal comes once, from stop().
            process = subprocess.Popen([str(word) for word in command], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True)
            self.children.add(process)
        out, errors = process.communicate()
        with self.lock:
            self.children.discard(process)
        if self.stopping:
            raise Stopped
        if process.returncode:
            lines = [line for line in errors.strip().splitlines() if "error" in line] or errors.strip().splitlines() or [f"exit status {process.returncode}"]
            raise Failed(lines[0].removeprefix("memformer-run: ").removeprefix("error: "))
        return out

    def run_json(self, *command):
        return json.loads(self.run([self.run_program, *command, "--json"]))

    def measure(self, *command):
        """JSON of a run, and its largest resident set in bytes. A run that had to compile its model is run again: the compiler's memory is not the model's."""
        result, peak = self.measure_once(command)
        return (result, peak) if result["cached"] else self.measure_once(command)

    def measure_once(self, command):
        with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as errors:
            with self.lock:
                if self.stopping:
                    raise Stopped
                words = [self.run_program, *map(str, command), "--json"]
                process = subprocess.Popen(words, stdout=out, stderr=errors, start_new_session=True)
                self.children.add(process)
            _, status, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
            with self.lock:
                self.children.discard(process)
            if self.stopping:
                raise Stopped
            for file in (out, errors):
                file.seek(0)
            if process.returncode:
                raise Failed((errors.read().strip().splitlines() or [f"exit status {process.returncode}"])[-1].removeprefix("memformer-run: "))
            return json.loads(out.read()), usage.ru_maxrss * 1024

    def stop(self):
        with self.lock:
            self.stopping = True
            for child in self.children:
                child.send_signal(signal.SIGTERM)  # memformer-run writes a checkpoint and ends

    def work(self, tasks):
        """Runs (label, function) side by side; a task that fails is told and the others go on. Ctrl-C and SIGTERM end all in good order."""
        def interrupt(number, frame):
            raise KeyboardInterrupt

        signal.signal(signal.SIGTERM, interrupt)
        pool = concurrent.futures.ThreadPoolExecutor(max(1, self.arguments.jobs))
        try:
            pending = {pool.submit(function): label for label, function in tasks}
            for count, future in enumerate(concurrent.futures.as_completed(pending), 1):
                label = pending[future]
                try:
                    log(f"[{count}/{len(pending)}] {label}: {future.result()}")
                except Failed as problem:
                    self.failures[label] = str(problem)
                    log(f"[{count}/{len(pending)}] {label}: {problem}")
        except KeyboardInterrupt:
            # One signal ends it in good order; further ones do not cut that short.
            for name in (signal.SIGINT, signal.SIGTERM):
                signal.signal(name, signal.SIG_IGN)
            self.stop()
            pool.shutdown(wait=True, cancel_futures=True)
            log("interrupted; the same command goes on from here")
            sys.exit(130)
        pool.shutdown()

    def record(self, key, values):
        self.results.add(key | values | {"date": datetime.date.today().isoformat(), "cpu": cpu_name(), "threads": self.arguments.threads})

    def inspect(self, settings, *words):
        return self.run_json("inspect", self.base, *as_sets(settings), *words)

    def finish(self):
        """The exit status, after everything was written."""
        for label, problem in self.failures.items():
            log(f"not run: {label}: {problem}")
        return 1 if self.failures else 0


def chosen(names, texts):
    """Those of `names` that --rows asks for: by whole names, else by parts of them."""
    result = set() if texts else set(names)
    for text in texts or []:
        found = {text} & set(names) or {name for name in names if text in name}
        if not found:
            fail(f"--rows: no row is called '{text}'; there are: {', '.join(dict.fromkeys(names))}")
        result |= found
    return result


def key_of(values):
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()[:16]


class Training(Experiment):
    """Rows that are trained, each with every seed. `evaluate` holds settings of a measurement of its own, the same for all rows, in place of the one that ends training."""

    def __init__(self, name, arguments, base, rows, paths, evaluate=None):
        super().__init__(name, arguments, base)
        self.rows = self.selected(rows)
        self.seeds = seeds_of(arguments.seeds)
        self.evaluate = evaluate or {}
        self.paths = paths
        self.data = {} if arguments.render else {key: fingerprint(path) for key, path in paths.items()}

    def key(self, row, seed):
        values = {"settings": self.settings(row), "data": self.data, "evaluate": self.evaluate}
        return {"row": row.name, "seed": seed, "hash": key_of(values)}

    def run_folder(self, row, seed):
        plain = "".join(c if c.isalnum() else "-" for c in row.name)
        return self.folder / "runs" / f"{plain}-{seed}-{self.key(row, seed)['hash']}"

    def sets(self, row, seed):
        return as_sets(self.settings(row) | {"train.seed": seed} | {key: str(path) for key, path in self.paths.items()})

    def train(self, row, seed):
        key = self.key(row, seed)
        if self.results.find(key):
            return "done before"
        place = ["--device", self.arguments.device] if self.arguments.device else []
        threads = ["--threads", self.arguments.threads]
        out = self.run_folder(row, seed)
        result = self.run_json("train", self.base, *self.sets(row, seed), "--out", out, "--resume", *threads, *place)
        evaluation = result["evaluation"]
        if self.evaluate:
            evaluation = self.run_json("eval", out, *as_sets(self.evaluate), *threads, *place)
            evaluation = evaluation.get("evaluation", evaluation)
        settings = self.settings(row)
        cost = self.run_json("inspect", self.base, *self.sets(row, seed), "--batch", 1)
        kept = ("loss", "bits", "perplexity", "accuracy", "targets")
        self.record(key, {
            "settings": settings, "data": self.data,
            **{name: evaluation[name] for name in kept},
            "seconds": round(result["seconds"], 2), "steps": result["step"],
            "parameters": cost["parameter_count"], "flops": cost["flops"]["forward"],
            "tokens_of_flops": cost["segments"] * settings["model.segment"],
            "state_bytes": cost["costs"]["state_bytes"]["total"],
        })
        return f"perplexity {evaluation['perplexity']:.4f}, {result['seconds']:.0f} s"

    def run_all(self):
        if not self.arguments.render:
            self.work([(f"{row.name}, seed {seed}", lambda row=row, seed=seed: self.train(row, seed)) for seed in self.seeds for row in self.rows])

    def records(self, row):
        """The records of a row: of these settings, or, when only rendering, the newest of each seed."""
        if not self.arguments.render:
            return [r for r in (self.results.find(self.key(row, seed)) for seed in self.seeds) if r]
        newest = {r["seed"]: r for r in self.results.records if r["row"] == row.name}
        return [newest[seed] for seed in sorted(newest)]
