#!/usr/bin/env bash
# Fuzzes each target in turn. Usage: run.sh BINARY FOLDER
#
# FUZZ_SECONDS is the time of each target, FUZZ_TARGETS their names (default: all). FOLDER keeps the
# inputs that were found, from run to run; the committed ones of fuzz/corpus/ are always read too.
# An input that crashes is written to FOLDER/crashes/, and the command that repeats it is printed.
set -uo pipefail
cd "$(dirname "$0")/../.."
binary=$1 folder=$2
seconds=${FUZZ_SECONDS:-600}
targets=${FUZZ_TARGETS:-$(ls fuzz/corpus)}
mkdir -p "$folder/crashes"
TMPDIR=$(mktemp -d /dev/shm/vitrine-fuzz.XXXXXX 2>/dev/null || mktemp -d)
export TMPDIR
trap 'rm -rf "$TMPDIR"' EXIT

total=0 crashed=()
for target in ${targets//,/ }; do
  found=$folder/corpus/$target
  log=$folder/$target.log
  mkdir -p "$found"
  options=(-max_total_time="$seconds" -timeout=20 -rss_limit_mb=4096 -print_final_stats=1
    -max_len="${FUZZ_MAX_LEN:-4096}" -artifact_prefix="$folder/crashes/$target-")
  dictionary=fuzz/dictionaries/$target.dict
  [ -f "$dictionary" ] && options+=(-dict="$dictionary")
  VITRINE_FUZZ_TARGET=$target "$binary" "${options[@]}" "$found" "fuzz/corpus/$target" >"$log" 2>&1
  status=$?
  runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")
  covered=$(grep -oE 'cov: [0-9]+' "$log" | tail -1)
  total=$((total + ${runs:-0}))
  printf '%-14s %10d inputs, %s, exit %d\n' "$target" "${runs:-0}" "${covered:-cov: 0}" "$status"
  if [ "$status" -ne 0 ]; then
    crashed+=("$target")
    grep -m5 -E 'panicked|ERROR|SUMMARY|allocation of' "$log" | sed 's/^/  /'
    input=$(sed -n 's/^artifact_prefix.*Test unit written to //p' "$log" | tail -1)
    echo "  repeat it: VITRINE_FUZZ_TARGET=$target $binary $input"
    echo "  the log: $log"
  fi
done
echo "$total inputs in all, crashes in: ${crashed[*]:-none}"
[ ${#crashed[@]} -eq 0 ]
