#!/usr/bin/env bash
# Evaluates hybrid, full-text and vector search on the blind shop of benches/data/shop: paraphrases without a common word,
# exact names and model numbers, ordinary words, and natural sentences.
set -euo pipefail
bin=$1
here=$(cd "$(dirname "$0")" && pwd)
source "$here/../demo/serve.sh"
shop=$here/../../benches/data/shop
work=$VITRINE_CACHE/bench/paraphrases
mkdir -p "$work"

python3 - "$shop/judgments.csv" "$work" <<'END'
import csv, sys
from pathlib import Path

judgments, work = Path(sys.argv[1]), Path(sys.argv[2])
rows = list(csv.DictReader(judgments.open(encoding="utf-8")))
for kind in ("paraphrase", "exact", "words", "mixed"):
    with (work / f"{kind}.csv").open("w", newline="", encoding="utf-8") as file:
        out = csv.writer(file)
        out.writerow(["query", "item", "relevance"])
        out.writerows([r["query"], r["item"], r["relevance"]] for r in rows if r["kind"] == kind)
END

"$bin/vitrine-indexer" index --source "$shop/catalog.csv" --data "$work/data" --collection shop
start_server "$bin" "$work/data" --listen 127.0.0.1:0
for kind in paraphrase exact words mixed; do
  echo
  echo "== $kind =="
  "$bin/vitrine-indexer" evaluate search --server "$URL" --collection shop --judgments "$work/$kind.csv" --show 0
done
