#!/bin/bash
# Has Debian's own cron read what `swarm schedule` writes. Everything that it reads and writes is of this script's own
# mount and process namespaces. Arguments: the program, an empty directory, the inventory.
set -u
swarm=$1 scratch=$2
export SWARM_INVENTORY=$3
mount -t proc proc /proc
for directory in /etc/cron.d /var/spool/cron /var/log /run; do
	mount -t tmpfs own "$directory" || exit 1
done
mkdir -p /var/spool/cron/crontabs "$scratch/dev"
mount -t tmpfs dev "$scratch/dev"
for node in null zero urandom; do
	touch "$scratch/dev/$node"
	mount --bind "/dev/$node" "$scratch/dev/$node"
done
mount --rbind "$scratch/dev" /dev

# What the daemon tells its log, a line each.
python3 -c '
import socket
log = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
log.bind("/dev/log")
with open("/var/log/cron.log", "ab", 0) as file:
    while True:
        file.write(log.recv(4096).rstrip(b"\0\n") + b"\n")
' &

wait_for() { # command…
	local tries
	for ((tries = 0; tries < 400; tries++)); do
		"$@" >/dev/null 2>&1 && return
		sleep 0.05
	done
	echo "waited in vain for: $*"
	exit 1
}
told() {
	echo "--- $*"
	"$swarm" schedule "$@" 2>&1
	echo "--- status $?"
}

wait_for test -e /var/log/cron.log
told check
told install nightly-world --cron
told install nightly-world --cron
file=/etc/cron.d/swarm-nightly-world
sed 's/nightly-world/bad/g; s/^30 /61 /' $file >/etc/cron.d/swarm-bad
# Processes and files are dated to the second, and the kernel's own start is rounded.
later() { [ "$(date +%s)" -gt $(($(stat -c %Z $file) + 2)) ]; }
wait_for later
cron -f &
daemon=$!
wait_for grep 'Running @reboot jobs' /var/log/cron.log
told check nightly-world
told check bad
chmod 666 $file
told check nightly-world
chmod 644 $file
kill $daemon
wait $daemon
told check nightly-world
told remove nightly-world
ls /etc/cron.d
