# Merges what the package needs, from the job's own PKGDIR and nothing else: exact atoms in their order ($atoms), no
# resolver, so that nothing is compiled and nothing is chosen. Repeated after a lost connection it waits for the first.
exec 8>>prepare.lock
flock 8 || exit 74
[ ! -e prepared ] || exit 0
if [ -n "$atoms" ]; then
	# shellcheck disable=SC2086 # the atoms are words
	emerge --ignore-default-opts --ask=n --color=n --quiet --oneshot --nodeps --usepkgonly --getbinpkg=n $atoms </dev/null >>log 2>&1 || {
		status=$?
		tail -n 40 log >&2
		exit "$status"
	}
fi
: >prepared
