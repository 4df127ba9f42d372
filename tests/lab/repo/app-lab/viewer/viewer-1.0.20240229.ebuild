EAPI=8

DESCRIPTION="Needs the tip of the diamond"
DEPEND="
	dev-lab/libbaz
	dev-lab/libsigc++:2.0=
"
RDEPEND="${DEPEND}"
LAB_SEES="dev-lab/libbaz dev-lab/libsigc++:2.0"

inherit lab
