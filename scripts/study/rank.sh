#!/usr/bin/env bash
# Evaluates learning to rank on Home Depot's judgments: lexical, vector and hybrid search, then
# hybrid with a ranker on held-out queries (5 folds), and LightGBM on the same features and folds.
set -euo pipefail
bin=$1
python=$2
shift 2
here=$(cd "$(dirname "$0")" && pwd)
source "$here/../demo/serve.sh"
data=$VITRINE_DATA
[[ -d $data/home-depot ]] || { echo "no $data/home-depot: set VITRINE_DATA to the folder that holds it" >&2; exit 1; }
work=$VITRINE_CACHE/bench/relevance
mkdir -p "$work"
python3 "$here/relevance.py" "$data" "$work"

"$bin/vitrine-indexer" index --source "$work/home-depot.csv" --data "$work/data" --collection home-depot
start_server "$bin" "$work/data" --listen 127.0.0.1:0
here_args=(--server "$URL" --collection home-depot --judgments "$work/home-depot-judgments.csv")
"$bin/vitrine-indexer" evaluate search "${here_args[@]}" --show 0 \
  --search 'hybrid={"rerank":false}' --search 'lexical={"mode":"lexical"}' --search 'vector={"mode":"vector"}'
echo
echo "== hybrid with a ranker =="
"$bin/vitrine-indexer" train rank "${here_args[@]}" --dry-run --export "$work/rank" "$@"
echo
echo "== LightGBM on the same features and folds =="
"$python" "$here/../../benches/harness/lightgbm_peer.py" "$work/rank"
