#!/usr/bin/env bash
# Rate of items written through the API (embedded by the server) beside that of `vitrine-indexer index`, on the same items without an
# embedding cache; then the time until an item is found by meaning at ten items a second.
set -euo pipefail
bin=$1
here=$(cd "$(dirname "$0")" && pwd)
source "$here/../demo/serve.sh"
source_file=$VITRINE_DATA/home-depot/products.csv.gz
[[ -f $source_file ]] || { echo "no $source_file: set VITRINE_DATA to the folder that holds home-depot/" >&2; exit 1; }
work=$VITRINE_CACHE/api-writes
rm -rf "$work" && mkdir -p "$work"
python3 "$here/api_writes.py" items "$source_file" "${ITEMS:-2000}" "$work/items.jsonl"
"$bin/vitrine-indexer" index --source "$work/items.jsonl" --data "$work/indexed" --collection shop --embedding-cache 0 | tail -1 > "$work/index.json"
# The collection of the API is made by the indexer, with its spaces and fingerprint.
head -1 "$work/items.jsonl" > "$work/first.jsonl"
"$bin/vitrine-indexer" index --source "$work/first.jsonl" --data "$work/written" --collection shop --embedding-cache 0 > /dev/null
start_server "$bin" "$work/written" --listen 127.0.0.1:0
python3 "$here/api_writes.py" measure "$URL" "$work/items.jsonl" "$work/index.json"
