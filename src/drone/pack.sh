# Packs installed packages of this host as binary packages: $workdir, and in $wanted a line `CATEGORY/NAME SLOT` for each.
# What is not installed is passed over. Configuration files stay out: they may hold secrets. Marked lines: the PKGDIR,
# which whoever asked removes again, and `packed CATEGORY/NAME SLOT CPV` for each.
LC_ALL=C
export LC_ALL
umask 022
mkdir -p "$workdir" || { echo "cannot make $workdir" >&2; exit 73; }
# What a controller that was killed meanwhile has left.
find "$workdir" -maxdepth 1 -name 'pack.*' -mmin +1440 -exec rm -rf {} +
pkgdir=$(mktemp -d "$workdir/pack.XXXXXX") || exit 73
cd / || exit 72
export PKGDIR="$pkgdir" BINPKG_FORMAT=gpkg BINPKG_COMPRESS=zstd NOCOLOR=true NO_COLOR=1 PORTAGE_TRUST_HELPER=
echo "$mark pkgdir $pkgdir"
printf '%s\n' "$wanted" | while read -r package slot; do
	[ -n "$package" ] || continue
	installed=$(portageq match / "$package:$slot" 2>/dev/null | tail -n 1)
	[ -n "$installed" ] || continue
	if said=$(quickpkg --include-config=n --umask=022 "=$installed" 2>&1 </dev/null); then
		echo "$mark packed $package $slot $installed"
	else
		echo "quickpkg =$installed: $said" >&2
	fi
done
