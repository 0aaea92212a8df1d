#!/usr/bin/env bash
# Build one target of the Dockerfile: `docker/image.sh TARGET`, tagged panoptic-service:TARGET; prints its size.
# IMAGE_BASE names the base; without one it is made here of Debian's packages. PODMAN may be `docker`. TENSORRT is the
# package of the targets gpu and export, as the Dockerfile tells.
set -euo pipefail
target=$1
here=$(cd "$(dirname "$0")" && pwd)
podman=${PODMAN:-$here/podman.sh}
command -v "${podman%% *}" >/dev/null && command -v "${PODMAN:-podman}" >/dev/null || {
    echo "${PODMAN:-podman} is not installed (apt install podman runc), or name another: make image PODMAN=docker" >&2
    exit 2
}
options=()
if [ -z "${PODMAN:-}" ]; then
    # The host's certificates, for a network whose own authority the base does not know.
    options+=(--isolation=chroot --format=docker --volume=/etc/ssl/certs:/etc/ssl/certs:ro)
fi
base=${IMAGE_BASE:-}
if [ -z "$base" ]; then
    base=localhost/panoptic-base
    "$here/base.sh" "$base"
fi
if [ -n "${TENSORRT+stated}" ]; then
    options+=(--build-arg "TENSORRT=$TENSORRT")
fi
revision=$(git -C "$here" rev-parse HEAD 2>/dev/null || echo unknown)
"$podman" build "${options[@]}" --file "$here/Dockerfile" --target "$target" --build-arg "BASE=$base" \
    --build-arg "REVISION=$revision" --tag "panoptic-service:$target" "$here/.."
size=$("$podman" image inspect --format '{{.Size}}' "panoptic-service:$target")
echo "panoptic-service:$target is $((size / 1000000)) MB, of which its base $base has" \
    "$(($("$podman" image inspect --format '{{.Size}}' "$base") / 1000000)) MB"
