#!/usr/bin/env bash
# Scores query understanding and dialogues on a folder with products.jsonl, queries.jsonl and dialogues.jsonl (understanding.py), by full-text
# search alone. A third argument "show" prints what is wrong.
set -euo pipefail
bin=$1 set=$2
here=$(cd "$(dirname "$0")" && pwd)
source "$here/../demo/serve.sh"
work=$(mktemp -d)
mkdir -p "$work/models"
VITRINE_MODELS=$work/models start_server "$bin" "$work/data" --listen 127.0.0.1:0
python3 "$here/understanding.py" "$set" "$URL" "${@:3}"
rm -rf "$work"
