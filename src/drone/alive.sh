# Whether the process that a file names still runs: `PID START BOOT`; a pid without its start time and boot may be
# anybody's.
identify() {
	read -r own_boot </proc/sys/kernel/random/boot_id
	own_start=$(sed 's/.*) //' "/proc/$1/stat" 2>/dev/null | cut -d' ' -f20)
	[ -n "$own_start" ] && echo "$1 $own_start $own_boot"
}
alive() {
	read -r pid start boot 2>/dev/null <"$1" || return 1
	[ "$(identify "$pid")" = "$pid $start $boot" ]
}
# How far the job in a directory has come: new, running, ended or lost.
progress() {
	if [ -e "$1/status" ]; then
		echo ended
	elif [ ! -e "$1/pid" ]; then
		echo new
	elif alive "$1/pid"; then
		echo running
	elif [ -e "$1/status" ]; then
		echo ended
	else
		echo lost
	fi
}
