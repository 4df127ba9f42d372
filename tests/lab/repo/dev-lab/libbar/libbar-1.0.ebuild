EAPI=8

DESCRIPTION="The other side of a diamond over libbase"
IUSE="ssl"
DEPEND="dev-lab/libbase"
RDEPEND="${DEPEND}"
LAB_LIBRARY=bar
LAB_SEES="dev-lab/libbase"

inherit lab
