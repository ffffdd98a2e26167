#!/usr/bin/env bash
# Fails where docs/reference is not what docs/generate.sh makes of the TableGen files.
set -euo pipefail
cd "$(dirname "$0")/.."
fresh=$(mktemp -d)
trap 'rm -rf "$fresh"' EXIT
docs/generate.sh "$fresh"
diff -r -u docs/reference "$fresh" || { echo "documents: run docs/generate.sh and commit docs/reference" >&2; exit 1; }
echo "documents: $(ls docs/reference | wc -l) pages as generated"
