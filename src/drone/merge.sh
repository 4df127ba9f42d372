# Merges what the package needs, from the job's own PKGDIR and nothing else: the exact atoms in ./atoms, in their order,
# no resolver, so that nothing is compiled and nothing is chosen. What is merged already stays as it is: outside a clean
# room it may be in use. What it could not be installed beside (`!=CPV` in ./atoms) goes first, in a room alone.
if [ ! -e enter ]; then
	# One after the other.
	exec 6>>"$workdir/merge.lock"
	flock 6 || exit 74
fi
gone=$(while read -r atom _; do
	case $atom in !*) [ ! -d "/var/db/pkg/${atom#!=}" ] || echo "${atom#!}" ;; esac
done <atoms) || exit 72
if [ -n "$gone" ]; then
	[ -e enter ] || { echo "nothing is taken away from the drone's own root: $gone" >&2; exit 77; }
	# shellcheck disable=SC2086 # the atoms are words
	CLEAN_DELAY=0 EMERGE_WARNING_DELAY=0 emerge --ignore-default-opts --ask=n --color=n --quiet --unmerge $gone || exit
fi
atoms=$(while read -r atom time; do
	case $atom in !*) continue ;; esac
	read -r there 2>/dev/null <"/var/db/pkg/${atom#=}/BUILD_TIME" && [ "$there" = "$time" ] || echo "$atom"
done <atoms) || exit 72
if [ -n "$atoms" ]; then
	# shellcheck disable=SC2086 # the atoms are words
	emerge --ignore-default-opts --ask=n --color=n --quiet --oneshot --nodeps --usepkgonly --getbinpkg=n $atoms || exit
fi
:
