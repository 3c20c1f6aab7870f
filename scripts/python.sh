#!/usr/bin/env bash
# Puts the stock Python clients into target/python and target/python-0.3, and schemathesis, which makes
# requests up from an OpenAPI document, into target/schemathesis; once each.
set -euo pipefail

# install FOLDER VERSION EXTRAS
install() {
    local stamp=$1/.a2a-sdk-$2-$3
    [[ -e $stamp ]] && return
    python3 -m venv "$1"
    "$1/bin/pip" install --quiet "a2a-sdk[$3]==$2" httpx
    touch "$stamp"
}

install target/python 1.3.0 http-server,grpc,signing
# The last client of the protocol's version 0.3.
install target/python-0.3 0.3.26 http-server

schemathesis=4.32.5
stamp=target/schemathesis/.schemathesis-$schemathesis
if [[ ! -e $stamp ]]; then
    python3 -m venv target/schemathesis
    target/schemathesis/bin/pip install --quiet "schemathesis==$schemathesis"
    touch "$stamp"
fi
