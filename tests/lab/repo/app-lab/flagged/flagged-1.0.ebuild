EAPI=8

DESCRIPTION="Needs a USE flag of libfoo that is off by default"
DEPEND="dev-lab/libfoo[lab_targets_two]"
RDEPEND="${DEPEND}"
LAB_SEES="dev-lab/libfoo"

inherit lab
