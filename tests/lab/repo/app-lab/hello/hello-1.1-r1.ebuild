EAPI=8

DESCRIPTION="Says hello; a newer version with a revision"
IUSE="doc +nls ssl"

inherit lab
