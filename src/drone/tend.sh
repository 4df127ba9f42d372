# Looked at now and then by the controller that works with this drone: $workdir, $epoch, $controller, $lease_seconds,
# $take_over, $elected, $configurations, $configuration. Claims or renews the epoch and says how the drone is. Marked lines.
LC_ALL=C
export LC_ALL
now=$(date +%s)
echo "$mark clock $now"
read -r one _ _ tasks _ </proc/loadavg && echo "$mark load $one ${tasks%%/*}"
echo "$mark memory $(sed -n 's/^MemAvailable: *\([0-9]*\) kB$/\1/p' /proc/meminfo)"
echo "$mark whole $(sed -n 's/^MemTotal: *\([0-9]*\) kB$/\1/p' /proc/meminfo)"
mkdir -p "$workdir" 2>/dev/null
echo "$mark space $(df -Pk "$workdir" 2>/dev/null | sed -n '$s/.* \([0-9][0-9]*\)  *[0-9][0-9]*% .*/\1/p')"
if ! { : >"$workdir/.writable"; } 2>/dev/null; then
	echo "$mark readonly"
	exit 0
fi
rm -f "$workdir/.writable"
# Which revision of the driver's configuration counts here, where one was brought. Whoever clears old ones away leaves the
# one that jobs are given.
if [ -z "$configuration" ] && [ -n "$configurations" ] && [ -L "$configurations/current" ]; then
	configuration=$(readlink "$configurations/current")
	echo "$mark configuration $configuration"
fi
[ ! -d "$configurations/${configuration:-.none}" ] || : >"$configurations/$configuration/used"
# An emerge that is not ours belongs to somebody who works here.
if command -v pgrep >/dev/null 2>&1; then
	for pid in $(pgrep -f '/emerge( |$)'); do
		# One that has just ended has no environment any more.
		environment=$(tr '\0' '\n' 2>/dev/null <"/proc/$pid/environ") || continue
		[ -n "$environment" ] || continue
		printf '%s\n' "$environment" | grep -q '^SWARM_' || echo "$mark emerge $pid"
	done
fi
epoch_lock
until=$((now + lease_seconds))
# What was elected is confirmed by the voting alone.
[ "$elected" != yes ] || [ "$holder" != "$controller" ] || until=$lease
if epoch_is_lost; then
	echo "$mark unknown"
elif [ -n "$holder" ] && [ "$holder" != "$controller" ] && [ "$lease" -gt "$now" ] && [ "$take_over" != yes ]; then
	echo "$mark held $found $holder $((lease - now))"
elif epoch_outranked; then
	echo "$mark outranked $found $holder"
elif (epoch_write "$until") 2>/dev/null; then
	echo "$mark ours $found $holder"
else
	# Without a claim nothing may start here; what ails the disk has been said.
	echo "$mark readonly"
fi
