# shellcheck disable=SC2086 # the exclusions are words
exec emerge --ignore-default-opts --ask=n --color=n --buildpkg --oneshot --usepkg --getbinpkg=n --with-bdeps=y \
	--binpkg-respect-use=y --ignore-built-slot-operator-deps=y $excluded "$atom"
