#!/usr/bin/env bash
# gpu_visit.sh FOLDER [--build BUILD] [--targets sm_80,...] [--cases "tiny ..."] [--no-bench]
# Prepares a folder with all that a machine with a GPU and its driver needs to test and time memformer: artifacts, the programs, what is expected, and run.sh.
# No compiler and no Python are needed there. Traces are those of test/cases under every schedule and in every precision.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
[ $# -ge 1 ] || { sed -n '2,4s/^# //p' "$0" >&2; exit 2; }
folder=$1
shift
build=$root/build targets=sm_75,sm_80,sm_86,sm_89,sm_90a,sm_100a,sm_120a benches=yes cases=$(cd "$root/test/cases" && ls -d */ | tr -d /)
while [ $# -gt 0 ]; do
  case $1 in
    --build) build=$2; shift 2 ;;
    --targets) targets=$2; shift 2 ;;
    --cases) cases=$2; shift 2 ;;
    --no-bench) benches=no; shift ;;
    *) echo "gpu_visit.sh: expected --build, --targets, --cases or --no-bench, but got '$1'" >&2; exit 2 ;;
  esac
done

mkdir -p "$folder"/{bin,traces,models,bench}
cp "$build/bin/memformer-run" "$build/bin/memformer-compare" "$folder/bin/"
cp "$root/bench/gpu_visit_run.sh" "$folder/run.sh"
compile() { "$build/bin/memformer-compile" "$@" --target "host,$targets"; }
precisions="f32 tf32 bf16" # that are timed; f16 is traced too

for name in $cases; do
  from=$root/test/cases/$name
  mkdir -p "$folder/traces/$name"
  cp "$from"/{weights,tokens,expected}.safetensors "$folder/traces/$name/"
  # [segments, batch, segment]
  batch=$(head -c 4096 "$from/tokens.safetensors" | tr -d '\0' | grep -ao '"decoder_tokens":{[^}]*}' | sed 's/.*"shape":\[[0-9]*,\([0-9]*\),.*/\1/')
  for precision in $precisions f16; do
    for schedule in mrbp checkpoint bptt; do
      compile "$from/model.toml" --batch "$batch" --schedule "$schedule" --set "model.precision=$precision" -o "$folder/traces/$name/$precision-$schedule.mfa"
    done
  done
done

# Training and generation: what the host makes of it is what is expected.
cat > "$folder/models/recall.toml" <<'MODEL'
[model]
vocab = 26
d_model = 12
heads = 3
d_ff = 20
encoder_layers = 1
decoder_layers = 1
segment = 5
dropout = 0.1
[memory]
slots = 2
[train]
batch = 3
horizon = 5
steps = 6
checkpoint_every = 6
evaluate_rollouts = 1
[data]
kind = "recall"
gap = 2
MODEL
echo "1 2 3 4 5 6 7" > "$folder/models/prompt.txt"
compile "$folder/models/recall.toml" -o "$folder/models/train.mfa"
compile "$folder/models/recall.toml" --batch 1 --for=generation -o "$folder/models/generate.mfa"
"$folder/bin/memformer-run" train "$folder/models/train.mfa" --out "$folder/models/host" --overwrite > "$folder/models/host.log"
"$folder/bin/memformer-run" generate "$folder/models/generate.mfa" --weights "$folder/models/host/weights.safetensors" --prompt-tokens "$folder/models/prompt.txt" --tokens 12 > "$folder/models/generated.txt"

if [ $benches = yes ]; then
  for precision in $precisions; do
    for batch in 8 256; do
      compile "$root/bench/mnist.toml" --batch $batch --set "model.precision=$precision" -o "$folder/bench/mnist-mrbp-b$batch-$precision.mfa"
    done
    compile "$root/bench/wikitext.toml" --batch 2 --set "model.precision=$precision" -o "$folder/bench/wikitext-mrbp-b2-$precision.mfa"
  done
  cp "$root"/bench/{mnist.toml,wikitext.toml,pytorch_memformer.py,jax_memformer.py} "$folder/bench/"
fi
echo "gpu_visit.sh: $folder is ready; copy it to the machine and run run.sh there"
