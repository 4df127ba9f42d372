EAPI=8

DESCRIPTION="A hundred megabytes that do not compress"

inherit lab

src_compile() {
	lab_src_compile
	head -c 100000000 /dev/urandom >bulk || die "no room for the bulk"
}

src_install() {
	lab_src_install
	insinto /usr/share/lab
	doins bulk
}
