# Claims a job: $workdir, $job; $installed holds lines `CAT/PF BUILD_TIME`. Answers with marked lines.
# What is there already tells how far an earlier start came (progress.sh goes before this).
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
