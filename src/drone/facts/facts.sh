# Says what this machine is, one marked line a fact. Expects $workdir. POSIX sh; no step may end the script.
LC_ALL=C
export LC_ALL
printf '\n'
fact() { printf 'swarm-fact:%s=%s\n' "$1" "$2"; }

fact time "$(date +%s)"
fact user "$(id -u)"
fact hostname "$(uname -n)"
fact kernel "$(uname -r)"
fact machine "$(uname -m)"
fact boot "$(cat /proc/sys/kernel/random/boot_id 2>/dev/null)"
fact load "$(cut -d ' ' -f 1 /proc/loadavg 2>/dev/null)"
fact cores "$(nproc 2>/dev/null || getconf _NPROCESSORS_ONLN 2>/dev/null)"
fact processor "$(sed -n 's/^model name[[:blank:]]*:[[:blank:]]*//p' /proc/cpuinfo 2>/dev/null | head -n 1)"
fact memory_total "$(sed -n 's/^MemTotal: *\([0-9]*\) kB$/\1/p' /proc/meminfo 2>/dev/null)"
fact memory_available "$(sed -n 's/^MemAvailable: *\([0-9]*\) kB$/\1/p' /proc/meminfo 2>/dev/null)"

# A directory that is not there yet is judged by the nearest one above it that is.
place() {
	place=$1
	while [ ! -e "$place" ] && [ "$place" != / ]; do place=$(dirname "$place"); done
}
# With -P the last line is: device, blocks, used, free, used%, mount point.
free() { df -Pk "$1" 2>/dev/null | sed -n '$s/.* \([0-9][0-9]*\)  *[0-9][0-9]*% .*/\1/p'; }
place "$workdir"
fact workdir_free "$(free "$place")"
if [ -d "$place" ] && [ -w "$place" ] && [ -x "$place" ]; then fact workdir_writable yes; fi
place /var/tmp
fact temporary_free "$(free "$place")"

for program in emerge portageq flock setsid tar; do
	if command -v "$program" >/dev/null 2>&1; then fact program "$program"; fi
done

emerge=$(command -v emerge 2>/dev/null)
if [ -n "$emerge" ]; then
	version=$(emerge --ignore-default-opts --version </dev/null 2>/dev/null)
	fact portage "$(printf '%s\n' "$version" | sed -n 's/^Portage \([^ ]*\).*/\1/p' | head -n 1)"
	fact profile "$(readlink -f /etc/portage/make.profile 2>/dev/null)"
	portageq envvar -v CHOST FEATURES BINPKG_FORMAT </dev/null 2>/dev/null | sed 's/^/swarm-fact:portage./'
	# The Python that has Portage is the one that emerge runs with: the script's own, behind Gentoo's launcher too.
	for script in "$emerge" /usr/lib/python-exec/python*/emerge python3 python; do
		case $script in
		/*) first=$(head -n 1 "$script" 2>/dev/null | head -c 200 | tr -d '\000') ;;
		*) first="#!$script" ;;
		esac
		case $first in
		'#!'*python*)
			first=${first#??}
			# Split into words on purpose: "#!/usr/bin/env python3" has two.
			if $first -c 'import portage' </dev/null >/dev/null 2>&1; then
				fact python "$first"
				break
			fi
			;;
		esac
	done
fi
fact end yes
