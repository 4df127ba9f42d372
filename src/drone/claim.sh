# Claims the job's directory: $workdir, $job, and $installed with a line `CPV BUILD_TIME` for each package that it needs.
# What is there already tells how far an earlier start came.
LC_ALL=C
export LC_ALL
directory=$workdir/jobs/$job
mkdir -p "$workdir/jobs" || { echo "cannot make $workdir/jobs" >&2; exit 73; }
if said=$(mkdir "$directory" 2>&1); then
	echo "$mark new"
elif [ -d "$directory" ]; then
	echo "$mark $(progress "$directory")"
else
	echo "cannot make $directory: $said" >&2
	exit 73
fi
printf '%s\n' "$installed" | while read -r package time; do
	[ -n "$package" ] || continue
	read -r there 2>/dev/null <"/var/db/pkg/$package/BUILD_TIME" && [ "$there" = "$time" ] && echo "$mark has $package"
done
:
