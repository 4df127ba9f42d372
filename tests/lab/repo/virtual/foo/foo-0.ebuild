EAPI=8

DESCRIPTION="Installs nothing; whoever needs it is bound to the slot of what stands behind it"
SLOT="0"
KEYWORDS="amd64"
RDEPEND="dev-lab/libfoo:="
