#!/usr/bin/env bash
# Sends each kind of invalid input to the programs and prints the responses; fails unless each is a clear error.
set -euo pipefail
bin=$1
here=$(cd "$(dirname "$0")" && pwd)
source "$here/../demo/serve.sh"
work=$(mktemp -d)
"$bin/vitrine-indexer" sample get --dir "$work/shop" >/dev/null
images=("$work"/shop/images/*.jpg)
image=${images[0]}
key=$("$bin/vitrine-server" keys create --name test --actions read,write,admin --collections '*' --keys-file "$work/keys.toml" | tail -1)
start_server "$bin" "$work/data" --listen 127.0.0.1:0 --keys-file "$work/keys.toml" 2>/dev/null
URL=$URL KEY=$key IMAGE=$image python3 "$here/bad-input.py"

# Runs a command that must fail; prints its exit status and last line.
must_fail() {
  local name=$1 out status=0
  shift
  out=$("$@" 2>&1) || status=$?
  printf '%-34s exit %d  %s\n' "$name" $status "$(tail -1 <<<"$out")"
  [[ $status != 0 && $out != *panicked* ]] || { echo "not a clear error" >&2; exit 1; }
}
models=$work/models
cp -r "$VITRINE_MODELS" "$models"
rm "$models/all-minilm-l6-v2/model.safetensors"
must_fail "missing model file" "$bin/vitrine-indexer" embed --text shoes --models-dir "$models"
cp "$VITRINE_MODELS/efficientnet-lite0/model.safetensors" "$models/all-minilm-l6-v2/"
must_fail "weights of another architecture" "$bin/vitrine-indexer" embed --text shoes --models-dir "$models"
mkdir "$work/newer"
"$bin/vitrine-indexer" index --source "$work/shop/products.csv" --format vendure --limit 1 --data "$work/newer/data" --collection shop >/dev/null 2>&1
echo 99 >"$work/newer/data/VITRINE_FORMAT"
must_fail "data directory of a newer format" "$bin/vitrine-server" serve --listen 127.0.0.1:0 --data-dir "$work/newer/data"
