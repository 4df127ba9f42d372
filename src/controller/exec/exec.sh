# Runs $command and ends it, with all that it started, when our standard input ends: the operator has had enough, or
# the connection is gone. $begin goes before its output.
printf '%s\n' "$begin"
printf '%s\n' "$begin" >&2
exec 3<&0 </dev/null
# What ends together is one process group. Where ours is our own, as in a session that sshd has just made, the command is
# in it: that saves starting two programs. Elsewhere it gets a session of its own, or is ended alone.
own=
if read -r _ _ _ _ group _ 2>/dev/null </proc/$$/stat && [ "$group" = $$ ]; then
	own=yes target=-$$
elif command -v setsid >/dev/null 2>&1; then
	setsid /bin/sh -c "$command" 3<&- &
	child=$! target=-$child
else
	/bin/sh -c "$command" 3<&- &
	child=$! target=$child
fi
(
	exec >/dev/null 2>&1
	# In one group with the command we hear what it sends there.
	[ -z "$own" ] || trap '' HUP INT QUIT TERM
	while IFS= read -r line <&3; do :; done
	exec 3<&-
	# sshd ends the input of a command that has ended, too, and what that left there may stay.
	[ -z "$own" ] || kill -0 $$ || exit 0
	# Now the end of the command must not end us as well, before the last signal.
	trap '' TERM
	kill -TERM "$target"
	# Our own group is never empty before that.
	for second in 1 2 3 4 5; do
		kill -0 "$target" || exit 0
		sleep 1
	done
	kill -KILL "$target"
) &
watcher=$!
exec 3<&-
if [ -n "$own" ]; then
	# A signal to the group leaves us here to tell how the command ended. It does not inherit this.
	trap : HUP INT QUIT TERM
	# Some shells have a word to say about a command that was killed.
	exec 4>&2 2>/dev/null
	eval "$command 2>&4 4>&-"
	exit
fi
# The same, about each of the two.
exec >/dev/null 2>&1
wait "$child"
status=$?
kill "$watcher"
exit "$status"
