EAPI=8

DESCRIPTION="A build-time cycle with compiler, which has to run"
DEPEND="dev-lab/compiler"
LAB_SEES="dev-lab/compiler"

inherit lab

src_compile() {
	lab-compiler || die "the compiler does not run"
	lab_src_compile
}
