EAPI=8

DESCRIPTION="Prints what confuses a terminal"

inherit lab

src_compile() {
	printf '\033[2J\033[H\033[31mred\033[0m \033]0;a title\007 \033[?1049h \302\233 31m\n'
	printf 'overwritten\rline\a\b \0 \377\376 %s\n' "$(printf '\342\200\256')sdrawkcab"
	lab_src_compile
}
