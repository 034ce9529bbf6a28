#!/usr/bin/env bash
# Demo: indexes a sample shop with images and a sample grocery with a year of purchases, starts a server and sends queries.
# May be run again.
set -euo pipefail
bin=$1
here=$(cd "$(dirname "$0")" && pwd)
demo=$VITRINE_CACHE/demo
source "$here/serve.sh"

"$bin/vitrine-indexer" sample get --dir "$demo/shop"
if [[ ! -f $demo/indexed ]]; then
  "$bin/vitrine-indexer" index --source "$demo/shop/products.csv" --format vendure \
    --data "$demo/data" --collection shop --rejects "$demo/rejects.jsonl"
  touch "$demo/indexed"
fi

"$bin/vitrine-indexer" sample get --name grocery --dir "$demo/grocery"
if [[ ! -f $demo/grocery-indexed ]]; then
  echo "A grocery: 6,000 products and 40,000 baskets of 800 households; a few minutes, once."
  "$bin/vitrine-indexer" index --source "$demo/grocery/products.jsonl" \
    --data "$demo/data" --collection grocery --rejects "$demo/rejects.jsonl"
  "$bin/vitrine-indexer" events import --source "$demo/grocery/events.jsonl" --data "$demo/data" --collection grocery
  touch "$demo/grocery-indexed"
fi

if [[ ! -f $demo/reports/grocery.json ]]; then
  mkdir -p "$demo/reports"
  "$bin/vitrine-indexer" evaluate recommend --events "$demo/grocery/events.jsonl" --relevant all \
    --model popularity --model item-knn --model graph-filter:rank=64 --json "$demo/reports/grocery.json" >/dev/null
fi

start_server "$bin" "$demo/data" --listen "${VITRINE_LISTEN:-127.0.0.1:7280}" \
  --images-root "$demo/shop" --reports-dir "$demo/reports"

show() { python3 -c '
import json, sys
for n, h in enumerate(json.load(sys.stdin)["hits"], 1):
    i = h["item"]
    score, title, category = h["score"], i.get("title", i["id"]), i.get("category", "")
    print(f"  {n}. {score:.3f}  {title}  [{category}]")'; }
post() { curl -fsS -H 'content-type: application/json' --data-binary @- "$URL/v1/collections/shop/search"; }

echo; echo "1. text: \"something to take pictures with\""
echo '{"query": {"text": "something to take pictures with"}, "limit": 3}' | post | show
images=("$demo"/shop/images/*.jpg)
image=${images[0]}
echo; echo "2. image: $(basename "$image")"
printf '{"query": {"image": "%s"}, "limit": 3}' "$(base64 -w0 "$image")" | post | show
item=$(echo '{"query": {"text": "laptop"}, "limit": 1}' | post | python3 -c 'import json,sys; print(json.load(sys.stdin)["hits"][0]["id"])')
echo; echo "3. similar to \"$item\" in other categories"
curl -fsS "$URL/v1/collections/shop/items/$item/similar?scope=cross&limit=3" | show

echo; echo "4. recommended to a user who likes it, with the reason"
echo "{\"positives\": [{\"id\": \"$item\"}], \"limit\": 3}" |
  curl -fsS -H 'content-type: application/json' --data-binary @- "$URL/v1/collections/shop/recommend" |
  python3 -c '
import json, sys
for n, h in enumerate(json.load(sys.stdin)["hits"], 1):
    print("  {}. {}: {}".format(n, h["item"].get("title", h["id"]), h["reason"]["text"]))'

# Prints a command, then its results.
ask() { echo "   $1"; bash -c "$1" | python3 -c '
import json, sys
for n, h in enumerate(json.load(sys.stdin)["hits"], 1):
    print("  {}. {}  [{}]\n     {}".format(n, h["item"]["title"], h["item"]["category"], h["reason"]["text"]))'; }
grocery=$URL/v1/collections/grocery
field() { python3 -c 'import json, sys; print(json.load(sys.stdin)[sys.argv[1]])' "$1"; }
# The server also trains in the background.
task=$(curl -fsS -X POST "$grocery/train?wait=false" | field id)
state=running
while [[ $state == running ]]; do sleep 0.5; state=$(curl -fsS "$URL/v1/tasks/$task" | field state); done
[[ $state == done ]] || { echo "the training failed" >&2; exit 1; }
coffee=$(echo '{"query": {"text": "ground coffee"}, "limit": 1}' | curl -fsS -H 'content-type: application/json' \
  --data-binary @- "$grocery/search" | python3 -c 'import json,sys; print(json.load(sys.stdin)["hits"][0]["id"])')
household=$(head -1 "$demo/grocery/events.jsonl" | python3 -c 'import json,sys; print(json.loads(sys.stdin.readline())["user"])')
echo; echo "5. bought together with ground coffee (product $coffee)"
ask "curl -fsS '$grocery/items/$coffee/bought_together?limit=3'"
echo; echo "6. the same, from other departments"
ask "curl -fsSG '$grocery/items/$coffee/bought_together' -d limit=3 --data-urlencode 'filter=NOT category = \"Grocery\"'"
echo; echo "7. for household $household, nothing it has bought before"
ask "curl -fsS $grocery/recommend -H 'content-type: application/json' -d '{\"user\": \"$household\", \"limit\": 3}'"

echo; echo "8. a category page: electronics by price, with facets"
echo '{"filter": "category = \"Electronics\"", "sort": ["price:asc"], "limit": 4,
  "facets": [{"field": "brand", "limit": 4}, {"field": "price", "ranges": [{"to": 100}, {"from": 100}]}]}' |
  post | python3 -c '
import json, sys
answer = json.load(sys.stdin)
for n, hit in enumerate(answer["hits"], 1):
    price = hit["offer"]["price"]
    print("  {}. {:8.2f} {}  {}".format(n, price["amount"], price.get("currency", ""), hit["item"]["title"]))
for facet in answer["facets"]["fields"]:
    counts = ["{} {}".format(v["value"], v["count"]) for v in facet["values"]]
    counts += ["{}-{} {}".format(r.get("from", ""), r.get("to", ""), r["count"]) for r in facet.get("ranges", [])]
    print("     {}: {}".format(facet["field"], ", ".join(counts)))'

cat <<END

open   $URL/console        to search and look around
       $URL/docs           the documents
       $URL/docs/api       the API, to read and try
       $URL/openapi.json   its description
       $URL/metrics        Prometheus
END
[[ ${VITRINE_DEMO_ONCE:-} ]] && exit 0
echo "Ctrl-C stops the server."
wait "$SERVER_PID"
