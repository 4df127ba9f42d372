EAPI=8

DESCRIPTION="Half of a build-time cycle"
DEPEND="app-lab/left-boot"

inherit lab
