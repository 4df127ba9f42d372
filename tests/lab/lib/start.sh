#!/bin/bash
# Gives a host its disk, where it has none yet, and starts its first process.
# Arguments: the lab's directory, the host. Runs inside the lab's mount, network and pid namespace.
set -eu
lab=$1 host=$2
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=common.sh
. "$here/common.sh"
# shellcheck source=fleet.sh
. "$here/fleet.sh"
# shellcheck source=disk.sh
. "$here/disk.sh"
look_up "$host"
directory=$lab/hosts/$host
disk=$directory/disk

mkdir -p "$disk" "$directory/root"
if ! mountpoint -q "$disk"; then
	mount -t tmpfs -o "mode=755,size=$(cat "$directory/size")" "$host" "$disk"
	fill_disk
fi
# The host's own cgroup, the root of what it sees of the tree.
cgroup=$(lab_cgroup "$lab")
if [ -n "$cgroup" ] && mkdir -p "$cgroup/$host"; then
	echo 0 >"$cgroup/$host/cgroup.procs"
fi
setsid unshare --mount --propagation private --pid --uts --ipc --net --cgroup --fork \
	/bin/bash "$here/host.sh" "$lab" "$host" </dev/null >>"$directory/boot.log" 2>&1 &
