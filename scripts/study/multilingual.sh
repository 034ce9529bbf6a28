#!/usr/bin/env bash
# Compares the default text encoder, multilingual-e5-small, and both as one: searches in English, Chinese and German,
# hybrid and by vector.
set -euo pipefail
bin=$1
here=$(cd "$(dirname "$0")" && pwd)
repository=$here/../..
source "$here/../demo/serve.sh"
[[ -d $VITRINE_DATA/home-depot ]] || { echo "no $VITRINE_DATA/home-depot: set VITRINE_DATA to the folder that holds it" >&2; exit 1; }
work=$VITRINE_CACHE/bench/multilingual
mkdir -p "$work"
python3 "$here/relevance.py" "$VITRINE_DATA" "$work"
python3 "$here/multilingual.py" "$repository" "$work"
cp "$repository/benches/data/shop/catalog.csv" "$work/shop.csv"
models=$VITRINE_MODELS

# evaluate ENCODER: one line per set of queries and mode.
evaluate() {
  local encoder=$1 set collection
  export VITRINE_MODELS=$work/$encoder
  mkdir -p "$VITRINE_MODELS"
  ln -sfn "$models"/* "$VITRINE_MODELS/"
  [[ $encoder == all-minilm-l6-v2 ]] || "$bin/vitrine-indexer" models use "$encoder" > "$work/$encoder.json"
  for collection in shop abt-buy chinese depot; do
    "$bin/vitrine-indexer" index --source "$work/$collection.csv" --data "$work/data-$encoder" --collection "$collection" 2> "$work/$encoder.log"
  done
  start_server "$bin" "$work/data-$encoder" --listen 127.0.0.1:0
  for set in shop-paraphrase shop-exact shop-words shop-mixed shop-words-de shop-words-zh chinese-queries abt-buy-judgments depot-queries; do
    collection=${set%%-*}
    [[ $collection == abt ]] && collection=abt-buy
    echo "== $encoder, $set =="
    "$bin/vitrine-indexer" evaluate search --server "$URL" --collection "$collection" --judgments "$work/$set.csv" --show 0 \
      --search 'hybrid={}' --search 'vector={"mode": "vector"}'
  done
  kill "$SERVER_PID"
  wait "$SERVER_PID" || true
  trap - EXIT
}

for encoder in ${BENCH_MULTILINGUAL:-all-minilm-l6-v2 multilingual-e5-small minilm-e5}; do
  evaluate "$encoder"
done
