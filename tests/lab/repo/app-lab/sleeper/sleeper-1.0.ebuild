EAPI=8

DESCRIPTION="Takes a while: the seconds in the shared slow/sleeper, else five"

inherit lab

src_compile() {
	lab_count
	local second seconds=5
	[[ -e ${LAB_SHARED}/slow/${PN} ]] && seconds=$(<"${LAB_SHARED}/slow/${PN}")
	for ((second = 1; second <= seconds; second++)); do
		echo "tick ${second} of ${seconds}"
		sleep 1
	done
	lab_build
}
