# Merges what the package needs (merge.sh), in the job's room where it has one: $atoms, a line `=CPV BUILD_TIME` each, in
# their order, and `!=CPV` for what has to go before. Repeated after a lost connection it waits for the first; asked for
# more than before it merges the rest.
exec 7>>prepare.lock
flock 7 || exit 74
printf '%s\n' "$atoms" >atoms
if [ -e prepared ] && [ "$(cat prepared)" = "$atoms" ]; then exit 0; fi
if [ -n "$atoms" ]; then
	# A session of its own, named by prepare.pid, so that it can be ended whole.
	export enter
	setsid --wait /bin/sh -c '
		read -r boot </proc/sys/kernel/random/boot_id
		echo "$$ $(sed "s/.*) //" /proc/$$/stat | cut -d" " -f20) $boot" >prepare.pid
		# shellcheck disable=SC2086 # it is words
		exec $enter /bin/sh ./merge' \
		</dev/null >>log 2>&1 || {
		status=$?
		tail -n 40 log >&2
		exit "$status"
	}
fi
cp atoms prepared
