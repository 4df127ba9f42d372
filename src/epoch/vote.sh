# A voter's answer: $workdir, $step (ask, claim or confirm), $epoch, $controller, $lease_seconds, $take_over, and what it
# is taught where it has lost its promise: $lesson (the mark of the loss; empty: nothing), $lesson_epoch,
# $lesson_holder, $lesson_left, $lesson_latest, $lesson_by. One marked line: `granted LATEST BY`, `lost MARK`, or
# `has EPOCH LEFT HOLDER LATEST BY`, with - for nobody. epoch.sh goes before this; the file says `lost MARK` from when it
# is first seen to be gone.
LC_ALL=C
export LC_ALL
epoch_lock
now=$(date +%s)
lost=
word='' second=''
[ ! -e "$workdir/epoch" ] || read -r word second _ <"$workdir/epoch"
case $word in
lost) lost=$second ;;
'' | *[!0-9]*)
	lost=$(od -An -N6 -tu8 /dev/urandom | tr -d ' ')
	epoch_keep "lost $lost"
	;;
esac
vote_put() { # EPOCH HOLDER LEASE
	epoch_keep "$1 ${2:--} $3 $latest ${by:--}"
}
vote_grant() {
	until=$((now + lease_seconds))
	[ "$holder" != "$controller" ] || [ "$lease" -le "$until" ] || until=$lease
	vote_put "$epoch" "$controller" "$until"
	echo "$mark granted $latest ${by:--}"
	exit 0
}
if [ -n "$lost" ] && [ "$lost" = "$lesson" ]; then
	found=$lesson_epoch holder=$lesson_holder lease=$((now + lesson_left)) lost=
	latest=$lesson_latest by=$lesson_by
	vote_put "$found" "$holder" "$lease"
fi
if [ -n "$lost" ]; then
	echo "$mark lost $lost"
	exit 0
fi
ours=
[ "$found" -ne "$epoch" ] || [ "$holder" != "$controller" ] || ours=yes
bound=
[ -z "$holder" ] || [ "$holder" = "$controller" ] || [ "$lease" -le "$now" ] || bound=yes
case $step in
claim)
	[ -z "$ours" ] || vote_grant
	[ "$epoch" -le "$found" ] || { [ -n "$bound" ] && [ "$take_over" != yes ]; } || vote_grant
	;;
confirm) [ -z "$ours" ] || { latest=$epoch by=$controller && vote_grant; } ;;
esac
left=$((lease - now))
[ "$left" -gt 0 ] || left=0
echo "$mark has $found $left ${holder:--} $latest ${by:--}"
