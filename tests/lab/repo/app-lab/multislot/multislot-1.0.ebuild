EAPI=8

DESCRIPTION="Two of it are installed side by side"
SLOT="1"

inherit lab
