#!/usr/bin/env bash
# Runs schemathesis against a real server with two items: no 5xx, no undocumented status, responses as described.
set -euo pipefail
bin=$1 venv=$2
here=$(cd "$(dirname "$0")" && pwd)
source "$here/../demo/serve.sh"
work=$(mktemp -d)
start_server "$bin" "$work/data" --listen 127.0.0.1:0

put() { curl -fsS -o /dev/null -X PUT -H 'content-type: application/json' -d "$2" "$URL$1"; }
put /v1/collections/shop '{"attributes": {"color": "keyword", "size": "float"}, "vectors": {"shared": {"dim": 384}, "tiny": {"dim": 2}}}'
put /v1/collections/shop/items '[
  {"id": "SKU1", "title": "Red shoes", "category": "Clothing > Shoes", "attributes": {"color": "red"}, "vectors": {"tiny": [1, 2]}},
  {"id": "SKU2", "vectors": {"tiny": [2, 1]}}]'

run() {
  "$venv/bin/schemathesis" run "$URL/openapi.json" --url "$URL" \
    --checks not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance \
    --max-examples "${EXAMPLES:-30}" "$@"
}
# First existing names without operations that delete them, then arbitrary names with all operations.
cd "$work"
printf '[parameters]\n"path.c" = "shop"\n"path.id" = ["SKU1", "SKU2"]\n' >schemathesis.toml
run --exclude-operation-id drop_collection --exclude-operation-id delete_items --exclude-operation-id delete_item
rm schemathesis.toml
run
