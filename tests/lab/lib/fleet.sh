# The hosts that a lab can have: those of inventory/argo.toml, a second address on the VPN for each that has one there.
# shellcheck shell=bash disable=SC2034

# name, address, VPN address, cores, traits. Traits: driver, drone, orchestrator; then what is odd about the host.
FLEET='
capella      10.42.0.100     100.64.0.10  4   driver
altair       10.42.0.199     -            2   gateway
tarn         192.168.20.100  100.64.0.16  2   jump
orch-izar    10.42.0.201     100.64.0.11  2   orchestrator
orch-tarn    192.168.20.201  100.64.0.15  2   orchestrator
drone-izar   10.42.0.203     100.64.0.12  16  drone
drone-vega   10.42.0.204     100.64.0.13  8   drone,own-python
drone-tarn   192.168.20.203  100.64.0.17  14  drone
drone-mizar  192.168.20.204  100.64.0.18  20  drone,noisy
drone-spica  10.42.0.205     -            6   drone,bare
client       10.42.0.50      -            2   client
'

# What `up` starts when it is not told: a driver, drones on both networks, a client.
DEFAULT_HOSTS='capella drone-izar drone-vega drone-tarn client'

# bridge, the controller's address on it
NETWORKS='
milky-way  10.42.0.1/24
andromeda  192.168.20.1/24
vpn        100.64.0.1/24
'

# Sets name, address, vpn, cores and traits; false for a host that is not of the fleet.
look_up() {
	while read -r name address vpn cores traits; do
		[ "$name" = "$1" ] && return 0
	done <<<"$FLEET"
	return 1
}

has_trait() { [[ ,$traits, == *,"$1",* ]]; }

bridge_of() {
	case $1 in
	10.42.0.*) echo milky-way ;;
	192.168.20.*) echo andromeda ;;
	*) echo vpn ;;
	esac
}

# The controller's address on the network of an address: the way out for a host.
router_of() { echo "${1%.*}.1"; }

all_hosts() { awk 'NF { print $1 }' <<<"$FLEET"; }

# A lab's part of the machine's cgroup tree; nothing where there is no cgroup v2 to write to.
lab_cgroup() { # lab's directory
	local tree
	for tree in /sys/fs/cgroup /sys/fs/cgroup/unified; do
		if [ -w "$tree/cgroup.procs" ] && [ -e "$tree/cgroup.subtree_control" ]; then
			printf '%s/swarm-lab-%s' "$tree" "$(printf '%s' "$1" | cksum | cut -d' ' -f1)"
			return
		fi
	done
}
