#!/usr/bin/env bash
# RUSTC_WORKSPACE_WRAPPER of `make fuzz`: compiles the crates of the workspace, and no dependency,
# with the coverage instrumentation of libFuzzer. The flags are those of cargo-fuzz.
set -euo pipefail
case " $* " in
*" --crate-name "*) ;;
*) exec "$@" ;; # a question about the compiler
esac
exec "$@" --cfg fuzzing -Cpasses=sancov-module \
  -Cllvm-args=-sanitizer-coverage-level=4 \
  -Cllvm-args=-sanitizer-coverage-inline-8bit-counters \
  -Cllvm-args=-sanitizer-coverage-pc-table \
  -Cllvm-args=-sanitizer-coverage-trace-compares \
  -Cllvm-args=-simplifycfg-branch-fold-threshold=0
