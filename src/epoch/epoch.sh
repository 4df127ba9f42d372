# A host's side of epochs: $workdir/epoch holds `EPOCH CONTROLLER LEASE LATEST BY`, the lease in seconds of this host's
# own clock, LATEST the latest epoch that is known to have been held, and by whom; or `lost MARK`. $epoch and $controller
# are those of whoever asks. Between epoch_lock and epoch_unlock nobody else changes it.
epoch_lock() {
	mkdir -p "$workdir" || { echo "cannot make $workdir" >&2; exit 73; }
	exec 8>>"$workdir/epoch.lock" || exit 73
	flock -w 20 8 || { echo "$workdir/epoch.lock is held by somebody who does not let go" >&2; exit 75; }
	found=0 holder='' lease=0 latest=0 by=-
	[ ! -e "$workdir/epoch" ] || read -r found holder lease latest by _ <"$workdir/epoch"
	unknown=
	case $found in '' | *[!0-9]*) unknown=yes found=0 holder='' ;; esac
	[ -e "$workdir/epoch" ] || unknown=yes
	[ "$holder" != - ] || holder=
	case $lease in '' | *[!0-9]*) lease=0 ;; esac
	case $latest in '' | *[!0-9]*) latest=0 by=- ;; esac
}
epoch_unlock() { exec 8>&-; }
# Whoever was elected refuses to take what has no record for what never had any; the voting tells it.
epoch_is_lost() { [ "$elected" = yes ] && [ -n "$unknown" ]; }
# Somebody has claimed a higher one, or the same.
epoch_outranked() {
	[ "$found" -gt "$epoch" ] || { [ "$found" -eq "$epoch" ] && [ -n "$holder" ] && [ "$holder" != "$controller" ]; }
}
# Writes the file so that a power cut leaves either form of it: a promise that is given is never forgotten unseen.
epoch_keep() { # LINE
	printf '%s\n' "$1" >"$workdir/epoch.new" &&
		{ sync "$workdir/epoch.new" 2>/dev/null || sync; } &&
		mv -f "$workdir/epoch.new" "$workdir/epoch" &&
		{ sync "$workdir" 2>/dev/null || sync; } ||
		{ echo "cannot write $workdir/epoch" >&2; exit 73; }
}
# Who comes with it holds it.
epoch_write() {
	epoch_keep "$epoch $controller $1 $epoch $controller"
}
# Locks, and goes on only where nobody has claimed as much or more: else it ends here, with the marked word `unknown` or
# `outranked EPOCH CONTROLLER`.
epoch_enter() {
	epoch_lock
	if epoch_is_lost; then
		echo "$mark unknown"
		exit 0
	fi
	if epoch_outranked; then
		echo "$mark outranked $found $holder"
		exit 0
	fi
	[ "$found" -eq "$epoch" ] || epoch_write "$lease"
}
