# What of the releases is on this host: $production. Marked lines: what production is (`live none`, `live directory`,
# `live release ID`, `live other TARGET`), `release ID SHA256` with the sum of each release's index, `file SIZE PATH` for
# each file of what is live, and `incoming SHA1` for what was sent and not released yet.
LC_ALL=C
export LC_ALL
releases=$production.releases
name=${production##*/}
mkdir -p "$releases/.incoming" || { echo "cannot make $releases" >&2; exit 73; }
if [ -L "$production" ]; then
	target=$(readlink "$production")
	case $target in
	"$name.releases"/[0-9]*) echo "$mark live release ${target##*/}" ;;
	*) echo "$mark live other $target" ;;
	esac
elif mountpoint -q "$production" 2>/dev/null; then
	echo "$mark live other a mount point"
elif [ -d "$production" ]; then
	echo "$mark live directory"
elif [ -e "$production" ]; then
	echo "$mark live other file"
else
	echo "$mark live none"
fi
for release in "$releases"/[0-9]*/; do
	[ -f "$release/Packages" ] || continue
	release=${release%/}
	echo "$mark release ${release##*/} $(sha256sum <"$release/Packages" | cut -d' ' -f1)"
done
if [ -d "$production/." ]; then
	(cd "$production/." && find . -type f -exec stat -c "$mark file %s %n" {} +)
fi
(cd "$releases/.incoming" && find . -type f ! -name '*.part' -exec stat -c "$mark incoming %n" {} +)
echo "$mark looked"
