#!/usr/bin/env bash
# Runs schemathesis against a real server: no 5xx, no undocumented status, answers as described.
set -euo pipefail
bin=$1 venv=$2
here=$(cd "$(dirname "$0")" && pwd)
source "$here/serve.sh"
data=$(mktemp -d)
start_server "$bin" "$data" --listen 127.0.0.1:0
"$venv/bin/schemathesis" run "$URL/openapi.json" --url "$URL" \
  --checks not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance \
  --max-examples "${EXAMPLES:-30}" --exclude-path /docs
