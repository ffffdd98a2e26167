# How lit runs the tests on IR and on command lines.

import os
import shutil
import sys

import lit.formats
import lit.util

config.name = "memformer"
config.test_format = lit.formats.ShTest(execute_external=False)
config.suffixes = [".mlir", ".test"]
config.excludes = ["Inputs", "cases"]
config.test_source_root = os.path.dirname(__file__)
config.test_exec_root = os.path.join(config.build_dir, "test")

config.environment["PATH"] = os.pathsep.join(
    [os.path.join(config.build_dir, "bin"), config.llvm_tools_dir, config.environment["PATH"]]
)
config.environment["FILECHECK_OPTS"] = "-enable-var-scope --dump-input-filter=error"

# Tests of assembled PTX need ptxas, those of machine code nvdisasm: test/install-gpu-tools.sh puts them into the build folder. Tests of pages
# need a browser: test/install-browser.sh.
gpu_tools = os.pathsep.join([config.environment["PATH"], os.path.join(config.build_dir, "gpu-tools", "nvidia", "cu13", "bin")])
for tool in ("ptxas", "nvdisasm", "chromium"):
    variable = "MEMFORMER_" + tool.upper()
    found = os.environ.get(variable) or shutil.which(tool, path=gpu_tools)
    if found:
        config.available_features.add(tool)
        config.environment[variable] = found
    else:
        lit_config.note(f"tests that need {tool} are off: neither {variable}, a {tool} of the PATH nor one in the build folder was found")

# The emulator of NVIDIA devices, where it is built.
emulator = os.path.join(config.build_dir, "lib", "libmemformer_emulator.so")
if os.path.exists(emulator):
    config.available_features.add("emulator")
config.substitutions.append(("%emulator", emulator))
config.substitutions.append(("%build_dir", config.build_dir))

# The libraries that programs executed by mlir-runner print with.
runner_libraries = [
    os.path.join(config.mlir_lib_dir, name + config.shared_library_suffix)
    for name in ("libmlir_runner_utils", "libmlir_c_runner_utils")
]
config.substitutions.append(("%mlir_lib_dir", config.mlir_lib_dir))
config.substitutions.append(("%source_dir", config.source_dir))
config.substitutions.insert(0, ("%{python}", sys.executable))
# A module by the reference of every op, and the execution of its @main.
config.substitutions.append(("%reference", "memformer-opt -memformer-reference-pipeline"))
config.substitutions.append(
    (
        "%run",
        "mlir-runner -e main -entry-point-result=void -O1 "
        + " ".join("-shared-libs=" + library for library in runner_libraries),
    )
)
