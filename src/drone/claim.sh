# Claims the job's directory: $workdir, $job, $installed with a line `CPV BUILD_TIME` for each package that it needs, and
# $names with a line `CATEGORY/NAME` for each package of which it has to know what of it is installed. What is there
# already tells how far an earlier start came.
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
printf '%s\n' "$names" | while read -r name; do
	[ -n "$name" ] || continue
	for entry in "/var/db/pkg/$name"-[0-9]*; do
		read -r slot 2>/dev/null <"$entry/SLOT" && echo "$mark installed ${entry#/var/db/pkg/} $slot"
	done
done
:
