EAPI=8

DESCRIPTION="The tip of the diamond; a version with a patch level"
DEPEND="
	dev-lab/libfoo:=
	dev-lab/libbar
"
RDEPEND="${DEPEND}"
LAB_LIBRARY=baz
LAB_SEES="dev-lab/libfoo dev-lab/libbar"

inherit lab
