EAPI=8

DESCRIPTION="Half of a build-time cycle"
DEPEND="app-lab/right-boot"

inherit lab
