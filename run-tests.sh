#!/usr/bin/env bash
# Installs what is missing, builds everything, and runs every test: format, generated documents, lit, GoogleTest and the command lines.
set -euo pipefail
cd "$(dirname "$0")"

./install-dependencies.sh
cmake --preset release -DMEMFORMER_BUILD_TESTS=ON
cmake --build --preset release
./test/install-gpu-tools.sh build/gpu-tools
./test/install-browser.sh
./test/check-format.sh
./test/check-documents.sh
ctest --test-dir build --output-on-failure --parallel 2
