#!/usr/bin/env bash
# The fashion catalog, live, goes over to a space with trained heads and back, under queries: the run is killed once (kill -9) and
# goes on. Prints what the queries saw.
set -euo pipefail
bin=$1
here=$(cd "$(dirname "$0")" && pwd)
source "$here/serve.sh"
folder=${VITRINE_DATA:-$here/../../shared/data}/fashion
[[ -f $folder/styles.csv ]] || { echo "no $folder/styles.csv: set VITRINE_DATA to the folder that holds fashion/" >&2; exit 1; }
work=$VITRINE_CACHE/reembed
rm -rf "$work/data" "$work/models/heads"
mkdir -p "$work/models"
# Heads of its own: those in use elsewhere stay as they are.
for model in "$VITRINE_MODELS"/*; do
  case $(basename "$model") in heads | features) ;; *) ln -sfn "$model" "$work/models/" ;; esac
done
export VITRINE_MODELS=$work/models
mapping=$here/../indexer/examples/fashion.toml

# The last thousand are asked for, so the heads do not learn from them.
{ head -1 "$folder/styles.csv"; tail -n +2 "$folder/styles.csv" | head -n -1000; } > "$work/learned.csv"
tail -n 1000 "$folder/styles.csv" | cut -d, -f1 > "$work/held-out.txt"

"$bin/vitrine-indexer" index --source "$folder/styles.csv" --data "$work/data" --mapping "$mapping" --collection fashion
"$bin/vitrine-indexer" train head --source "$work/learned.csv" --mapping "$mapping" --photos "$folder" --name trained --epochs "${EPOCHS:-10}" > "$work/training.json"
start_server "$bin" "$work/data" --listen 127.0.0.1:0
python3 "$here/reembed_load.py" "$URL" "$folder" "$bin/vitrine-indexer" "$work/held-out.txt"
