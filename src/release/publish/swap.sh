# Makes a release of what is here and points production to it, in one step: $production, $id, and in $before what
# production is to be until then (a release's id, `directory`, or `none`). The file .incoming/list tells how the release
# differs from that: `- PATH` goes, `+ SOURCE PATH` comes, where SOURCE is a place below the releases. In $gone are
# releases that may go. A directory is exchanged with the symlink, so that clients always find something. Whether $epoch
# of $controller may do so says $workdir/epoch; epoch.sh goes before this. Prints the marked word `swapped`, `unknown`,
# or `outranked EPOCH CONTROLLER`.
LC_ALL=C
export LC_ALL
umask 022
releases=$production.releases
parent=${production%/*}
name=${production##*/}
new=$releases/.new-$id
next=$parent/.$name.swarm
exec 9>"$releases/.lock" || exit 73
flock -n 9 || { echo "another controller publishes there just now" >&2; exit 75; }
case $before in
none) now=$(if [ -e "$production" ] || [ -L "$production" ]; then echo something; else echo none; fi) ;;
directory) now=$(if [ -d "$production" ] && [ ! -L "$production" ]; then echo directory; fi) ;;
*) now=$(readlink "$production") && now=${now##*/} ;;
esac
epoch_enter
[ "$now" = "$before" ] || { echo "production was $before there and is ${now:-gone} now" >&2; exit 75; }

rm -rf "$new" "$next"
if [ "$before" = none ]; then
	mkdir "$new" || exit 73
else
	cp -al "$production/." "$new" || { echo "$releases and $production have to be on one file system" >&2; exit 73; }
fi
while read -r kind rest; do
	case $kind in
	-) rm -f "$new/$rest" || exit 73 ;;
	+)
		path=${rest#* }
		[ ! -e "$new/$path" ] || rm -f "$new/$path"
		[ -d "$new/${path%/*}" ] || [ "$path" = "${path%/*}" ] || mkdir -p "$new/${path%/*}" || exit 73
		ln "$releases/${rest%% *}" "$new/$path" || exit 73
		;;
	esac
done <"$releases/.incoming/list" || exit 73
find "$new" -mindepth 1 -type d -empty -delete
sync -f "$new" 2>/dev/null || sync
rm -rf "${releases:?}/$id"
mv "$new" "$releases/$id" || exit 73
ln -s "$name.releases/$id" "$next" || exit 73
sync -f "$releases" 2>/dev/null || sync
if [ "$before" = directory ]; then
	mv --exchange -T "$next" "$production" 2>/dev/null || python3 - "$next" "$production" 2>/dev/null <<'PYTHON' || {
import ctypes, os, sys
libc = ctypes.CDLL(None, use_errno=True)
at_fdcwd, exchange = -100, 2
if libc.renameat2(at_fdcwd, os.fsencode(sys.argv[1]), at_fdcwd, os.fsencode(sys.argv[2]), exchange):
    sys.exit(os.strerror(ctypes.get_errno()))
PYTHON
		rm -rf "$next"
		echo "$production is a directory, and nothing there can exchange it with a symlink: rename it yourself" >&2
		exit 69
	}
	rm -rf "$next"
else
	mv -T "$next" "$production" || exit 73
fi
sync -f "$parent" 2>/dev/null || sync
rm -rf "$releases/.incoming"
for old in $gone; do
	rm -rf "${releases:?}/$old"
done
echo "$mark swapped"
