#!/usr/bin/env bash
# Tests the console in Debian's Chromium against a real server with the sample shop; prints the folder of the screenshots.
set -euo pipefail
bin=$1 venv=$2
root=$(cd "$(dirname "$0")/../.." && pwd)
if ! command -v chromium >/dev/null; then
  [[ $(id -u) == 0 ]] || { echo "chromium is missing; run this once: sudo apt-get install -y chromium" >&2; exit 1; }
  echo "installing: chromium"
  apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq chromium >/dev/null
fi
export VITRINE_BIN=$bin VITRINE_SHOTS=$VITRINE_CACHE/console
rm -rf "$VITRINE_SHOTS"
"$venv/bin/python" -m pytest -q -p no:cacheprovider "$root/tests/console" "${@:3}"
echo "screenshots: $VITRINE_SHOTS"
