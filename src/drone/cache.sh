# Links what a job needs into its PKGDIR from what this drone has been sent before, and names what it has not: $workdir,
# and in $wanted a line `SHA1 SIZE PATH` for each file. The cache is $workdir/cache, each file under its SHA1; one that is
# being sent has .part behind it and gets its name once it is whole. Marked lines.
cache=$workdir/cache
mkdir -p "$cache" || { echo "cannot make $cache" >&2; exit 73; }
size_of() { stat -c %s "$1" 2>/dev/null; }
printf '%s\n' "$wanted" | while read -r sha1 size path; do
	[ -n "$sha1" ] || continue
	file=$cache/$sha1
	if [ "$(size_of "$file")" != "$size" ]; then
		rm -f "$file"
		if [ "$(size_of "$file.part")" = "$size" ]; then
			if [ "$(sha1sum <"$file.part" | cut -d' ' -f1)" = "$sha1" ]; then
				mv -f "$file.part" "$file"
			else
				rm -f "$file.part"
			fi
		fi
	fi
	if [ ! -e "$file" ]; then
		echo "$mark missing $sha1"
		continue
	fi
	# When it was last of use; its time of change is the package's.
	touch -a "$file"
	mkdir -p "pkgs/${path%/*}" || exit 73
	ln -f "$file" "pkgs/$path" 2>/dev/null || cp -p "$file" "pkgs/$path" || exit 73
done || exit
echo "$mark linked"
