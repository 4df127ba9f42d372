# Starts a job once: $workdir, $jobs, $job, $epoch, $controller, $elected. Prints the marked word `started` when its
# wrapper runs, however often it is asked, `outranked EPOCH CONTROLLER` when a controller of a higher epoch has been
# here, or `unknown` where that cannot be known. Looking and starting are one step: nobody can claim the drone between
# them.
directory=$jobs/$job
cd "$directory" || exit 72
epoch_enter
if [ ! -e pid ] && [ ! -e status ]; then
	setsid /bin/sh ./wrapper 8>&- </dev/null >/dev/null 2>&1 &
fi
tries=0
until [ -e pid ] || [ -e status ]; do
	tries=$((tries + 1))
	[ "$tries" -lt 500 ] || { echo "the job's wrapper in $directory did not start" >&2; exit 75; }
	sleep 0.02
done
echo "$mark started"
