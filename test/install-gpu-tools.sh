#!/usr/bin/env bash
# install-gpu-tools.sh FOLDER: NVIDIA's assembler and disassembler from PyPI, for the tests that assemble GPU kernels.
# They need no GPU and are no part of a build. Where they cannot be had this says so, and those tests are off.
set -euo pipefail
folder=$1
packages=("nvidia-cuda-nvcc>=13,<14" "nvidia-cuda-nvdisasm>=13,<14") # a folder nvidia/cu13/bin in both

if [ -x "$folder/nvidia/cu13/bin/ptxas" ] && [ -x "$folder/nvidia/cu13/bin/nvdisasm" ]; then
  echo "install-gpu-tools: ptxas and nvdisasm are there"
elif python3 -m pip install --quiet --disable-pip-version-check --root-user-action=ignore --no-deps --upgrade --target "$folder" "${packages[@]}"; then
  echo "install-gpu-tools: installed ptxas and nvdisasm"
else
  echo "install-gpu-tools: ptxas and nvdisasm cannot be installed; tests that need them are off" >&2
fi
