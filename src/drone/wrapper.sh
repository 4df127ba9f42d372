#!/bin/sh
# Runs ./build once, in the job's directory, detached. Leaves pid (pid, its start time in clock ticks, the boot's id),
# log, usage and, last and by rename, status. It and all its children hold `lock` while anything of it lives.
LC_ALL=C
export LC_ALL
umask 022
cd "${0%/*}" || exit 90
exec 9>>lock
flock -n 9 || exit 91
[ ! -e status ] || exit 0
put() { cat >"$1.new" && mv -f "$1.new" "$1"; }
start=$(sed 's/.*) //' /proc/$$/stat | cut -d' ' -f20)
read -r boot </proc/sys/kernel/random/boot_id
echo "$$ $start $boot" | put pid
trap : TERM INT HUP
begin=$(cut -d' ' -f1 /proc/uptime)
# In a pid namespace of its own nothing that the build starts can outlive it, not even with setsid.
if unshare --mount --pid --fork --kill-child --mount-proc --propagation private true 2>/dev/null; then
	unshare --mount --pid --fork --kill-child --mount-proc --propagation private /bin/sh ./build </dev/null >>log 2>&1
else
	/bin/sh ./build </dev/null >>log 2>&1
fi
status=$?
times >usage.times
{
	echo "wall $begin $(cut -d' ' -f1 /proc/uptime)"
	sed -n 2p usage.times
} | put usage
echo "$status" | put status
