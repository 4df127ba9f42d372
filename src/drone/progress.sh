# progress DIRECTORY: how far the job there has come: new, running, ended or lost.
progress() {
	if [ -e "$1/status" ]; then
		echo ended
	elif [ -e "$1/pid" ]; then
		read -r pid start boot <"$1/pid"
		read -r now_boot </proc/sys/kernel/random/boot_id
		now_start=$(sed 's/.*) //' "/proc/$pid/stat" 2>/dev/null | cut -d' ' -f20)
		# A pid without its start time and boot may be anybody's.
		if [ "$boot" = "$now_boot" ] && [ "$start" = "$now_start" ]; then
			echo running
		elif [ -e "$1/status" ]; then
			echo ended
		else
			echo lost
		fi
	else
		echo new
	fi
}
