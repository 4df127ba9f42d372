EAPI=8

DESCRIPTION="Does not compile"

inherit lab

src_compile() {
	lab_count
	echo "int main(void) { return oops; }" >part.c
	${CC:-cc} -o built part.c || die "the program did not compile"
}
