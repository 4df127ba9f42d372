EAPI=8

DESCRIPTION="Needs a kernel module, but not to build"
DEPEND="dev-lab/libbase"
RDEPEND="
	${DEPEND}
	app-lab/module
"
LAB_SEES="dev-lab/libbase"

inherit lab
