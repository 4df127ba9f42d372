EAPI=8

DESCRIPTION="Is rebuilt when the sub-slot of libfoo changes; needs a newer one of it"
IUSE="ssl"
DEPEND="
	>=dev-lab/libfoo-2.0:=
	app-lab/hello
	ssl? ( dev-lab/libbar[ssl] )
"
RDEPEND="${DEPEND}"
BDEPEND="dev-lab/generator"
LAB_SEES="dev-lab/libfoo app-lab/hello dev-lab/generator"

inherit lab
