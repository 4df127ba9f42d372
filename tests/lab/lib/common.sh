# Shared by setup and lab: where things are, which Portage, and how to speak to whoever called.
# shellcheck shell=bash disable=SC2034

# The wheel that the lab's hosts run. A newer one is tried by changing this line.
PORTAGE_VERSION=3.0.83

# Outside the repository, so that a fresh clone finds a Portage that is already there.
LAB_CACHE=${SWARM_LAB_CACHE:-${XDG_CACHE_HOME:-/var/cache}/swarm-lab}
PORTAGE_VENV=$LAB_CACHE/portage-$PORTAGE_VERSION

# The S3 server that releases are brought to in tests.
MOTO_VERSION=5.2.5
MOTO_VENV=$LAB_CACHE/moto-$MOTO_VERSION

# What holds answers against their schemas, and those against OpenAPI.
OPENAPI_VERSION=0.7.2
OPENAPI_VENV=$LAB_CACHE/openapi-spec-validator-$OPENAPI_VERSION

# The files of Debian's OpenRC, which cannot be installed beside systemd.
OPENRC=$LAB_CACHE/openrc

say() { printf '%s\n' "lab: $*" >&2; }

fail() {
	say "$@"
	exit 1
}

need_root() {
	[ "$(id -u)" = 0 ] && return
	fail "needs root: it makes network and mount namespaces and installs packages." \
		"Run it as root, or leave the lab tests out (tests/run does so by itself)."
}
