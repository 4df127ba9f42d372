#!/bin/bash
# First process of a host: gives it its network, its root and its mounts, then becomes sshd.
# Arguments: the lab's directory, the host. Runs in namespaces of its own, in the lab's pid namespace.
# shellcheck disable=SC2154
set -eu
lab=$1 host=$2
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=common.sh
. "$here/common.sh"
# shellcheck source=fleet.sh
. "$here/fleet.sh"
look_up "$host"
directory=$lab/hosts/$host
disk=$directory/disk
root=$directory/root
read -r site _ <"$lab/site"

# As seen from outside: /proc is not ours yet.
read -r pid _ </proc/self/stat
started=$(cut -d" " -f22 "/proc/$pid/stat")
printf '%s %s\n' "$pid" "$started" >"$directory/pid.new"
mv "$directory/pid.new" "$directory/pid"

cable() { ip link add "$1" type veth peer name "$2" netns "/proc/$site/ns/net"; }

plug() { # interface, its other end, address
	# The kernel takes a while to clear away the cable of a host that has just been switched off.
	if ! cable "$1" "$2"; then
		nsenter --net="/proc/$site/ns/net" ip link delete "$2"
		cable "$1" "$2"
	fi
	ip address add "$3/24" dev "$1"
	ip link set "$1" up
	nsenter --net="/proc/$site/ns/net" ip link set "$2" master "$(bridge_of "$3")" up
}

network() {
	ip link set lo up
	plug lan0 "$host" "$address"
	ip route add default via "$(router_of "$address")"
	[ "$vpn" = - ] || plug vpn0 "$host-vpn" "$vpn"
}

devices() {
	mount -t tmpfs -o mode=755,size=1m dev "$root/dev"
	local node
	for node in null zero full random urandom tty; do
		cp -a "/dev/$node" "$root/dev/$node"
	done
	mkdir "$root/dev/pts" "$root/dev/shm" "$root/dev/lab"
	mount -t devpts -o newinstance,mode=620,ptmxmode=666 devpts "$root/dev/pts"
	mount -t tmpfs -o mode=1777,size=256m shm "$root/dev/shm"
	ln -s pts/ptmx "$root/dev/ptmx"
	ln -s /proc/self/fd "$root/dev/fd"
	ln -s fd/0 "$root/dev/stdin"
	ln -s fd/1 "$root/dev/stdout"
	ln -s fd/2 "$root/dev/stderr"
	# Below /dev, since a clean room that has devices at all has this too, writable.
	mount --bind "$lab/shared" "$root/dev/lab"
}

# As on a machine of its own the root of the tree is free of processes, so that controllers can be switched on in it.
cgroups() {
	[ -n "$(lab_cgroup "$lab")" ] || return 0
	mount -t cgroup2 cgroup2 "$root/sys/fs/cgroup"
	mkdir -p "$root/sys/fs/cgroup/init"
	echo 0 >"$root/sys/fs/cgroup/init/cgroup.procs"
}

mounts() {
	mount -t overlay "$host" -o "lowerdir=/,upperdir=$disk/upper,workdir=$disk/work" "$root"
	mount -t proc proc "$root/proc"
	# The kernel has one for all; a host that was off has to have another one.
	cat /proc/sys/kernel/random/uuid >"$directory/boot_id"
	mount --bind -o ro "$directory/boot_id" "$root/proc/sys/kernel/random/boot_id"
	mount -t sysfs sysfs "$root/sys"
	cgroups
	devices
	mount -t tmpfs -o mode=755,size=64m run "$root/run"
	mkdir "$root/run/sshd" "$root/run/lock"
	# The disk itself and not the overlay over it: the upper layer of a clean room may not lie on an overlay.
	mount --bind "$disk/workdir" "$root/var/lib/swarm"
	mkdir -p "$root$PORTAGE_VENV"
	mount --bind -o ro "$PORTAGE_VENV" "$root$PORTAGE_VENV"
}

hostname "$host"
network
mounts
cd "$root"
mkdir -p old
pivot_root . old
umount -l /old
rmdir /old
cd /
exec env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root \
	/usr/sbin/sshd -D -E /var/log/sshd.log -f /etc/ssh/lab_config
