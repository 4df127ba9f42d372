# Merges what the package needs, from the job's own PKGDIR and nothing else: the exact atoms in ./atoms, in their order,
# no resolver, so that nothing is compiled and nothing is chosen. In a clean room a mark tells whether that is done.
[ ! -e /.swarm-prepared ] || exit 0
atoms=$(cat atoms) || exit 72
if [ ! -e enter ]; then
	# One after the other, and only what another job has not merged meanwhile: it may be in use.
	exec 6>>"$workdir/merge.lock"
	flock 6 || exit 74
	atoms=$(while read -r atom time; do
		read -r there 2>/dev/null <"/var/db/pkg/${atom#=}/BUILD_TIME" && [ "$there" = "$time" ] || echo "$atom"
	done <atoms)
else
	atoms=$(cut -d' ' -f1 atoms)
fi
if [ -n "$atoms" ]; then
	# shellcheck disable=SC2086 # the atoms are words
	emerge --ignore-default-opts --ask=n --color=n --quiet --oneshot --nodeps --usepkgonly --getbinpkg=n $atoms || exit
fi
[ ! -e enter ] || : >/.swarm-prepared
