#!/usr/bin/env bash
# Re-embeds the live fashion catalog with trained heads, switches and rolls back, under queries. The run is killed once (kill -9) and
# resumed. Prints latencies and errors of the queries.
set -euo pipefail
bin=$1
here=$(cd "$(dirname "$0")" && pwd)
source "$here/../demo/serve.sh"
folder=$VITRINE_DATA/fashion
[[ -f $folder/styles.csv ]] || { echo "no $folder/styles.csv: set VITRINE_DATA to the folder that holds fashion/" >&2; exit 1; }
work=$VITRINE_CACHE/reembed
rm -rf "$work/data" "$work/models/heads"
mkdir -p "$work/models"
# A models folder of its own: the active heads of the other one stay unchanged.
for model in "$VITRINE_MODELS"/*; do
  case $(basename "$model") in heads | features) ;; *) ln -sfn "$model" "$work/models/" ;; esac
done
export VITRINE_MODELS=$work/models
mapping=$here/../../indexer/examples/fashion.toml

# The last thousand items are queried, so the heads are not trained on them.
{ head -1 "$folder/styles.csv"; tail -n +2 "$folder/styles.csv" | head -n -1000; } > "$work/learned.csv"
tail -n 1000 "$folder/styles.csv" | cut -d, -f1 > "$work/held-out.txt"

"$bin/vitrine-indexer" index --source "$folder/styles.csv" --data "$work/data" --mapping "$mapping" --collection fashion
"$bin/vitrine-indexer" train head --source "$work/learned.csv" --mapping "$mapping" --images "$folder" --name trained --epochs "${EPOCHS:-10}" > "$work/training.json"
start_server "$bin" "$work/data" --listen 127.0.0.1:0
python3 "$here/reembed.py" "$URL" "$folder" "$bin/vitrine-indexer" "$work/held-out.txt"
