EAPI=8

DESCRIPTION="Needs a virtual and a user to build"
DEPEND="
	acct-user/rat
	virtual/foo
"
RDEPEND="${DEPEND}"

inherit lab

src_install() {
	lab_src_install
	fowners rat /usr/bin/lab-cellar
}
