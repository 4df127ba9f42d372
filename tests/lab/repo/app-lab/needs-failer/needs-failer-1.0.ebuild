EAPI=8

DESCRIPTION="Needs what does not compile"
DEPEND="
	app-lab/failer
	dev-lab/libbase
"
LAB_SEES="app-lab/failer dev-lab/libbase"

inherit lab
