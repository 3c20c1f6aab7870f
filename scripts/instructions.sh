#!/usr/bin/env bash
# Counts the instructions of what the host does most often, against their limits. The runner that this needs
# has the version of its library in Cargo.lock, and is built below target/toolchains, once.
set -euo pipefail

if [[ $(uname -m) != x86_64 ]]; then
  echo "the limits of instructions were measured on x86-64: nothing is counted here"
  exit
fi

tools=$PWD/target/toolchains/gungraun
version=$(sed -n '/^name = "gungraun-runner"$/{n;s/version = "\(.*\)"/\1/p}' Cargo.lock)
stamp=$tools/.gungraun-runner-$version

if [[ ! -e $stamp ]]; then
  cargo install --quiet --locked --root "$tools" --target-dir "$tools/build" "gungraun-runner@$version"
  rm -r "$tools/build"
  touch "$stamp"
fi

# The profile `bench` is `release` by another name, so nothing is compiled twice.
PATH=$tools/bin:$PATH cargo bench --workspace --locked --bench instructions
