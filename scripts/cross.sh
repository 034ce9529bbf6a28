#!/usr/bin/env bash
# Similar items of other categories: the fashion catalog with titles and by photos alone, without heads and with heads that have not
# seen the items asked about; Amazon purchases in two categories; the demo's grocery, without heads and with heads that learned from
# earlier baskets.
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

# Heads learn from titles and photos of the half that is not asked about; the collection has photos only. Any item may be found.
learned=choose
[[ " $* " == *" choose "* ]] && learned=report
models=$work/models
rm -rf "$models" "$work/heads"
mkdir -p "$models"
for model in "$VITRINE_MODELS"/*/vitrine-model.json; do ln -s "$(dirname "$model")" "$models/"; done
"$bin/examples/cross" catalog --catalog "$shared/fashion/styles.csv" --part "$learned" >"$work/$learned.csv"
"$bin/vitrine-indexer" train head --source "$work/$learned.csv" --photos "$shared/fashion" --mapping "$here/../indexer/examples/fashion.toml" \
  --models-dir "$models" --features "$VITRINE_CACHE/bench/features" --name "$learned" --activate >"$work/heads.json"
"$bin/vitrine-indexer" index --source "$shared/fashion/styles.csv" --data "$work/heads" --mapping "$here/../indexer/examples/fashion-photos.toml" \
  --models-dir "$models" --collection fashion-photos

"$bin/vitrine-indexer" sample get --name grocery --dir "$VITRINE_CACHE/demo/grocery"
rm -rf "$work/grocery"
"$bin/vitrine-indexer" index --source "$VITRINE_CACHE/demo/grocery/products.jsonl" --data "$work/grocery" --collection grocery

echo; echo "== fashion, vectors of titles with categories, of photos, and of both =="
"$bin/examples/cross" style --data "$work/fashion" --collection fashion "$@"
echo; echo "== fashion by photos alone =="
"$bin/examples/cross" style --data "$work/fashion" --collection fashion-photos --spaces shared,image "$@"
echo; echo "== fashion by photos alone, heads learned from the other half =="
"$bin/examples/cross" style --data "$work/heads" --collection fashion-photos --spaces shared "$@"
echo; echo "== Amazon: sport and cloth =="
"$bin/examples/cross" pairs --data "$shared/amazon-cross" "$@"
echo; echo "== grocery =="
"$bin/examples/cross" grocery --data "$work/grocery" --events "$VITRINE_CACHE/demo/grocery/events.jsonl" "$@"

echo; echo "== grocery, with heads that learned from the earlier baskets =="
"$bin/vitrine-indexer" heads clear --models-dir "$models"
"$bin/vitrine-indexer" train head --data "$work/grocery" --collection grocery --co-purchases --within-days 1 --models-dir "$models" --name baskets
"$bin/vitrine-indexer" heads use baskets --models-dir "$models"
rm -rf "$work/grocery-heads"
"$bin/vitrine-indexer" index --source "$VITRINE_CACHE/demo/grocery/products.jsonl" --data "$work/grocery-heads" --collection grocery --models-dir "$models"
"$bin/examples/cross" grocery --data "$work/grocery-heads" --events "$VITRINE_CACHE/demo/grocery/events.jsonl" "$@"
