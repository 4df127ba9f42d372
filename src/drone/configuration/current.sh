# Says which revision in $parent counts, where there is one, and keeps it from being cleared away for a while: a marked line
# `configuration [REVISION]`.
LC_ALL=C
export LC_ALL
revision=$(readlink "$parent/current" 2>/dev/null)
if [ -n "$revision" ]; then
	: >"$parent/$revision/used" || { echo "$parent/current leads to $revision, where nothing can be written" >&2; exit 73; }
fi
echo "$mark configuration $revision"
