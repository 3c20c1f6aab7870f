#!/usr/bin/env bash
# Puts the stock Python client into target/python, once.
set -euo pipefail

version=1.3.0
stamp=target/python/.a2a-sdk-$version
[[ -e $stamp ]] && exit 0
python3 -m venv target/python
target/python/bin/pip install --quiet "a2a-sdk[http-server]==$version" httpx
touch "$stamp"
