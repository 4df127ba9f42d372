EAPI=8

DESCRIPTION="Needs one library only"
DEPEND="dev-lab/libbar"
RDEPEND="${DEPEND}"
BDEPEND="dev-lab/generator"
LAB_SEES="dev-lab/libbar dev-lab/generator"

inherit lab
