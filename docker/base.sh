#!/usr/bin/env bash
# Make a base image of Debian's own packages, for a machine that reaches no registry: `docker/base.sh NAME`.
# It stands in for the Dockerfile's BASE, has Python 3.11 like it, and is made once: the tar is kept in the cache.
set -euo pipefail
name=$1
here=$(dirname "$0")
cache=${IMAGE_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/panoptic-image}
"$here/podman.sh" image exists "$name" && exit 0
command -v mmdebstrap >/dev/null || {
    echo "A local base needs mmdebstrap (apt install mmdebstrap), or name another: make image BASE=python:3.11-slim-bookworm" >&2
    exit 2
}
mkdir -p "$cache"
if [ ! -f "$cache/base.tar" ]; then
    mmdebstrap --quiet --variant=minbase --include=ca-certificates,libstdc++6,python3,python3-venv \
        --aptopt='APT::Install-Recommends "false"' bookworm "$cache/base.part.tar"
    mv "$cache/base.part.tar" "$cache/base.tar"
fi
"$here/podman.sh" import --quiet "$cache/base.tar" "$name" >/dev/null
