# Takes in what has been sent: $production, and in $wanted a line `SHA1 SIZE MTIME` for each file, which lies below
# .incoming with .part behind its SHA1. One that is whole gets its name; one that is wrong goes. Marked lines: `missing
# SHA1` for each that is not there.
LC_ALL=C
export LC_ALL
cd "$production.releases/.incoming" || exit 73
printf '%s\n' "$wanted" | while read -r sha1 size time; do
	[ -n "$sha1" ] || continue
	if [ ! -e "$sha1" ] && [ "$(stat -c %s "$sha1.part" 2>/dev/null)" = "$size" ]; then
		if [ "$(sha1sum <"$sha1.part" | cut -d' ' -f1)" = "$sha1" ]; then
			touch -d "@$time" "$sha1.part" && mv -f "$sha1.part" "$sha1" || exit 73
		else
			rm -f "$sha1.part"
		fi
	fi
	[ -e "$sha1" ] || echo "$mark missing $sha1"
done || exit
echo "$mark received"
