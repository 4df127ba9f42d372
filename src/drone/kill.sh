# Ends whatever of a job lives: $jobs, $job, $reason (one line). The job's directory stays.
directory=$jobs/$job
cd "$directory" 2>/dev/null || exit 0
[ -e status ] || printf '%s\n' "$reason" >stopped
for name in prepare.pid child; do
	if alive "$name"; then kill -KILL "-$pid" 2>/dev/null || kill -KILL "$pid" 2>/dev/null; fi
done
# Without a child the wrapper is only about to start one, or its boot is over.
exec 9>>lock
flock -w 20 9 || { echo "something of the job in $directory still runs" >&2; exit 76; }
