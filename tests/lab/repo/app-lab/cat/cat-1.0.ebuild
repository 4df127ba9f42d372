EAPI=8

DESCRIPTION="Is never installed beside the dog"
RDEPEND="!!app-lab/dog"

inherit lab
