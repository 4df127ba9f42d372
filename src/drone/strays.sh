# Lists the job directories below $jobs, two marked lines each: `job ID PROGRESS KIB SECONDS` (what it holds, and since
# when it is there) and `manifest ID JSON`. Sizes only where $measure is yes. alive.sh goes before this.
LC_ALL=C
export LC_ALL
now=$(date +%s)
for directory in "$jobs"/*/; do
	directory=${directory%/}
	job=${directory##*/}
	# A link leads elsewhere; a name with other characters is none of ours.
	case $job in *[!A-Za-z0-9._-]*) continue ;; esac
	[ -d "$directory" ] && [ ! -L "$directory" ] || continue
	# The manifest is written first and never again.
	if [ -e "$directory/manifest.json" ]; then since=$directory/manifest.json; else since=$directory; fi
	since=$(stat -c %Y "$since" 2>/dev/null || echo "$now")
	size=0
	[ "$measure" != yes ] || size=$(du -skx "$directory" 2>/dev/null | cut -f 1)
	echo "$mark job $job $(progress "$directory") ${size:-0} $((now - since))"
	if [ -f "$directory/manifest.json" ]; then
		echo "$mark manifest $job $(head -c "$limit" "$directory/manifest.json" | tr -d '\000' | tr '\n' ' ')"
	fi
done
:
