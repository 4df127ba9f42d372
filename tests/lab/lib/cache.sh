#!/bin/bash
# Writes the metadata cache of a repository with the egencache of the lab's Portage, in a root thrown away after.
# Argument: the repository. Runs in a mount namespace of its own.
set -eu
repository=$1
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=common.sh
. "$here/common.sh"
# shellcheck source=disk.sh
. "$here/disk.sh"
has_trait() { false; }
scratch=$(mktemp -d "$LAB_CACHE/root.XXXXXX")
mount -t tmpfs -o mode=755,size=256m scratch "$scratch"
# What disk.sh works with.
# shellcheck disable=SC2034
upper=$scratch/upper lab=$scratch/lab cores=1
mkdir -p "$upper/etc" "$scratch/work" "$scratch/root" "$scratch/lab"
cp -a "$repository" "$scratch/lab/repo"
hide_the_machine
portage_commands
portage_settings
grep -q '^portage:' /etc/passwd || {
	{ cat /etc/passwd; echo 'portage:x:250:250:portage:/var/lib/portage/home:/bin/false'; } >"$upper/etc/passwd"
	{ cat /etc/group; echo 'portage:x:250:portage'; } >"$upper/etc/group"
}
mount -t overlay scratch -o "lowerdir=/,upperdir=$upper,workdir=$scratch/work" "$scratch/root"
mount --rbind /dev "$scratch/root/dev"
mount -t proc proc "$scratch/root/proc"
mkdir -p "$scratch/root$PORTAGE_VENV"
mount --bind "$PORTAGE_VENV" "$scratch/root$PORTAGE_VENV"
mount --bind "$repository" "$scratch/root/var/db/repos/gentoo"
status=0
chroot "$scratch/root" egencache --update --repo gentoo --jobs 2 || status=$?
umount -l "$scratch/root" "$scratch"
rmdir "$scratch"
exit $status
