# Points production back to the release that was live before one that clients cannot read: $production, $id, $before.
LC_ALL=C
export LC_ALL
releases=$production.releases
parent=${production%/*}
name=${production##*/}
next=$parent/.$name.swarm
exec 9>"$releases/.lock" || exit 73
flock -n 9 || { echo "another controller publishes there just now" >&2; exit 75; }
now=$(readlink "$production") || now=
[ "${now##*/}" = "$id" ] || { echo "production is ${now:-no release} there" >&2; exit 75; }
[ -d "$releases/$before" ] || { echo "release $before is not there any more" >&2; exit 75; }
rm -rf "$next"
ln -s "$name.releases/$before" "$next" && mv -T "$next" "$production" || exit 73
sync -f "$parent" 2>/dev/null || sync
echo "$mark back"
