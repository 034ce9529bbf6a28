#!/usr/bin/env bash
# Evaluates lexical, vector and hybrid search on Home Depot (graded judgments) and Abt-Buy (matching products).
set -euo pipefail
bin=$1
here=$(cd "$(dirname "$0")" && pwd)
source "$here/../demo/serve.sh"
data=$VITRINE_DATA
[[ -d $data/home-depot ]] || { echo "no $data/home-depot: set VITRINE_DATA to the folder that holds it" >&2; exit 1; }
work=$VITRINE_CACHE/bench/relevance
mkdir -p "$work"
python3 "$here/relevance.py" "$data" "$work"

for name in home-depot abt-buy; do
  "$bin/vitrine-indexer" index --source "$work/$name.csv" --data "$work/data" --collection "$name"
done
start_server "$bin" "$work/data" --listen 127.0.0.1:0
for name in home-depot abt-buy; do
  echo
  echo "== $name =="
  "$bin/vitrine-indexer" evaluate search --server "$URL" --collection "$name" --judgments "$work/$name-judgments.csv" ${BENCH_RELEVANCE:-}
done
