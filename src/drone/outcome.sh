# How a job stands: $jobs, $job. Marked lines.
directory=$jobs/$job
cd "$directory" 2>/dev/null || { echo "$mark gone"; exit 0; }
say() { while read -r line; do echo "$mark $1$line"; done; }
[ ! -e stopped ] || say 'stopped ' <stopped
[ ! -e host ] || say '' <host
[ ! -e usage ] || say 'usage ' <usage
[ ! -e peak ] || say 'peak ' <peak
if [ -e status ]; then
	read -r status <status
	echo "$mark status $status"
else
	echo "$mark none"
fi
