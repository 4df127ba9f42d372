# @ECLASS: lab.eclass
# @BLURB: what the packages of the lab have in common
# @SUPPORTED_EAPIS: 8
# @DESCRIPTION:
# A package of the lab compiles a small library or program, links it to what it sees, and installs a record of how it
# was built. Every compilation appends one line to a file at a place that lies outside the root of every host and every
# clean room, so that a test can count it. Files at the same place make a package slow, wait, or fail (see
# tests/lab/README.md).

# @ECLASS_VARIABLE: LAB_SEES
# @DESCRIPTION: packages (category/name, or category/name:slot) that must be installed to build this one.
: "${LAB_SEES:=}"

# @ECLASS_VARIABLE: LAB_LIBRARY
# @DESCRIPTION: name of the shared library that is made; its version is the sub-slot. Left out for a program.
: "${LAB_LIBRARY:=}"

SLOT=${SLOT:-0}
KEYWORDS=${KEYWORDS-amd64}
LICENSE=${LICENSE:-public-domain}
S=${WORKDIR}

LAB_SHARED=/dev/lab

# The host by its own file: Portage's network sandbox hides the name that the kernel has.
lab_host() {
	cat /etc/hostname
}

lab_record() { # category/name[:slot]
	local name=${1%%:*} slot=
	[[ ${1} == *:* ]] && slot=-${1##*:}
	printf '/usr/share/lab/%s%s' "${name}" "${slot}"
}

# True where a knob's file is there and names this host, or none.
lab_told() { # hold|fail
	local knob=${LAB_SHARED}/${1}/${PN}
	[[ -e ${knob} ]] && [[ ! -s ${knob} || " $(tr '\n' ' ' <"${knob}") " == *" $(lab_host) "* ]]
}

lab_tick() { # seconds
	local second
	for ((second = 1; second <= ${1}; second++)); do
		echo "tick ${second} of ${1}"
		sleep 1
	done
}

# The knobs: a file named after the package in the directory of the knob.
lab_knobs() {
	while lab_told hold; do
		sleep 0.05
	done
	local slow=${LAB_SHARED}/slow/${PN}
	[[ -e ${slow} ]] && lab_tick "$(<"${slow}")"
	lab_told fail && die "told to fail by ${LAB_SHARED}/fail/${PN}"
	return 0
}

lab_count() {
	[[ -d ${LAB_SHARED}/counter ]] || die "no ${LAB_SHARED}/counter: this repository belongs to the lab"
	printf '%s %s %s\n' "${CATEGORY}/${PF}" "$(lab_host)" "${EPOCHREALTIME}" >>"${LAB_SHARED}/counter/compiled" ||
		die "cannot count the compilation"
}

lab_sees() {
	local package record
	for package in ${LAB_SEES}; do
		record=$(lab_record "${package}")
		[[ -e ${record} ]] || die "${package} is not installed here: ${record} is missing"
		printf '%s ' "$(sed -n 's/^cpv=//p' "${record}")"
	done
}

lab_libraries() {
	local package record
	for package in ${LAB_SEES}; do
		record=$(lab_record "${package}")
		sed -n 's/^library=//p' "${record}"
	done
}

lab_src_compile() {
	lab_count
	lab_knobs
	lab_build
}

lab_build() {
	local seen libraries
	seen=$(lab_sees) || die
	libraries=$(lab_libraries) || die
	echo "building ${CATEGORY}/${PF} with ${seen:-nothing else}"
	echo "MAKEOPTS is ${MAKEOPTS}"
	{
		echo "cpv=${CATEGORY}/${PF}"
		echo "use=$(printf '%s\n' ${USE} | sort | paste -sd ' ')"
		echo "saw=${seen% }"
		[[ -n ${LAB_LIBRARY} ]] && echo "library=/usr/lib/lab/lib${LAB_LIBRARY}.so.${SLOT##*/}"
	} >record
	if [[ -n ${LAB_LIBRARY} ]]; then
		echo "const char *lab_${LAB_LIBRARY//[^a-z]/_}(void) { return \"${PF}\"; }" >part.c
		# shellcheck disable=SC2086
		${CC:-cc} ${CFLAGS} -shared -fPIC -Wl,-soname,"lib${LAB_LIBRARY}.so.${SLOT##*/}" -Wl,--no-as-needed \
			-Wl,-rpath,/usr/lib/lab -o built part.c ${libraries} || die "the library did not compile"
	else
		echo "#include <stdio.h>
int main(void) { puts(\"${CATEGORY}/${PF}\"); return 0; }" >part.c
		# shellcheck disable=SC2086
		${CC:-cc} ${CFLAGS} -Wl,--no-as-needed -Wl,-rpath,/usr/lib/lab -o built part.c ${libraries} ||
			die "the program did not compile"
	fi
}

lab_src_install() {
	local slot=
	[[ ${SLOT%%/*} != 0 ]] && slot=-${SLOT%%/*}
	insinto "/usr/share/lab/${CATEGORY}"
	newins record "${PN}${slot}"
	if [[ -n ${LAB_LIBRARY} ]]; then
		exeinto /usr/lib/lab
		newexe built "lib${LAB_LIBRARY}.so.${SLOT##*/}"
	else
		exeinto /usr/bin
		newexe built "lab-${PN}${slot}"
	fi
}

EXPORT_FUNCTIONS src_compile src_install
