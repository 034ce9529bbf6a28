#!/usr/bin/env bash
# Similar items of other categories: the fashion catalog with titles and by photos alone, Amazon purchases in two categories, and
# the demo's grocery.
set -euo pipefail
bin=$1 shared=$2
shift 2
here=$(cd "$(dirname "$0")" && pwd)
[[ -d $shared/fashion ]] || { echo "no $shared/fashion: set SHARED to the folder that holds it" >&2; exit 1; }
work=$VITRINE_CACHE/bench/cross
mkdir -p "$work"

for name in fashion fashion-photos; do
  "$bin/vitrine-indexer" index --source "$shared/fashion/styles.csv" --data "$work/fashion" --mapping "$here/../indexer/examples/$name.toml" --collection "$name"
done
"$bin/vitrine-indexer" sample get --name grocery --dir "$VITRINE_CACHE/demo/grocery"
rm -rf "$work/grocery"
"$bin/vitrine-indexer" index --source "$VITRINE_CACHE/demo/grocery/products.jsonl" --data "$work/grocery" --collection grocery

echo; echo "== fashion, vectors of titles with categories, of photos, and of both =="
"$bin/examples/cross" style --data "$work/fashion" --collection fashion "$@"
echo; echo "== fashion by photos alone =="
"$bin/examples/cross" style --data "$work/fashion" --collection fashion-photos --spaces shared,image "$@"
echo; echo "== Amazon: sport and cloth =="
"$bin/examples/cross" pairs --data "$shared/amazon-cross" "$@"
echo; echo "== grocery =="
"$bin/examples/cross" grocery --data "$work/grocery" --events "$VITRINE_CACHE/demo/grocery/events.jsonl" "$@"
