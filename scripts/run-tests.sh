#!/usr/bin/env bash
# Runs every Rust test with nextest where it is installed, with cargo's own runner elsewhere.
set -euo pipefail
if cargo nextest --version >/dev/null 2>&1; then
  cargo nextest run --release --workspace --no-fail-fast
else
  cargo test --release --workspace --no-fail-fast --lib --bins --tests
fi
