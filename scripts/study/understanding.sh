#!/usr/bin/env bash
# Scores query understanding and dialogues on a folder with products.jsonl, queries.jsonl and dialogues.jsonl (understanding.py), by full-text
# search alone. A third argument "show" prints what is wrong.
set -euo pipefail
bin=$1 set=$2
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
file=$work/address
"$bin/vitrine-server" serve --data-dir "$work/data" --address-file "$file" --listen 127.0.0.1:0 &
server=$!
trap 'kill $server; wait $server || true; rm -rf "$work"' EXIT
until [[ -s $file ]]; do
  kill -0 "$server" || exit 1
  sleep 0.1
done
python3 "$here/understanding.py" "$set" "http://$(cat "$file")" "${@:3}"
