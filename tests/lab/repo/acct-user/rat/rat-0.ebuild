EAPI=8

DESCRIPTION="Makes a user when it is merged, as acct-user.eclass does"
SLOT="0"
KEYWORDS="amd64"
S=${WORKDIR}

pkg_preinst() {
	getent passwd rat >/dev/null || useradd --system --uid 777 --user-group rat || die "no user could be made"
}
