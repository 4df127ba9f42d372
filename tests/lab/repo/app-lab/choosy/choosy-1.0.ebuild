EAPI=8

DESCRIPTION="REQUIRED_USE is not met unless somebody chooses"
IUSE="left right"
REQUIRED_USE="^^ ( left right )"

inherit lab
