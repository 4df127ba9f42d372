# Runs ./build once, in the job's directory, detached. Leaves pid and child (pid, its start time in clock ticks, the
# boot's id), log, usage and, last and by rename, status; stopped says why it was ended from outside. It and all its
# children hold `lock` while anything of it lives. ./limits holds `SILENCE TOTAL`, in seconds, 0 for none: a build that
# writes nothing for that long, or takes that long, is ended here, whether or not anybody is connected.
LC_ALL=C
export LC_ALL
umask 022
cd "${0%/*}" || exit 90
exec 9>>lock
flock -n 9 || exit 91
[ ! -e status ] || exit 0
put() { cat >"$1.new" && mv -f "$1.new" "$1"; }
killed() { sed -n 's/^oom_kill //p' /proc/vmstat; }
now() { cut -d' ' -f1 /proc/uptime; }
identify $$ | put pid
trap : TERM INT HUP
silence=0 total=0 peak=0
[ ! -e limits ] || read -r silence total <limits
begin=$(now)
killed_before=$(killed)

# In a pid namespace of its own nothing that the build starts can outlive it, not even with setsid. A clean room needs it.
if [ -e enter ]; then
	setsid unshare --mount --pid --fork --kill-child --mount-proc --propagation private /bin/sh "$PWD/enter" \
		/bin/sh ./build </dev/null >>log 2>&1 &
elif unshare --mount --pid --fork --kill-child --mount-proc --propagation private true 2>/dev/null; then
	setsid unshare --mount --pid --fork --kill-child --mount-proc --propagation private /bin/sh ./build </dev/null >>log 2>&1 &
else
	setsid /bin/sh ./build </dev/null >>log 2>&1 &
fi
child=$!
identify "$child" | put child

end_child() {
	echo "$1" | put stopped
	kill -KILL "-$child" 2>/dev/null || kill -KILL "$child"
}
# What the child and all that it started have in memory, in KiB.
memory() {
	ps -e -o pid= -o ppid= -o rss= 2>/dev/null | awk -v root="$child" '
		{ parent[$1] = $2; size[$1] = $3 }
		END {
			for (process in parent) {
				one = process
				while (one in parent && one != root) one = parent[one]
				if (one == root) sum += size[process]
			}
			print int(sum)
		}'
}
# The watch over its time and its memory; it wakes now and then, which is little beside what a compiler does.
(
	exec 9>&-
	trap 'kill "$pause" 2>/dev/null; exit 0' TERM
	while kill -0 "$child" 2>/dev/null; do
		sleep 10 &
		pause=$!
		wait "$pause"
		quiet=$(($(date +%s) - $(stat -c %Y log)))
		lasted=$(($(now | cut -d. -f1) - ${begin%.*}))
		used=$(memory)
		if [ "${used:-0}" -gt "$peak" ]; then
			peak=$used
			echo "$peak" | put peak
		fi
		if [ "$silence" -gt 0 ] && [ "$quiet" -ge "$silence" ]; then
			end_child "timeout no output for $quiet s"
		elif [ "$total" -gt 0 ] && [ "$lasted" -ge "$total" ]; then
			end_child "timeout not done after $lasted s"
		fi
	done
) </dev/null >/dev/null 2>&1 &
watch=$!
status=
while :; do
	wait "$child"
	status=$?
	# A signal that we ignore ends the wait, not the child.
	kill -0 "$child" 2>/dev/null || break
done
kill "$watch" 2>/dev/null
times >usage.times
{
	echo "wall $begin $(now)"
	sed -n 2p usage.times
} | put usage
echo "oom_kills $(($(killed) - killed_before))" | put host
echo "space $(df -Pk . | sed -n '$s/.* \([0-9][0-9]*\)  *[0-9][0-9]*% .*/\1/p')" >>host
echo "$status" | put status
