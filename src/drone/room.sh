# Runs the words that it is given in a clean room: a private overlay of this machine's root, in which the job's
# directory lies at its own path. $workdir, $directory. It is the first process of a mount and pid namespace of its own;
# every mount ends with that, so there is nothing to take down, whoever is killed. What was written to the room stays in
# $directory/room, and the next one who enters finds it there; but where nothing there can be an upper layer (it lies
# on an overlay, or on a network), the room is in memory and ends with whoever has entered it.
# Exit status 97: no room can be made; anything else is what the command left.
LC_ALL=C
export LC_ALL
refuse() {
	echo "room $*" | tr '\n' ' ' >"$directory/stopped"
	echo "no clean room can be made: $*" >&2
	exit 97
}
[ "$$" -eq 1 ] || refuse "this is not the first process of namespaces of its own"
# Where they really are: a symbolic link would lead out of the room.
place=$(cd "$workdir" && pwd -P) && own=$(cd "$directory" && pwd -P) || refuse "there is no directory $directory"
mounts=$(cat /proc/self/mountinfo) || refuse "/proc/self/mountinfo cannot be read"
root=$own/room/root
mkdir -p "$root" && cd "$own/room" || refuse "$own/room cannot be made"

attach() { said=$(mount "$@" 2>&1); }
# An overlay over a mount point. Paths of the upper layer are relative: so nothing in them needs to be quoted.
layer() {
	layer=$storage/$(printf '%s' "$1" | tr / +)
	mkdir -p "$layer/upper" "$layer/work" "$root$1" &&
		attach -t overlay swarm-room -o "lowerdir=$1,upperdir=$layer/upper,workdir=$layer/work" "$root$1"
}
share() { mkdir -p "$root$1" && attach --bind "$1" "$root$1"; }
show() { share "$1" && attach -o remount,bind,ro "$root$1"; }
# Whether something that Portage's settings name lies there.
named() {
	printf '%s\n' "$named" | while read -r _ path; do
		case $path/ in "$1"/*) echo yes && break ;; esac
	done | grep -q yes
}

named=$(cat "$workdir/room.paths" 2>/dev/null) || named='shared /var/cache/distfiles'
storage=layers
if ! layer /; then
	why=$said storage=memory
	# Half of what is to be had: the builds themselves are on disk, this holds what they need, merged.
	half=$(sed -n 's/^MemAvailable: *\([0-9]*\) kB$/\1/p' /proc/meminfo)
	mkdir -p memory && attach -t tmpfs -o "mode=700,size=$((${half:-0} / 2))k" swarm-room memory && layer / ||
		refuse "$why; and in memory: $said"
fi
attach -t proc proc "$root/proc" || refuse "$said"
for tree in sys dev; do attach --rbind "/$tree" "$root/$tree" || refuse "$said"; done
attach -t tmpfs -o mode=755,size=64m swarm-room "$root/run" && mkdir -p "$root/run/lock" || refuse "$said"
# Names are still looked up where the system keeps the addresses of its name servers below /run.
resolver=$(readlink -f /etc/resolv.conf)
case $resolver in
/run/*) mkdir -p "$root${resolver%/*}" && cp "$resolver" "$root$resolver" 2>/dev/null ;;
esac

# Other file systems are not seen through the one of /. What packages are merged into is overlaid, too; other local ones,
# and whatever Portage's settings name, can be read; the rest (homes on a network, containers) is no part of a build,
# and one that does not answer would hang it.
seen=
while read -r _ _ _ _ point rest; do
	kind=${rest#*- }
	kind=${kind%% *}
	case "$seen " in *" $point "*) continue ;; esac
	seen="$seen $point"
	case $point in
	/ | /proc | /proc/* | /sys | /sys/* | /dev | /dev/* | /run | /run/* | "$place" | "$place"/* | *[\\:,]*) ;;
	/tmp | /var/tmp) mkdir -p "$root$point" && chmod 1777 "$root$point" ;;
	/usr | /etc | /opt | /bin | /sbin | /lib | /lib64 | /var | /var/db | /var/db/pkg | /var/lib | /var/lib/portage | \
		/var/cache | /var/log) layer "$point" || refuse "$point: $said" ;;
	/usr/* | /etc/* | /opt/* | /lib/* | /lib64/*)
		if [ ! -d "$point" ]; then
			# A file, as containers have them; a mount there could not be replaced.
			[ "$(stat -c %s "$point")" -gt 1048576 ] || cp -p "$point" "$root$point"
		else
			layer "$point" || show "$point"
		fi
		;;
	*)
		case $kind in
		ext? | xfs | btrfs | f2fs | zfs | bcachefs | jfs | reiserfs | squashfs | erofs | iso9660 | vfat | tmpfs) ;;
		*) named "$point" || continue ;;
		esac
		[ ! -d "$point" ] || show "$point"
		;;
	esac
done <<END
$mounts
END

# Lock files that show through from below (left behind, or of an emerge outside) let Portage spin for ever.
for tree in "1 /var/db" "2 /var/db/pkg" "2 /var/lib/portage" "2 /var/lib/gentoo/news" "3 /var/cache/edb"; do
	find "$root${tree#* }" -maxdepth "${tree% *}" -name '*portage_lockfile*' -delete 2>/dev/null
done
# Of all jobs it sees but its own; what drivers have brought it can read.
mkdir -p "$root$place" && attach -t tmpfs -o mode=755,size=1m swarm-room "$root$place" && share "$own" || refuse "$said"
[ ! -d "$place/config" ] || show "$place/config" || refuse "$said"
# What was fetched and what a compiler's cache holds is of use to the next job.
while read -r kind path; do
	case "$kind $path" in "shared /"*) [ ! -d "$path" ] || share "$path" || refuse "$path: $said" ;; esac
done <<END
$named
END
# shellcheck disable=SC2016 # for the shell inside
exec chroot "$root" /bin/sh -c 'cd "$0" && exec "$@"' "$directory" "$@"
