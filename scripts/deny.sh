#!/usr/bin/env bash
# Holds the dependencies against deny.toml, with a pinned cargo-deny below target/tools. Known vulnerabilities are
# looked for if the database of RustSec is at hand, here or over the network.
set -euo pipefail

version=0.20.2
tools=target/tools
database=${CARGO_HOME:-$HOME/.cargo}/advisory-dbs

if [[ ! -x $tools/bin/cargo-deny || $("$tools/bin/cargo-deny" --version) != *"$version" ]]; then
  echo "building cargo-deny $version"
  cargo install --quiet --locked --root "$tools" --target-dir "$tools/build" "cargo-deny@$version"
  rm -rf "$tools/build"
fi

deny() {
  "$tools/bin/cargo-deny" --locked "$@"
}

deny --offline check licenses bans sources
if timeout 60 "$tools/bin/cargo-deny" fetch db >/dev/null 2>&1 || compgen -G "$database/*/.git" >/dev/null; then
  deny --offline check advisories
else
  echo "advisories were not looked at: the database cannot be reached"
fi
