EAPI=8

DESCRIPTION="Any kernel"
SLOT="0"
KEYWORDS="amd64"
RDEPEND="sys-kernel/sources"
