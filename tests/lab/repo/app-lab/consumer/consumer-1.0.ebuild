EAPI=8

DESCRIPTION="Is rebuilt when the sub-slot of libfoo changes"
IUSE="ssl"
DEPEND="dev-lab/libfoo:="
RDEPEND="${DEPEND}"
LAB_SEES="dev-lab/libfoo"

inherit lab
