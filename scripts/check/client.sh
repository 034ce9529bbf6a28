#!/usr/bin/env bash
# Embeds through the official openai client and compares with the vectors of the indexer.
set -euo pipefail
bin=$1 venv=$2
here=$(cd "$(dirname "$0")" && pwd)
source "$here/../demo/serve.sh"
data=$(mktemp -d)
start_server "$bin" "$data" --listen 127.0.0.1:0
own=$("$bin/vitrine-indexer" embed --text "red running shoes" --space text)
OWN=$own URL=$URL "$venv/bin/python" - <<'PY'
import json, math, os
from openai import OpenAI

client = OpenAI(base_url=os.environ["URL"] + "/v1", api_key="none")
own = json.loads(os.environ["OWN"])
own = own.get("vectors", own)["text"]
for encoding in ("float", "base64"):
    got = client.embeddings.create(model="any", input=["red running shoes", "blue"], encoding_format=encoding)
    vector = got.data[0].embedding
    if isinstance(vector, str):
        import base64, struct
        raw = base64.b64decode(vector)
        vector = struct.unpack(f"<{len(raw) // 4}f", raw)
    cosine = sum(a * b for a, b in zip(own, vector)) / math.hypot(*own) / math.hypot(*vector)
    print(f"{encoding}: {len(got.data)} vectors of {len(vector)}, cosine to the command line {cosine:.6f}")
    assert len(got.data) == 2 and cosine > 0.99999
PY
