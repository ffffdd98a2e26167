"""What bench/run.py times: processes that each do one piece of work for every line they are sent, and the Python environment of the peers."""
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time
import tomllib
import venv

ROOT = pathlib.Path(__file__).resolve().parent.parent
# Some machines set these for the benefit of old libraries; current ones are slowed by them.
HINDRANCES = ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE", "MKL_ENABLE_INSTRUCTIONS", "MKL_DEBUG_CPU_TYPE", "ATEN_CPU_CAPABILITY", "DNNL_MAX_CPU_ISA", "ONEDNN_MAX_CPU_ISA", "MALLOC_ARENA_MAX")
PACKAGES = {"torch": "torch numpy", "jax": "jax numpy", "jax_cuda12_plugin": "jax[cuda12] numpy", "iree.compiler": "iree-base-compiler iree-base-runtime"}


class Unavailable(Exception):
    """A peer that cannot take part; the message says why."""


def log(message):
    print(message, file=sys.stderr, flush=True)


def environment():
    return {name: value for name, value in os.environ.items() if name not in HINDRANCES}


class Python:
    """A Python of the peers: one that was named, or a virtual environment that is filled as modules are needed."""

    def __init__(self, named=None):
        self.named = named
        self.path = pathlib.Path(named) if named else ROOT / ".venv-bench" / "bin" / "python"
        self.known = {}

    def needs(self, *modules):
        for module in modules:
            if module not in self.known:
                self.known[module] = self.install(module)
            if self.known[module]:
                raise Unavailable(self.known[module])
        return str(self.path)

    def has(self, module):
        return not subprocess.run([self.path, "-c", f"import {module}"], capture_output=True, env=environment()).returncode

    def install(self, module):
        """Why the module cannot be had, or None."""
        if not self.named and not self.path.exists():
            venv.create(self.path.parent.parent, with_pip=True)
        if self.has(module):
            return None
        if self.named:
            return f"{self.named} has no module {module}"
        log(f"installing {PACKAGES[module]} into {self.path.parent.parent}")
        done = subprocess.run([self.path, "-m", "pip", "install", "-q", *PACKAGES[module].split()], capture_output=True, text=True)
        if done.returncode or not self.has(module):
            return f"{PACKAGES[module]} cannot be installed: {(done.stderr.strip().splitlines() or ['?'])[-1]}"
        return None

    def mkl(self):
        """The path of MKL's library; None where it cannot be had."""
        library = lambda: next((str(p) for p in sorted((self.path.parent.parent / "lib").glob("libmkl_rt.so.*"))), None)
        if not library() and not self.named and self.path.exists():
            subprocess.run([self.path, "-m", "pip", "install", "-q", "mkl"], capture_output=True)
        return library()


class Server:
    """A process that answers each line with one line."""

    def __init__(self, command, name):
        self.name = name
        self.errors = tempfile.TemporaryFile(mode="w+")
        self.process = subprocess.Popen([str(word) for word in command], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.errors, text=True, env=environment())
        self.peak = None

    def ask(self, line=""):
        try:
            self.process.stdin.write(line + "\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            pass
        answer = self.process.stdout.readline()
        if not answer:
            self.process.wait()
            self.errors.seek(0)
            last = (self.errors.read().strip().splitlines() or ["no message"])[-1]
            raise Unavailable(f"{self.name} stopped: {last}")
        return answer

    def step(self):
        return float(self.ask())

    def close(self):
        """Ends the process; `peak` is then its largest resident set in bytes."""
        if self.process.stdin.closed:
            return
        try:
            self.process.stdin.close()
        except BrokenPipeError:
            pass
        if self.process.returncode is None:
            _, status, usage = os.wait4(self.process.pid, 0)
            self.process.returncode = os.waitstatus_to_exitcode(status)
            self.peak = usage.ru_maxrss * 1024
        self.process.stdout.close()
        self.errors.close()


class Memformer:
    """`memformer-run bench`, one process a round."""

    name = "memformer"

    def __init__(self, build, config, row):
        mode = ["--mode", row.work] if row.work in ("infer", "generate") else ["--mode", "train", "--schedule", row.work]
        shape = ["--batch", row.batch, "--segments", row.segments, "--threads", row.threads]
        place = ["--device", "cuda:0", "--set", f"model.precision={row.precision}"] if row.device == "cuda" else []
        self.command = [str(word) for word in [pathlib.Path(build) / "bin" / "memformer-run", "bench", config, *mode, *shape, *row.changes(), *place, "--json"]]
        self.peak, self.flops = 0, 0

    def run(self, repeat, seconds, cache=None):
        variables = environment() | ({"XDG_CACHE_HOME": cache} if cache else {})
        command = [*self.command, "--repeat", str(repeat), "--seconds", str(seconds)]
        with tempfile.TemporaryFile(mode="w+") as errors:
            process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, text=True, env=variables)
            text = process.stdout.read()
            _, status, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
            if process.returncode:
                errors.seek(0)
                raise Unavailable((errors.read().strip().splitlines() or [f"{' '.join(command)} failed"])[-1])
        result = json.loads(text)
        # The compiler that a first run starts does not count.
        if result["cached"]:
            self.peak = max(self.peak, usage.ru_maxrss * 1024)
        if result["mode"] != "generate":
            self.flops = result["flops"]["forward" if result["mode"] == "infer" else "step"]
        return result

    def step(self):
        return self.run(1, 0.5)["step_seconds"]["median"]

    def compile_seconds(self):
        """Of a model that was never compiled, and of one that was: how long its code takes to be there."""
        with tempfile.TemporaryDirectory() as cache:
            return self.run(1, 0, cache)["compile_seconds"], self.run(1, 0, cache)["compile_seconds"]

    def close(self):
        pass


def pytorch(python, config, row, compiled):
    if row.work == "generate" and compiled:
        raise Unavailable("not written for generate")
    script = "pytorch_memformer.py" if kind_of(config) == "memformer" else "pytorch_models.py"
    words = ["--work", row.work, *row.shape(), *row.changes(), *row.place(), *(["--compile"] if compiled else [])]
    return Server([python.needs("torch"), ROOT / "bench" / script, config, *words], "torch.compile" if compiled else "PyTorch")


def jax(python, config, row, iree=False):
    if kind_of(config) != "memformer":
        raise Unavailable(f"not written for kind {kind_of(config)}")
    if row.work == "generate" or (iree and (row.work != "infer" or row.device != "cpu")):
        raise Unavailable(f"not written for {row.work} on a {row.device}")
    path = python.needs("jax", "iree.compiler") if iree else python.needs("jax") if row.device == "cpu" else python.needs("jax_cuda12_plugin")
    return Server([path, ROOT / "bench" / "jax_memformer.py", config, "--work", row.work, *row.shape(), *row.place(), *(["--iree"] if iree else [])], "IREE" if iree else "JAX")


def kind_of(config):
    with open(config, "rb") as file:
        return tomllib.load(file)["model"]["kind"]


PEERS = {
    "pytorch": lambda *all: pytorch(*all, compiled=False),
    "compile": lambda *all: pytorch(*all, compiled=True),
    "jax": jax,
    "iree": lambda *all: jax(*all, iree=True),
}
