EAPI=8

DESCRIPTION="Needs newtool to build"
DEPEND="app-lab/newtool"
LAB_SEES="app-lab/newtool"

inherit lab
