EAPI=8

DESCRIPTION="Takes a while: the seconds in the shared slow/sleeper, else five"

inherit lab

src_compile() {
	lab_count
	[[ -e ${LAB_SHARED}/slow/${PN} ]] || lab_tick 5
	lab_knobs
	lab_build
}
