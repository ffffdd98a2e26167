#!/usr/bin/env bash
# install-browser.sh: Debian's Chromium, for the tests that open pages. Where it cannot be had this says so, and those tests are off.
set -euo pipefail

as_root=()
[ "$(id -u)" -eq 0 ] || as_root=(sudo)
if command -v chromium > /dev/null; then
  echo "install-browser: chromium is there"
elif "${as_root[@]}" apt-get update -q && "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends chromium; then
  echo "install-browser: installed chromium"
else
  echo "install-browser: chromium cannot be installed; tests that need it are off" >&2
fi
