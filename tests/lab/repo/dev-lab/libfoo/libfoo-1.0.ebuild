EAPI=8

DESCRIPTION="A library with sub-slots, USE flags and a USE_EXPAND"
SLOT="0/1"
IUSE="+extra lab_targets_one lab_targets_two"
DEPEND="dev-lab/libbase"
RDEPEND="${DEPEND}"
LAB_LIBRARY=foo
LAB_SEES="dev-lab/libbase"

inherit lab
