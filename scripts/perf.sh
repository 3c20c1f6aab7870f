#!/usr/bin/env bash
# Installs perf, which samples a running process, if it is missing.
set -euo pipefail

command -v perf >/dev/null && exit
sudo=$([[ $EUID -eq 0 ]] || echo sudo)
$sudo apt-get update -qq
DEBIAN_FRONTEND=noninteractive $sudo apt-get install -y -qq --no-install-recommends linux-perf
