EAPI=8

DESCRIPTION="A build-time cycle with crt, which can be built with an older compiler"
DEPEND=">=dev-lab/crt-2"
LAB_SEES="dev-lab/crt"

inherit lab
