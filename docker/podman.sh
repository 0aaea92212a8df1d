#!/usr/bin/env bash
# podman with a store and settings of its own, for machines that are containers or small virtual machines themselves:
# limits that need no CAP_SYS_RESOURCE, runc (crun refuses hybrid cgroups), the host's network (no plugins needed).
set -euo pipefail
cache=${IMAGE_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/panoptic-image}
mkdir -p "$cache/store" "$cache/run"
cat > "$cache/containers.conf" <<SETTINGS
[containers]
default_ulimits = ["nofile=4096:4096", "nproc=4096:4096"]
netns = "host"
log_driver = "k8s-file"
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "file"
SETTINGS
cat > "$cache/storage.conf" <<SETTINGS
[storage]
driver = "overlay"
graphroot = "$cache/store"
runroot = "$cache/run"
SETTINGS
export CONTAINERS_CONF="$cache/containers.conf" CONTAINERS_STORAGE_CONF="$cache/storage.conf"
exec podman "$@"
