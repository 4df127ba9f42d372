# Runs $command and ends it, with all that it started, when our standard input ends: the operator has had enough, or
# the connection is gone. $begin goes before its output.
printf '%s\n' "$begin"
printf '%s\n' "$begin" >&2
exec 3<&0
stopped=
# What ends together is one process group. Where ours is our own, as in a session that sshd has just made, the command is
# in it: that saves starting two programs. Elsewhere it gets a session of its own, or is ended alone.
if read -r _ _ _ _ group _ 2>/dev/null </proc/$$/stat && [ "$group" = $$ ]; then
	trap 'stopped=yes' TERM
	(eval "$command") </dev/null 3<&- &
	child=$! target=-$$
elif command -v setsid >/dev/null 2>&1; then
	setsid /bin/sh -c "$command" </dev/null 3<&- &
	child=$! target=-$child
else
	/bin/sh -c "$command" </dev/null 3<&- &
	child=$! target=$child
fi
(
	exec >/dev/null 2>&1
	while IFS= read -r line <&3; do :; done
	# Now the end of the command must not end us as well, before the last signal.
	trap '' TERM
	kill -s TERM -- "$target"
	for second in 1 2 3 4 5; do
		kill -s 0 -- "$target" || exit 0
		sleep 1
	done
	kill -s KILL -- "$target"
) &
watcher=$!
# Some shells would have a word to say about each of the two.
exec 3<&- >/dev/null 2>&1
wait "$child"
status=$?
# The signal has interrupted us, before the command's end or with it: the status is that of the signal either way.
[ -z "$stopped" ] || wait "$child"
kill "$watcher"
exit "$status"
