#!/usr/bin/env bash
# Writes openapi.json and one JSON Schema per type, or compares them with the committed files.
set -euo pipefail
mode=$1 bin=$2
root=$(cd "$(dirname "$0")/../.." && pwd)
out=$root/schemas
[[ $mode == check ]] && out=$(mktemp -d)
mkdir -p "$out/json"
"$bin/vitrine-server" openapi >"$out/openapi.json"
python3 - "$out" <<'PY'
import json, pathlib, sys
out = pathlib.Path(sys.argv[1])
api = json.loads((out / "openapi.json").read_text())
schemas = api["components"]["schemas"]
text = json.dumps(schemas).replace("#/components/schemas/", "#/$defs/")
defs = json.loads(text)

def uses(node, found):
    if isinstance(node, dict):
        ref = node.get("$ref", "")
        if ref.startswith("#/$defs/") and ref[8:] not in found:
            found.add(ref[8:])
            uses(defs[ref[8:]], found)
        for v in node.values():
            uses(v, found)
    elif isinstance(node, list):
        for v in node:
            uses(v, found)

for old in (out / "json").glob("*.json"):
    old.unlink()
for name in ("Item", "Event", "CollectionConfig", "Filter", "SearchRequest", "RecommendRequest"):
    found = set()
    uses(defs[name], found)
    schema = {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": name, **defs[name]}
    if found:
        schema["$defs"] = {k: defs[k] for k in sorted(found)}
    (out / "json" / f"{name}.json").write_text(json.dumps(schema, indent=2) + "\n")
PY
if [[ $mode == check ]]; then
  diff -u "$root/schemas/openapi.json" "$out/openapi.json" && diff -ru "$root/schemas/json" "$out/json" ||
    { echo "the committed contract is out of date: run 'make openapi' and read the difference" >&2; exit 1; }
fi
