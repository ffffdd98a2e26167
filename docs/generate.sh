#!/usr/bin/env bash
# Writes docs/reference/*.md, the pages of dialects and passes, from TableGen: generate.sh [FOLDER]
set -euo pipefail
cd "$(dirname "$0")/.."
folder=${1:-docs/reference}
mkdir -p "$folder"
prefix=$(llvm-config-22 --prefix)
tblgen() { "$prefix/bin/mlir-tblgen" -I . -I "$(llvm-config-22 --includedir)" "$@"; }
# Generators end some lines with spaces.
page() { sed -e 's/[[:space:]]*$//' > "$folder/$1.md"; }

tblgen -gen-dialect-doc -dialect=memformer dialect/memformer/Memformer.td | page memformer
tblgen -gen-dialect-doc -dialect=kernel dialect/kernel/KernelOps.td | page kernel
tblgen -gen-dialect-doc -dialect=program dialect/program/ProgramOps.td | page program
tblgen -gen-pass-doc passes/Passes.td | page passes
