EAPI=8

DESCRIPTION="Two of it are installed side by side"
SLOT="2"

inherit lab
