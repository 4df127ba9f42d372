# Keeps the cache ($workdir/cache) small: at most $limit KiB, and at most half of what would be free without it. The
# files that were of no use for the longest go first; those that a job has linked would free nothing.
cd "$workdir/cache" 2>/dev/null || exit 0
used=$(du -sk . | cut -f 1)
free=$(df -Pk . | sed -n '$s/.* \([0-9][0-9]*\)  *[0-9][0-9]*% .*/\1/p')
allowed=$(((used + ${free:-0}) / 2))
[ "$allowed" -le "$limit" ] || allowed=$limit
[ "$used" -gt "$allowed" ] || exit 0
# The names are hexadecimal numbers.
for file in $(ls -tur); do
	[ "$(stat -c %h "$file")" = 1 ] || continue
	size=$(du -k "$file" | cut -f 1)
	rm -f "$file" && used=$((used - size))
	[ "$used" -gt "$allowed" ] || break
done
:
