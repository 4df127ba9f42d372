EAPI=8

DESCRIPTION="Is merged after what it extends"
RDEPEND="app-lab/editor"

inherit lab
