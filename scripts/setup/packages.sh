#!/usr/bin/env bash
# Installs the system packages that the build needs, unless they are present.
set -euo pipefail

need=()
command -v c++ >/dev/null || need+=(build-essential)
# not libclang-cpp, which is another library
ldconfig -p 2>/dev/null | grep -E 'libclang(-[0-9]+)?[.]so' >/dev/null || compgen -G '/usr/lib/llvm-*/lib/libclang[.-][0-9s]*' >/dev/null || need+=(libclang-dev)
# bindgen also wants clang's own headers (stddef.h); gcc's do as well, libclang-dev brings them
command -v curl >/dev/null || need+=(curl)
command -v npm >/dev/null || need+=(npm)
command -v pip3 >/dev/null || command -v pip >/dev/null || need+=(python3-pip)
python3 -c 'import ensurepip, venv' 2>/dev/null || need+=(python3-venv)

if ((${#need[@]})); then
  if [[ $(id -u) == 0 ]]; then
    echo "installing: ${need[*]}"
    apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq "${need[@]}" >/dev/null
  else
    echo "missing system packages; run this once, then try again:" >&2
    echo "  sudo apt-get install -y ${need[*]}" >&2
    exit 1
  fi
fi
command -v cargo >/dev/null || { echo "cargo is missing: install Rust 1.89 or newer (rustup.rs)" >&2; exit 1; }
