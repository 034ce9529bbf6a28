#!/usr/bin/env bash
# Runs every Rust test with nextest if it is installed, else with cargo's own runner.
set -euo pipefail
if cargo nextest --version >/dev/null 2>&1; then
  cargo nextest run --release --workspace --no-fail-fast
else
  cargo test --release --workspace --no-fail-fast --lib --bins --tests
fi
