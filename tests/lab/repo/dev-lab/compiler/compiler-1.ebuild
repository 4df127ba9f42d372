EAPI=8

DESCRIPTION="Was built with something else, long ago"
DEPEND="dev-lab/libbase"
RDEPEND="${DEPEND}"
LAB_SEES="dev-lab/libbase"

inherit lab
