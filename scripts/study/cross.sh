#!/usr/bin/env bash
# Ablation: cross-category similar items, titles and images vs. images only, with and without heads.
#
# Data: the fashion catalog, with heads trained on the items that are not queried; Amazon purchases in two categories; the demo's
# grocery, with heads trained on earlier baskets.
set -euo pipefail
bin=$1 data=$VITRINE_DATA
shift
here=$(cd "$(dirname "$0")" && pwd)
[[ -d $data/fashion ]] || { echo "no $data/fashion: set VITRINE_DATA to the folder that holds it" >&2; exit 1; }
work=$VITRINE_CACHE/bench/cross
mkdir -p "$work"

for name in fashion fashion-images; do
  "$bin/vitrine-indexer" index --source "$data/fashion/styles.csv" --data "$work/fashion" --mapping "$here/../../indexer/examples/$name.toml" --collection "$name"
done

# Heads learn from titles and images of the half that is not queried; the collection has images only. All items are candidates.
learned=choose
[[ " $* " == *" choose "* ]] && learned=report
models=$work/models
rm -rf "$models" "$work/heads"
mkdir -p "$models"
for model in "$VITRINE_MODELS"/*/vitrine-model.json; do ln -s "$(dirname "$model")" "$models/"; done
"$bin/examples/cross" catalog --catalog "$data/fashion/styles.csv" --part "$learned" >"$work/$learned.csv"
"$bin/vitrine-indexer" train head --source "$work/$learned.csv" --images "$data/fashion" --mapping "$here/../../indexer/examples/fashion.toml" \
  --models-dir "$models" --features "$VITRINE_CACHE/bench/features" --name "$learned" --activate >"$work/heads.json"
"$bin/vitrine-indexer" index --source "$data/fashion/styles.csv" --data "$work/heads" --mapping "$here/../../indexer/examples/fashion-images.toml" \
  --models-dir "$models" --collection fashion-images

"$bin/vitrine-indexer" sample get --name grocery --dir "$VITRINE_CACHE/demo/grocery"
rm -rf "$work/grocery"
"$bin/vitrine-indexer" index --source "$VITRINE_CACHE/demo/grocery/products.jsonl" --data "$work/grocery" --collection grocery

echo; echo "== fashion, vectors of titles with categories, of images, and of both =="
"$bin/examples/cross" style --data "$work/fashion" --collection fashion "$@"
echo; echo "== fashion by images alone =="
"$bin/examples/cross" style --data "$work/fashion" --collection fashion-images --spaces shared,image "$@"
echo; echo "== fashion by images alone, heads trained on the other half =="
"$bin/examples/cross" style --data "$work/heads" --collection fashion-images --spaces shared "$@"
echo; echo "== Amazon: sports and clothing =="
"$bin/examples/cross" pairs --data "$data/amazon-cross" "$@"
echo; echo "== grocery =="
"$bin/examples/cross" grocery --data "$work/grocery" --events "$VITRINE_CACHE/demo/grocery/events.jsonl" "$@"

echo; echo "== grocery, with heads trained on earlier baskets =="
"$bin/vitrine-indexer" heads clear --models-dir "$models"
"$bin/vitrine-indexer" train head --data "$work/grocery" --collection grocery --co-purchases --within-days 1 --models-dir "$models" --name baskets
"$bin/vitrine-indexer" heads use baskets --models-dir "$models"
rm -rf "$work/grocery-heads"
"$bin/vitrine-indexer" index --source "$VITRINE_CACHE/demo/grocery/products.jsonl" --data "$work/grocery-heads" --collection grocery --models-dir "$models"
"$bin/examples/cross" grocery --data "$work/grocery-heads" --events "$VITRINE_CACHE/demo/grocery/events.jsonl" "$@"
