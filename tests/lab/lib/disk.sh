# Fills the empty disk of a host: the upper layer of its root.
# shellcheck shell=bash disable=SC2154

# What a host does not see of this machine: an empty directory stands in front of each.
HIDDEN='
755 var/cache/binpkgs
755 var/cache/distfiles
755 var/cache/edb
755 var/cache/swarm
755 var/db/pkg
755 var/lib/build-swarm
755 var/lib/portage
755 var/lib/swarm
755 var/log
755 usr/lib/lab
755 usr/share/lab
755 etc/cron.d
755 etc/cron.hourly
755 etc/cron.daily
755 etc/cron.weekly
755 etc/cron.monthly
755 var/spool/cron
755 home
755 mnt
1777 tmp
1777 var/tmp
700 root
'

hide_the_machine() {
	local mode path
	while read -r mode path; do
		[ -n "$mode" ] || continue
		mkdir -p "$upper/$path"
		chmod "$mode" "$upper/$path"
		setfattr -n trusted.overlay.opaque -v y "$upper/$path"
	done <<<"$HIDDEN"
}

accounts() {
	{
		grep -v -E '^(portage|builder):' /etc/passwd
		has_trait bare || echo 'portage:x:250:250:portage:/var/lib/portage/home:/bin/false'
		echo 'builder:x:2000:2000::/home/builder:/bin/bash'
	} >"$upper/etc/passwd"
	{
		grep -v -E '^(portage|builder):' /etc/group
		has_trait bare || echo 'portage:x:250:portage,builder'
		echo 'builder:x:2000:'
	} >"$upper/etc/group"
	printf '%s:*:19000:0:99999:7:::\n' root sshd builder portage >"$upper/etc/shadow"
	chmod 600 "$upper/etc/shadow"
	# An ordinary user, for `become = "sudo"`.
	mkdir -p "$upper/etc/sudoers.d" "$upper/home/builder/.ssh"
	echo 'builder ALL=(ALL:ALL) NOPASSWD: ALL' >"$upper/etc/sudoers.d/builder"
	cp "$lab/ssh/id_ed25519.pub" "$upper/home/builder/.ssh/authorized_keys"
	: >"$upper/home/builder/.bashrc"
	chown -R 2000:2000 "$upper/home/builder"
	chmod 700 "$upper/home/builder/.ssh"
}

ssh_server() {
	mkdir -p "$upper/etc/ssh" "$upper/root/.ssh"
	cp "$lab/ssh/host/$host" "$upper/etc/ssh/lab_host_key"
	cp "$lab/ssh/host/$host.pub" "$upper/etc/ssh/lab_host_key.pub"
	cp "$lab/ssh/host/$host-cert.pub" "$upper/etc/ssh/lab_host_key-cert.pub"
	cp "$lab/ssh/authority.pub" "$upper/etc/ssh/lab_authority.pub"
	cp "$lab/ssh/id_ed25519.pub" "$upper/root/.ssh/authorized_keys"
	chmod 700 "$upper/root/.ssh"
	chmod 600 "$upper/etc/ssh/lab_host_key" "$upper/root/.ssh/authorized_keys"
	cat >"$upper/etc/ssh/lab_config" <<-END
		HostKey /etc/ssh/lab_host_key
		HostCertificate /etc/ssh/lab_host_key-cert.pub
		TrustedUserCAKeys /etc/ssh/lab_authority.pub
		PermitRootLogin prohibit-password
		PasswordAuthentication no
		KbdInteractiveAuthentication no
		UsePAM no
		UseDNS no
		PrintMotd no
		LogLevel VERBOSE
		# In the server itself: a noisy shell would spoil the other form for every client.
		Subsystem sftp internal-sftp
		SetEnv PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
	END
	# Debian's bash reads this for every command that comes over SSH.
	: >"$upper/root/.bashrc"
	if has_trait noisy; then
		echo 'echo "Welcome to $(uname -n). 3 updates are available."; echo "quota: 97% used" >&2' >"$upper/root/.bashrc"
	fi
}

names() {
	echo "$host" >"$upper/etc/hostname"
	{
		echo "127.0.0.1 localhost"
		awk 'NF { print $2, $1 }' <<<"$FLEET"
	} >"$upper/etc/hosts"
}

portage_commands() {
	local bin=$upper/usr/local/bin command
	mkdir -p "$bin"
	ln -s "$PORTAGE_VENV/share" "$upper/share"
	for command in emerge emaint portageq ebuild quickpkg egencache env-update; do
		ln -s "$PORTAGE_VENV/bin/$command" "$bin/$command"
	done
	if has_trait own-python; then
		# As on Gentoo: emerge on the PATH is a launcher, the script behind it names the Python that has Portage,
		# and the python3 that is found first is another one.
		local scripts=usr/lib/python-exec/python3.11
		mkdir -p "$upper/$scripts" "$upper/usr/bin"
		mv "$bin/emerge" "$upper/$scripts/emerge"
		printf '#!/bin/sh\nexec /%s/emerge "$@"\n' "$scripts" >"$upper/usr/bin/emerge"
		chmod 755 "$upper/usr/bin/emerge"
	else
		# Not a link: Python looks for its environment beside the name that it was called by.
		printf '#!/bin/sh\nexec %s/bin/python3 "$@"\n' "$PORTAGE_VENV" >"$bin/python3"
		chmod 755 "$bin/python3"
	fi
}

portage_settings() {
	local etc=$upper/etc/portage
	mkdir -p "$etc"
	setfattr -n trusted.overlay.opaque -v y "$etc"
	! has_trait bare || return 0
	mkdir "$etc/repos.conf"
	ln -s /var/db/repos/gentoo/profiles/lab "$etc/make.profile"
	cat >"$etc/make.conf" <<-END
		CHOST="x86_64-pc-linux-gnu"
		CFLAGS="-O2 -pipe"
		CXXFLAGS="\${CFLAGS}"
		MAKEOPTS="-j$cores"
		ACCEPT_LICENSE="*"
		GENTOO_MIRRORS=""
		FEATURES="buildpkg -sandbox -usersandbox -userpriv -userfetch -news -qa-unresolved-soname-deps"
		NOCOLOR="true"
	END
	cat >"$etc/repos.conf/gentoo.conf" <<-END
		[DEFAULT]
		main-repo = gentoo

		[gentoo]
		location = /var/db/repos/gentoo
		auto-sync = no
	END
	mkdir -p "$upper/var/lib/portage/home" "$upper/var/db/repos/gentoo"
	cp -a "$lab/repo/." "$upper/var/db/repos/gentoo"
	if has_trait driver; then
		printf 'app-lab/%s\n' consumer hello suite >"$upper/var/lib/portage/world"
	fi
}

# Debian's cron reads it besides its directories.
crontab() { printf '# Nothing of this machine.\n' >"$upper/etc/crontab"; }

fill_disk() {
	upper=$disk/upper
	mkdir -p "$upper/etc" "$disk/work" "$disk/workdir"
	hide_the_machine
	accounts
	ssh_server
	names
	portage_commands
	portage_settings
	crontab
}
