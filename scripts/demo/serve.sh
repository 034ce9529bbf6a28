# To be sourced. start_server BIN DATA [flags] starts a server on a free port, sets SERVER_PID and URL, and stops it at exit.
start_server() {
  local bin=$1 data=$2 file
  shift 2
  file=$(mktemp)
  rm -f "$file"
  "$bin/vitrine-server" serve --data-dir "$data" --models-dir "$VITRINE_MODELS" --address-file "$file" "$@" &
  SERVER_PID=$!
  trap 'kill $SERVER_PID 2>/dev/null; wait $SERVER_PID 2>/dev/null; true' EXIT
  for _ in $(seq 600); do
    [[ -s $file ]] && break
    kill -0 "$SERVER_PID" 2>/dev/null || { echo "the server exited before it was ready" >&2; return 1; }
    sleep 0.1
  done
  URL=http://$(cat "$file")
  rm -f "$file"
}
