# A room in memory has ended with whoever merged the needs.
if [ -e enter ] && ! /bin/sh ./merge </dev/null; then
	echo "room what it needs could not be merged there again" >stopped
	exit 97
fi
set -- --ignore-default-opts --ask=n --color=n --buildpkg --oneshot --usepkg --getbinpkg=n --with-bdeps=y \
	--binpkg-respect-use=n --ignore-built-slot-operator-deps=y "--usepkg-exclude=$package"
# What it needs to build and nobody has is built beside it, and merged.
[ ! -e beside ] || emerge "$@" --onlydeps --onlydeps-with-rdeps=n "$atom" || exit
# Only built: whether it could be installed there, and what it needs to run, is the driver's concern.
exec emerge "$@" --buildpkgonly "$atom"
