#!/usr/bin/env bash
# Builds the test workers in Python and in JavaScript, with pinned tools below target/toolchains. Does nothing
# if nothing changed.
set -euo pipefail

componentize_py=0.25.1
componentize_js=0.23.0
tools=target/toolchains
guests=tests/stock
built=target/guests

# Whether $1 is missing, or older than anything below the other arguments.
outdated() {
  local output=$1
  shift
  [[ ! -e $output ]] || [[ -n $(find "$@" -newer "$output" -print -quit) ]]
}

python() {
  local stamp=$tools/python/.componentize-py-$componentize_py
  [[ -e $stamp ]] && return
  python3 -m venv "$tools/python"
  "$tools/python/bin/pip" install --quiet "componentize-py==$componentize_py"
  touch "$stamp"
}

js() {
  local stamp=$tools/js/.componentize-js-$componentize_js
  [[ -e $stamp ]] && return
  mkdir -p "$tools/js"
  npm install --prefix "$tools/js" --no-save --no-package-lock --no-audit --no-fund --silent \
    "@bytecodealliance/componentize-js@$componentize_js"
  touch "$stamp"
}

mkdir -p "$tools" "$built"

if outdated "$built/stock-python.wasm" wit "$guests/python" scripts/guests.sh; then
  python
  # `poll_loop` expects the types of `wasi:http` under this name, which both packages have.
  "$tools/python/bin/componentize-py" --quiet -d wit -d "$guests/python/worker.wit" \
    --world taskyard:stock-python/stock --import-interface-name "wasi:http/types@0.2.12=types" \
    componentize --python-path "$guests/python" stock -o "$built/stock-python.wasm"
fi

if outdated "$built/stock-js.wasm" wit "$guests/js" scripts/guests.sh; then
  js
  # Workers serve no requests.
  node "$tools/js/node_modules/@bytecodealliance/componentize-js/src/cli.js" \
    "$guests/js/worker.js" --wit wit --world-name worker --disable fetch-event \
    -o "$built/stock-js.wasm"
fi
