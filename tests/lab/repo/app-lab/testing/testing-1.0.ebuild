EAPI=8

DESCRIPTION="Only for those who accept ~amd64"
KEYWORDS="~amd64"

inherit lab
