EAPI=8

DESCRIPTION="Takes the place of oldtool, with the same file"
RDEPEND="!app-lab/oldtool"

inherit lab

src_install() {
	lab_src_install
	newbin built lab-tool
}
