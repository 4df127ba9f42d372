# Takes in what has been sent: $production, $staging, and in $wanted a line `SHA1 SIZE MTIME PATH` for each file, which
# lies below .incoming with .part behind its SHA1. One that is whole gets its name; one that is wrong goes. What a standby
# has in its staging under that path, just as it is, is linked from there. Marked lines: `missing SHA1` for each that is not
# there.
LC_ALL=C
export LC_ALL
cd "$production.releases/.incoming" || exit 73
whole() { [ "$(stat -c %s "$1" 2>/dev/null)" = "$2" ] && [ "$(sha1sum <"$1" | cut -d' ' -f1)" = "$3" ]; }
printf '%s\n' "$wanted" | while read -r sha1 size time path; do
	[ -n "$sha1" ] || continue
	if [ ! -e "$sha1" ] && [ "$(stat -c %s "$sha1.part" 2>/dev/null)" = "$size" ]; then
		if whole "$sha1.part" "$size" "$sha1"; then
			touch -d "@$time" "$sha1.part" && mv -f "$sha1.part" "$sha1" || exit 73
		else
			rm -f "$sha1.part"
		fi
	fi
	if [ ! -e "$sha1" ] && whole "$staging/$path" "$size" "$sha1"; then
		rm -f "$sha1.part"
		ln "$staging/$path" "$sha1.part" 2>/dev/null || cp "$staging/$path" "$sha1.part" || exit 73
		touch -d "@$time" "$sha1.part" && mv -f "$sha1.part" "$sha1" || exit 73
	fi
	[ -e "$sha1" ] || echo "$mark missing $sha1"
done || exit
echo "$mark received"
