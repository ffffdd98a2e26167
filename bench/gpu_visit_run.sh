#!/usr/bin/env bash
# run.sh [DEVICE]: tests memformer on a GPU (cuda:0) and times it; writes report.txt beside itself. Ends with 1 where a test fails.
set -uo pipefail
cd "$(dirname "$0")"
device=${1:-cuda:0}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
exec > >(tee report.txt) 2>&1
passed=0 failed=0
run() { bin/memformer-run "$@"; }
# verdict NAME STATUS TEXT
verdict() {
  if [ "$2" -eq 0 ]; then passed=$((passed + 1)); word=PASS; else failed=$((failed + 1)); word=FAIL; fi
  echo "$word  $1${3:+: $3}"
}

echo "memformer on $device, $(date -u +%FT%TZ), $(uname -m)"
command -v nvidia-smi > /dev/null && nvidia-smi --query-gpu=name,driver_version,memory.total,clocks.max.sm --format=csv,noheader

# Half of a last place of what products multiply, and what sublayers and segments add up of it.
declare -A within=([f32]=1e-4 [tf32]=0.015625 [bf16]=0.0625 [f16]=0.015625)
for folder in traces/*/; do
  name=$(basename "$folder")
  for precision in f32 tf32 bf16 f16; do
    # Its relu has inputs within the error of such products of zero, whose gradients are all or nothing.
    [ "$name" = odd-shapes ] && [ $precision != f32 ] && continue
    first=
    for schedule in mrbp checkpoint bptt; do
      artifact=$folder$precision-$schedule.mfa out=$work/$schedule.safetensors what="trace $name $precision $schedule"
      if ! said=$(run trace "$artifact" --weights "$folder/weights.safetensors" --tokens "$folder/tokens.safetensors" --out "$out" --device "$device" 2>&1); then
        verdict "$what" 1 "$said"
        continue
      fi
      if [ -n "$first" ]; then
        cmp -s "$first" "$out"; verdict "$what has the bits of mrbp" $? ""
        continue
      fi
      first=$out
      # A softmax does not see what is added to all keys: of rounded products the gradient of their bias is rounding alone.
      more=(); [ $precision = f32 ] || more=(--without key.bias)
      said=$(bin/memformer-compare "$out" "$folder/expected.safetensors" "${within[$precision]}" "${more[@]}" 2>&1)
      verdict "$what within ${within[$precision]}" $? "$said"
      run trace "$artifact" --weights "$folder/weights.safetensors" --tokens "$folder/tokens.safetensors" --out "$work/again" --device "$device" > "$work/log" 2>&1
      cmp -s "$out" "$work/again"; verdict "$what twice has the same bits" $? ""
      MEMFORMER_CUDA_GRAPHS=0 run trace "$artifact" --weights "$folder/weights.safetensors" --tokens "$folder/tokens.safetensors" --out "$work/again" --device "$device" --replay host > "$work/log" 2>&1
      cmp -s "$out" "$work/again"; verdict "$what has the same bits without graphs, states on the host" $? ""
    done
  done
done

losses() { grep -o '"loss":[0-9.e+-]*' "$1/metrics.jsonl" | cut -d: -f2; }
said=$(run train models/train.mfa --out "$work/one" --device "$device" 2>&1)
verdict "training" $? "$(tail -1 <<< "$said")"
paste <(losses models/host) <(losses "$work/one") | awk '{ d = $1 - $2; if (d < 0) d = -d; if (NF != 2 || d > 1e-4 * $1) bad = 1; n++ } END { exit bad || n == 0 }'
verdict "losses are those of the host within 1e-4" $? "$(losses "$work/one" | tr '\n' ' ')"
run train models/train.mfa --out "$work/two" --device "$device" > "$work/log" 2>&1
cmp -s "$work/one/weights.safetensors" "$work/two/weights.safetensors"; verdict "training twice has the same bits" $? ""
said=$(run generate models/generate.mfa --weights models/host/weights.safetensors --prompt-tokens models/prompt.txt --tokens 12 --device "$device" 2>&1)
[ "$said" = "$(cat models/generated.txt)" ]; verdict "generation is that of the host" $? "$said"

# Medians of rounds in turns, so that neighbours in time are compared.
rows=(bench/*.mfa)
if [ -e "${rows[0]}" ]; then
  echo "seconds a step, 8 segments, medians of 5 rounds in turns; planned bytes of the device"
  for round in 1 2 3 4 5; do
    for artifact in "${rows[@]}"; do
      run bench "$artifact" --device "$device" --segments 8 --repeat 3 --seconds 1 --json > "$work/bench.json" 2> "$work/log" || { verdict "bench $(basename "$artifact" .mfa)" 1 "$(tail -1 "$work/log")"; continue; }
      tr -d ' \n' < "$work/bench.json" | sed 's/.*"median":\([0-9.e+-]*\).*/\1/' >> "$work/$(basename "$artifact" .mfa).seconds"
      echo >> "$work/$(basename "$artifact" .mfa).seconds"
      tr -d ' \n' < "$work/bench.json" | sed 's/.*"total":\([0-9]*\).*/\1/' > "$work/$(basename "$artifact" .mfa).bytes"
    done
  done
  for artifact in "${rows[@]}"; do
    name=$(basename "$artifact" .mfa)
    [ -e "$work/$name.seconds" ] && printf '  %-28s %10s s %14s bytes\n' "$name" "$(grep . "$work/$name.seconds" | sort -g | sed -n 3p)" "$(cat "$work/$name.bytes")"
  done
fi
echo "$passed passed, $failed failed"
[ $failed -eq 0 ]
