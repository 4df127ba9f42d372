# Claims a job: $workdir, $job; $installed holds lines `CAT/PF BUILD_TIME`. Answers with marked lines.
# What is there already tells how far an earlier start came.
LC_ALL=C
export LC_ALL
directory=$workdir/jobs/$job
mkdir -p "$workdir/jobs" || { echo "cannot make $workdir/jobs" >&2; exit 73; }
if mkdir "$directory" 2>/dev/null; then
	echo "$mark new"
elif [ -e "$directory/status" ]; then
	echo "$mark ended"
elif [ -e "$directory/pid" ]; then
	read -r pid start boot <"$directory/pid"
	read -r now_boot </proc/sys/kernel/random/boot_id
	now_start=$(sed 's/.*) //' "/proc/$pid/stat" 2>/dev/null | cut -d' ' -f20)
	# A pid without its start time and boot may be anybody's.
	if [ "$boot" = "$now_boot" ] && [ "$start" = "$now_start" ]; then
		echo "$mark running"
	elif [ -e "$directory/status" ]; then
		echo "$mark ended"
	else
		echo "$mark lost"
	fi
elif [ -d "$directory" ]; then
	echo "$mark new"
else
	echo "cannot make $directory" >&2
	exit 73
fi
printf '%s\n' "$installed" | while read -r package time; do
	[ -n "$package" ] || continue
	read -r there 2>/dev/null <"/var/db/pkg/$package/BUILD_TIME" && [ "$there" = "$time" ] && echo "$mark has $package"
done
:
