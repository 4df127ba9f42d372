EAPI=8

DESCRIPTION="Needs what nobody has written"
DEPEND="dev-lab/nobody-wrote-this"

inherit lab
