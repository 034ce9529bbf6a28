#!/usr/bin/env bash
# Sends every kind of bad input to the real programs and prints each answer; fails where one is not a clear refusal.
set -euo pipefail
bin=$1
here=$(cd "$(dirname "$0")" && pwd)
source "$here/serve.sh"
work=$(mktemp -d)
"$bin/vitrine-indexer" sample get --dir "$work/shop" >/dev/null
photo=$(ls "$work"/shop/images/*.jpg | head -1)
key=$("$bin/vitrine-server" keys create --name test --actions read,write,admin --collections '*' --keys-file "$work/keys.toml" | tail -1)
start_server "$bin" "$work/data" --listen 127.0.0.1:0 --keys-file "$work/keys.toml" 2>/dev/null
URL=$URL KEY=$key PHOTO=$photo python3 "$here/bad_input.py"

# What a program is started with: exit status and last line.
refused() {
  local name=$1 out status=0
  shift
  out=$("$@" 2>&1) || status=$?
  printf '%-34s exit %d  %s\n' "$name" $status "$(tail -1 <<<"$out")"
  [[ $status != 0 && $out != *panicked* ]] || { echo "not a clear refusal" >&2; exit 1; }
}
models=$work/models
cp -r "$VITRINE_MODELS" "$models"
rm "$models/all-minilm-l6-v2/model.safetensors"
refused "missing model file" "$bin/vitrine-indexer" embed --text shoes --models-dir "$models"
cp "$VITRINE_MODELS/efficientnet-lite0/model.safetensors" "$models/all-minilm-l6-v2/"
refused "weights of another architecture" "$bin/vitrine-indexer" embed --text shoes --models-dir "$models"
mkdir "$work/newer"
"$bin/vitrine-indexer" index --source "$work/shop/products.csv" --format vendure --limit 1 --data "$work/newer/data" --collection shop >/dev/null 2>&1
echo 99 >"$work/newer/data/VITRINE_FORMAT"
refused "data directory of a newer format" "$bin/vitrine-server" serve --listen 127.0.0.1:0 --data-dir "$work/newer/data"
