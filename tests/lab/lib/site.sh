#!/bin/bash
# First process of a lab: holds its network and mount namespace and reaps what is orphaned there.
# All hosts live in its pid namespace: when it is killed, the kernel ends them all, with their mounts and interfaces.
# Arguments: the lab's directory.
set -eu
lab=$1
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=fleet.sh
. "$here/fleet.sh"

# /proc is still the one from outside, so this is the pid that others see.
read -r pid _ </proc/self/stat
started=$(cut -d" " -f22 "/proc/$pid/stat")

{
	echo "link set lo up"
	while read -r bridge address; do
		[ -n "$bridge" ] || continue
		echo "link add $bridge type bridge forward_delay 0"
		echo "address add $address dev $bridge"
		echo "link set $bridge up"
	done <<<"$NETWORKS"
} | ip -batch -
echo 1 >/proc/sys/net/ipv4/ip_forward

printf '%s %s\n' "$pid" "$started" >"$lab/site.new"
mv "$lab/site.new" "$lab/site"

while :; do
	sleep 1000 &
	wait $! || :
done
