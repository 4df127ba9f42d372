# How a job stands: $jobs, $job. Marked lines.
directory=$jobs/$job
cd "$directory" 2>/dev/null || { echo "$mark gone"; exit 0; }
if [ -e status ]; then
	read -r status <status
	echo "$mark status $status"
else
	echo "$mark none"
fi
