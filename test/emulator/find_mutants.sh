#!/bin/sh
# Puts faults into kernels that memformer-compile makes, and sees that the emulator finds each one:
#   find_mutants.sh BIN order|numbers|full [MODEL.toml...]
# BIN is the folder of the tools. `order` removes barriers and weakens waits, all of them, in kernels
# of every form of the models here and in every chain of a small one; `numbers` changes a sample of
# everything else. `full` does both with every kernel and no sample, also for the targets whose
# kernels differ, and takes MODEL.toml beside them: hours, where models are large.
set -eu
bin=$1 which=$2
shift 2
models=$(dirname "$0")/models
cases=$(dirname "$0")/../cases
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# Programs of models in several precisions: programs TARGET MODEL...; `together` in place of kernels by
# themselves makes chains of kernels, one for each row of the batch. A model of the cases is called
# model.toml, and its program by its folder.
together=--separate
batch=0 # of the configuration
precisions='f32 bf16'
programs() {
  target=$1
  shift
  rm -f "$work"/*.mlir
  for model in "$@"; do
    for precision in $precisions; do
      "$bin/memformer-compile" "$model" --for=everything --emit=program --target="$target" $together \
        --set "model.precision=$precision" --batch "$batch" \
        >"$work/$(basename "$(dirname "$model")")-$(basename "$model" .toml)-$precision.mlir"
    done
  done
}
of_cases() {
  for name in "$@"; do
    echo "$cases/$name/model.toml"
  done
}
mutants() {
  target=$1
  shift
  "$bin/memformer-kernel-mutants" --target="$target" "$@" "$work"/*.mlir
}

case $which in
order)
  programs sm_80 "$models/long.toml" "$models/wide.toml"
  mutants sm_80 --kinds=order
  for model in distances distances-wide; do
    programs sm_80 "$models/$model.toml"
    mutants sm_80 --kinds=order --only=relative
  done
  programs sm_80 "$models/used.toml"
  mutants sm_80 --kinds=order --only=most_used
  programs sm_75 "$models/wide.toml"
  mutants sm_75 --kinds=order --only=gemm
  # f16 is the same code as bf16 but for the oldest, whose tensor cores have f16 alone.
  precisions=f16
  programs sm_75 "$models/wide.toml"
  mutants sm_75 --kinds=order --only='factors of f16'
  precisions='f32 bf16'
  programs sm_90a "$models/wide.toml" "$models/even.toml"
  mutants sm_90a --kinds=order --only=gemm
  together=--multiprocessors=1
  programs sm_80 "$models/chains.toml"
  mutants sm_80 --kinds=order --only=chain --every --quiet --seeds=2
  # Where a kernel has few rows, columns or heads, threads may keep to what they wrote themselves.
  batch=2
  programs sm_80 "$models/distances.toml" $(of_cases base head-one tiny placements-post-norm \
    compressive-transformer-most-used-short transformer-xl-empty)
  mutants sm_80 --kinds=order --only=chain --every --quiet --seeds=2
  # Without asynchronous copies, they load the factors that they wrote too.
  precisions=f32
  programs sm_75 $(of_cases no-memory)
  mutants sm_75 --kinds=order --only=chain --every --quiet --seeds=2
  batch=0
  precisions=bf16
  programs sm_90a "$models/chains.toml" "$models/chains-even.toml"
  mutants sm_90a --kinds=order --only=chain --every --quiet --seeds=2
  ;;
numbers)
  programs sm_80 "$models/even.toml"
  mutants sm_80 --kinds=numbers
  precisions=bf16
  programs sm_90a "$models/even.toml"
  mutants sm_90a --kinds=numbers --only=gemm
  precisions="f32 bf16"
  programs sm_80 "$models/distances-even.toml"
  mutants sm_80 --kinds=numbers --only=relative
  programs sm_80 "$models/used.toml"
  mutants sm_80 --kinds=numbers --only=most_used
  mutants sm_80 --kinds=numbers --only=attention_usage
  precisions=f16
  programs sm_75 "$models/even.toml"
  mutants sm_75 --kinds=numbers --only='factors of f16'
  ;;
full)
  failed=0 batch=2
  precisions='f32 bf16 f16'
  every="$models/*.toml $cases/*/model.toml"
  for target in sm_80 sm_75 sm_90a; do
    programs $target $every "$@"
    mutants $target --kinds=order --every --quiet --blocks=24 || failed=1
  done
  programs sm_80 "$models/even.toml" "$models/distances-even.toml"
  mutants sm_80 --kinds=numbers --every --quiet --sample=0 || failed=1
  together=--multiprocessors=1
  for target in sm_80 sm_75 sm_90a; do
    programs $target $every "$@"
    mutants $target --kinds=order --only=chain --every --quiet || failed=1
  done
  exit $failed
  ;;
*)
  echo "expected order, numbers or full, but got '$which'" >&2
  exit 2
  ;;
esac
