# Removes a job that is over: $jobs, $job. Its lock is free when nothing of it lives. What a room's layers hold (marks of
# removed files, directories without any permission) is gone like the rest; no other file system is ever entered.
directory=$jobs/$job
if [ -d "$directory" ]; then
	exec 9>>"$directory/lock"
	flock -w 10 9 || { echo "something of the job in $directory still runs" >&2; exit 76; }
	rm -rf --one-file-system "$directory" || exit 73
fi
