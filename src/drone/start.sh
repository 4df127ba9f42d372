# Starts a job once: $jobs, $job. Prints the marked word `started` when its wrapper runs, however often it is asked.
directory=$jobs/$job
cd "$directory" || exit 72
if [ ! -e pid ] && [ ! -e status ]; then
	setsid /bin/sh ./wrapper </dev/null >/dev/null 2>&1 &
fi
tries=0
until [ -e pid ] || [ -e status ]; do
	tries=$((tries + 1))
	[ "$tries" -lt 500 ] || { echo "the job's wrapper in $directory did not start" >&2; exit 75; }
	sleep 0.02
done
echo "$mark started"
