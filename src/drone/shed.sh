# Leaves of a job that is over what its package can be fetched from again, should it be lost: $jobs, $job. Its room, its
# work and what it was fed go; what it was fed has another name in the cache. Nothing of it may live. Marked line: `kept
# KIB`.
LC_ALL=C
export LC_ALL
directory=$jobs/$job
[ -d "$directory" ] || { echo "$mark kept 0"; exit 0; }
exec 9>>"$directory/lock"
flock -w 10 9 || { echo "something of the job in $directory still runs" >&2; exit 76; }
rm -rf --one-file-system "$directory/room" "$directory/tmp" "$directory/config" || exit 73
[ ! -d "$directory/pkgs" ] || find "$directory/pkgs" -xdev -type f -links +1 -delete || exit 73
echo "$mark kept $(du -skx "$directory" | cut -f 1)"
