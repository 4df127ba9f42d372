EAPI=8

DESCRIPTION="Half of a run-time cycle"
RDEPEND="app-lab/egg"

inherit lab
