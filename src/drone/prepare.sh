# Merges what the package needs, from the job's own PKGDIR and nothing else: exact atoms in their order ($atoms), no
# resolver, so that nothing is compiled and nothing is chosen. Repeated after a lost connection it waits for the first.
exec 7>>prepare.lock
flock 7 || exit 74
[ ! -e prepared ] || exit 0
if [ -n "$atoms" ]; then
	# A session of its own, named by prepare.pid, so that it can be ended whole.
	export atoms
	setsid --wait /bin/sh -c '
		read -r boot </proc/sys/kernel/random/boot_id
		echo "$$ $(sed "s/.*) //" /proc/$$/stat | cut -d" " -f20) $boot" >prepare.pid
		# shellcheck disable=SC2086 # the atoms are words
		exec emerge --ignore-default-opts --ask=n --color=n --quiet --oneshot --nodeps --usepkgonly --getbinpkg=n $atoms' \
		</dev/null >>log 2>&1 || {
		status=$?
		tail -n 40 log >&2
		exit "$status"
	}
fi
: >prepared
