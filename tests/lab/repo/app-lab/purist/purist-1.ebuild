EAPI=8

DESCRIPTION="Does not build beside oldtool"
DEPEND="!!app-lab/oldtool"

inherit lab

src_compile() {
	[[ ! -e /usr/share/lab/app-lab/oldtool ]] || die "oldtool is here"
	lab_src_compile
}
