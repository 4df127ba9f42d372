EAPI=8

DESCRIPTION="Is never installed beside the cat"
RDEPEND="!!app-lab/cat"

inherit lab
