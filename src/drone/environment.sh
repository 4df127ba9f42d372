# The environment of everything that emerge does for a job. $jobs is WORKDIR/jobs, $job the job's id.
# The environment beats make.conf, and package.env takes only what is not in it, so all that matters is exported.
# FEATURES cannot be switched off from there (the packer reads make.conf again), hence a configuration root of the
# job's own: links to what the drone has, or to the revision of its driver's configuration that lies there ($brought,
# below WORKDIR/config), but for make.conf, which ends with our lines, and for foreign binhosts.
# The drone's way of signing packages counts only where the controller checks signatures; those of what is fed were
# checked there, by whichever drone's key, so they are of no concern here.
LC_ALL=C
export LC_ALL
umask 022
export SWARM_JOB="$job"
directory=$jobs/$job
cd "$directory" || { echo "there is no directory $directory" >&2; exit 72; }
# What enters the job's clean room, as words before a command; none where it has no room.
enter=
[ ! -e enter ] || enter="unshare --mount --pid --fork --kill-child --propagation private /bin/sh $directory/enter"

configure() {
	[ -e config/ready ] && [ "$(cat config/ready)" = "$brought" ] && return 0
	own=/etc/portage olds=/etc/make.conf
	[ -z "$brought" ] || own=${jobs%/jobs}/config/$brought/etc/portage olds=
	[ -d "$own" ] || { echo "there is no directory $own" >&2; return 1; }
	rm -rf config && mkdir -p config/etc/portage || return 1
	for entry in "$own"/* "$own"/.[!.]*; do
		[ -e "$entry" ] || [ -L "$entry" ] || continue
		case ${entry##*/} in
		make.conf | make.profile | binrepos.conf) ;;
		*) ln -s "$entry" config/etc/portage/ || return 1 ;;
		esac
	done
	[ ! -e "$own/make.profile" ] || ln -s "$(readlink -f "$own/make.profile")" config/etc/portage/make.profile || return 1
	mkdir config/etc/portage/make.conf || return 1
	# Older systems keep it in /etc; where both are there, the later one counts, as Portage has it.
	for old in $olds "$own/make.conf"; do
		if [ -d "$old" ]; then
			cp -RL "$old"/. "config/etc/portage/make.conf/" || return 1
		elif [ -e "$old" ]; then
			cp -L "$old" "config/etc/portage/make.conf/00-${old##*/}" || return 1
		fi
	done
	cat >config/etc/portage/make.conf/zz-swarm <<-'END' || return 1
		EMERGE_DEFAULT_OPTS=""
		BINPKG_FORMAT="gpkg"
		BINPKG_COMPRESS="zstd"
		PORTAGE_TRUST_HELPER=""
		FEATURES="${FEATURES} buildpkg binpkg-multi-instance buildpkg-live pkgdir-index-trusted -binpkg-request-signature binpkg-ignore-signature -getbinpkg"
	END
	[ -n "$signed" ] || echo 'FEATURES="${FEATURES} -binpkg-signing"' >>config/etc/portage/make.conf/zz-swarm || return 1
	echo "$brought" >config/ready
}

signed= brought=
[ ! -e settings ] || . ./settings
configure || { echo "cannot make the job's configuration in $directory/config" >&2; exit 73; }
mkdir -p pkgs tmp/log || exit 73
export NOCOLOR=true NO_COLOR=1 EMERGE_DEFAULT_OPTS= PORTAGE_TRUST_HELPER= PORTAGE_BINHOST= BINPKG_FORMAT=gpkg
export PORTAGE_CONFIGROOT="$directory/config" PKGDIR="$directory/pkgs" EMERGE_LOG_DIR="$directory/tmp/log"
export PORTAGE_TMPDIR="$directory/tmp" PORTAGE_LOGDIR="$directory/tmp/log"
