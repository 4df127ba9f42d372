EAPI=8

DESCRIPTION="Has been renamed to newtool, which installs the same file"

inherit lab

src_install() {
	lab_src_install
	newbin built lab-tool
}
