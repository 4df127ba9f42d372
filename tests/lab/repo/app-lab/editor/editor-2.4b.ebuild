EAPI=8

DESCRIPTION="Needs a package with a certain USE flag; a version with a letter"
DEPEND="
	dev-lab/libfoo:=[extra]
	dev-lab/libbaz
"
RDEPEND="
	${DEPEND}
	app-lab/viewer
"
LAB_SEES="dev-lab/libfoo dev-lab/libbaz"

inherit lab
