# Merges what the package needs, from the job's own PKGDIR and nothing else: the exact atoms in ./atoms, in their order,
# no resolver, so that nothing is compiled and nothing is chosen. What is merged already stays as it is: outside a clean
# room it may be in use.
if [ ! -e enter ]; then
	# One after the other.
	exec 6>>"$workdir/merge.lock"
	flock 6 || exit 74
fi
atoms=$(while read -r atom time; do
	read -r there 2>/dev/null <"/var/db/pkg/${atom#=}/BUILD_TIME" && [ "$there" = "$time" ] || echo "$atom"
done <atoms) || exit 72
if [ -n "$atoms" ]; then
	# shellcheck disable=SC2086 # the atoms are words
	emerge --ignore-default-opts --ask=n --color=n --quiet --oneshot --nodeps --usepkgonly --getbinpkg=n $atoms || exit
fi
:
