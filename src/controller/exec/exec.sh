# Runs $command and ends it, with all that it started, when our standard input ends: the operator has had enough, or
# the connection is gone. $begin goes before its output.
printf '%s\n' "$begin"
printf '%s\n' "$begin" >&2
# In a session of its own it is one process group, to be ended as one.
if command -v setsid >/dev/null 2>&1; then own=yes group=-; else own= group=; fi
exec 3<&0
${own:+setsid} /bin/sh -c "$command" </dev/null 3<&- &
child=$!
(
	exec >/dev/null 2>&1
	while IFS= read -r line <&3; do :; done
	# Now the end of the command must not end us as well.
	trap '' TERM
	kill -s TERM -- "$group$child"
	for second in 1 2 3 4 5; do
		kill -s 0 -- "$group$child" || exit 0
		sleep 1
	done
	kill -s KILL -- "$group$child"
) &
watcher=$!
# Some shells would have a word to say about each of the two.
exec 3<&- >/dev/null 2>&1
wait "$child"
status=$?
kill "$watcher"
exit "$status"
