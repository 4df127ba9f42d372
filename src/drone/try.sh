# Tries a clean room: $workdir, and $enter, the script that makes one. Marked lines: `room yes`, or `room no WHY`. Leaves
# $workdir/room.paths, a line `KIND PATH` for each directory that Portage's settings name: `shared` is written to by
# all jobs, `repository` is read.
LC_ALL=C
export LC_ALL
no() {
	echo "$mark room no $(printf '%s' "$*" | tr '\n' ' ')"
	exit 0
}
for program in unshare mount chroot timeout; do
	command -v "$program" >/dev/null 2>&1 || no "there is no $program"
done
mkdir -p "$workdir" && directory=$(mktemp -d "$workdir/room.XXXXXX") || no "$workdir takes no directory"
trap 'rm -rf --one-file-system "$directory"' EXIT
{
	portageq envvar DISTDIR CCACHE_DIR SCCACHE_DIR </dev/null 2>/dev/null | sed -n 's|^/|shared /|p'
	cat /etc/portage/repos.conf /etc/portage/repos.conf/* 2>/dev/null |
		sed -n 's|^[[:space:]]*location[[:space:]]*=[[:space:]]*/|repository /|p'
} >"$directory/paths" && mv -f "$directory/paths" "$workdir/room.paths" || no "$workdir takes no file"
printf 'workdir=%s\ndirectory=%s\n%s' "$workdir" "$directory" "$enter" >"$directory/enter"
# shellcheck disable=SC2016 # for the shell inside
timeout -k 1 30 unshare --mount --pid --fork --kill-child --propagation private /bin/sh "$directory/enter" /bin/sh -c '
	for tree in "" /usr /etc /var/db/pkg; do
		[ ! -d "$tree/" ] || : >"$tree/.swarm-room" || exit 1
	done
	command -v emerge >/dev/null || { echo "emerge is not seen in it"; exit 1; }
	: >inside' </dev/null >"$directory/said" 2>&1
status=$?
[ "$status" -eq 0 ] && [ -e "$directory/inside" ] && echo "$mark room yes" && exit 0
said=$(head -c 500 "$directory/said")
[ ! -e "$directory/stopped" ] || said=$(sed 's/^room //' "$directory/stopped" | head -c 500)
no "${said:-it ended with exit status $status}"
