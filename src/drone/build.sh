# A room in memory has ended with whoever merged the needs.
if [ -e enter ] && ! /bin/sh ./merge </dev/null; then
	echo "room what it needs could not be merged there again" >stopped
	exit 97
fi
# shellcheck disable=SC2086 # the exclusions are words
exec emerge --ignore-default-opts --ask=n --color=n --buildpkg --oneshot --usepkg --getbinpkg=n --with-bdeps=y \
	--binpkg-respect-use=y --ignore-built-slot-operator-deps=y $excluded "$atom"
