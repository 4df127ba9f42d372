# Distributed under the terms of the MIT license

EAPI=8

DESCRIPTION="Build farm that pushes builds over SSH and releases the packages as one binhost"
HOMEPAGE="file:///usr/share/doc/swarm-bin-0.1.0/README.md"
# Made by packaging/dist from a checkout: nobody else has it.
SRC_URI="swarm-${PV}-x86_64.tar.xz"
S="${WORKDIR}/swarm-${PV}"

LICENSE="MIT"
SLOT="0"
KEYWORDS="-* amd64"
RESTRICT="fetch strip"

# The program is static, so nothing has to be there. gnupg signs releases, where the inventory wants that.
QA_PREBUILT="usr/bin/swarm"

pkg_nofetch() {
	einfo "\`packaging/dist\` in a checkout of swarm makes ${A} and this repository with its Manifest."
	einfo "Copy that file into ${PORTAGE_ACTUAL_DISTDIR:-${DISTDIR}}."
}

src_install() {
	dobin bin/swarm
	doman man/*
	dodoc -r README.md docs inventory playbooks
	# They point to each other.
	docompress -x /usr/share/doc/${PF}

	doinitd openrc/init.d/*
	doconfd openrc/conf.d/*
	insinto /usr/lib/systemd/system
	doins systemd/*.service
	insinto /usr/lib/sysusers.d
	doins sysusers.d/swarm.conf

	insinto /usr/share/bash-completion/completions
	newins completions/swarm.bash swarm
	insinto /usr/share/zsh/site-functions
	newins completions/swarm.zsh _swarm
	insinto /usr/share/fish/vendor_completions.d
	doins completions/swarm.fish

	insinto /usr/share/swarm
	doins -r nginx prometheus grafana
	keepdir /etc/build-swarm/inventory /etc/build-swarm/playbooks
}

pkg_postinst() {
	elog "${EROOT}/usr/share/doc/${PF}/docs/tutorial.md begins with the inventory, in ${EROOT}/etc/build-swarm/inventory."
	elog "The services run as the user \"swarm\", which systemd-sysusers makes; with OpenRC:"
	elog "    useradd --system --home-dir /var/lib/build-swarm --shell /sbin/nologin swarm"
}
