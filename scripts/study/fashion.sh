#!/usr/bin/env bash
# Indexes images and texts of the fashion catalog, with a kill -9 in the middle, resumes, and measures retrieval quality.
set -euo pipefail
bin=$1
here=$(cd "$(dirname "$0")" && pwd)
source "$here/../demo/serve.sh"
catalog=$VITRINE_DATA/fashion/styles.csv
[[ -f $catalog ]] || { echo "no $catalog: set VITRINE_DATA to the folder that holds fashion/" >&2; exit 1; }
data=$VITRINE_CACHE/fashion
rm -rf "$data"

# exec: the background process is the indexer itself, not a shell around it
index() { exec "$bin/vitrine-indexer" index --source "$catalog" --data "$data" --mapping "$here/../../indexer/examples/$1.toml" --collection "$1" "${@:2}"; }

echo "indexing; kill -9 after ${KILL_AFTER:-40} s"
index fashion & pid=$!
sleep "${KILL_AFTER:-40}"
kill -9 $pid && echo "killed"
wait $pid 2>/dev/null || true
echo "indexing again"
(index fashion)
(index fashion-images --limit 1000)

start_server "$bin" "$data" --listen 127.0.0.1:0
python3 "$here/fashion.py" "$URL" "$catalog"
