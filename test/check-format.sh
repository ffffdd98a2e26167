#!/usr/bin/env bash
# Fails where a tracked C or C++ file is not as clang-format writes it.
set -euo pipefail
cd "$(dirname "$0")/.."
git ls-files '*.cpp' '*.h' '*.c' | xargs -r clang-format-22 --dry-run --Werror
echo "format: $(git ls-files '*.cpp' '*.h' '*.c' | wc -l) files as clang-format writes them"
