EAPI=8

DESCRIPTION="Says hello"
IUSE="doc +nls ssl"

inherit lab
