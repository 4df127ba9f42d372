EAPI=8

DESCRIPTION="Needs the older of two versions, so that no newer one is chosen for others"
DEPEND="<dev-lab/libfoo-2:="
RDEPEND="${DEPEND}"
LAB_SEES="dev-lab/libfoo"

inherit lab
