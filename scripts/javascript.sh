#!/usr/bin/env bash
# Puts the stock JavaScript client into target/javascript, once.
set -euo pipefail

version=1.3.0
folder=target/javascript
stamp=$folder/.a2a-js-sdk-$version
[[ -e $stamp ]] && exit
mkdir -p "$folder"
npm install --prefix "$folder" --no-save --no-package-lock --no-audit --no-fund --silent \
  "@a2a-js/sdk@$version"
touch "$stamp"
