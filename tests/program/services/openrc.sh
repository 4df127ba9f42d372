#!/bin/bash
# Runs both services by OpenRC in a root of their own: an overlay of this machine's, with OpenRC's files on top. What
# happens is printed, a line each. Runs in mount, process and network namespaces that end with it.
# Arguments: OpenRC's files, packaging/openrc, the program, an empty directory.
set -eu
files=$1 packaging=$2 swarm=$3 scratch=$4
mount -t tmpfs scratch "$scratch"
mkdir "$scratch/upper" "$scratch/work" "$scratch/root"
cp -a "$files/." "$scratch/upper"
mount -t overlay root -o "lowerdir=/,upperdir=$scratch/upper,workdir=$scratch/work" "$scratch/root"
cd "$scratch/root"
mount -t proc proc proc
mount --rbind /dev dev
mount -t tmpfs run run
# As it is once OpenRC has booted the machine; the last is of the package that sorts Debian's own scripts.
mkdir -p run/openrc/{starting,started,stopping,inactive,wasinactive,failed,hotplugged,daemons,options,exclusive,scheduled,tmp}
touch run/openrc/softlevel etc/insserv.conf
cp "$packaging"/init.d/* etc/init.d
touch usr/bin/swarm
mount --bind "$swarm" usr/bin/swarm

mkdir -p etc/conf.d etc/build-swarm/inventory srv/production.releases/000001-000001
ln -s production.releases/000001-000001 srv/production
printf 'VERSION: 0\nTIMESTAMP: 1795504980\n\nCPV: app-lab/a-1\nPATH: app-lab/a/a-1-1.gpkg.tar\n\n' >srv/production/Packages
cat >etc/build-swarm/inventory/fleet.toml <<-END
	[swarm]
	driver = "local"
	state = "/srv/state"
	staging = "/srv/staging"
	production = "/srv/production"
	[hosts.here]
	address = "127.0.0.1"
	[gateway]
	host = "here"
	listen = "127.0.0.1:8090"
	check_interval = "1s"
	[orchestrators.izar]
	address = "127.0.0.1"
	binhost = "http://127.0.0.1:8091/packages"
	api = "http://127.0.0.1:8091"
END
cat "$packaging/conf.d/swarm-orchestrator" - >etc/conf.d/swarm-orchestrator <<-END
	swarm_user=nobody
	swarm_group=nogroup
	swarm_directories=/srv/state
	swarm_home=/srv/state
	swarm_arguments=izar
	swarm_health=http://127.0.0.1:8091/health
	swarm_patience=1
	healthcheck_delay=1
	healthcheck_timer=1
	retry=TERM/1/KILL/5
END
cat "$packaging/conf.d/swarm-gateway" - >etc/conf.d/swarm-gateway <<-END
	swarm_user=nobody
	swarm_group=nogroup
	swarm_home=/
END

cat >tmp/inside <<-'END'
	service() { rc-service --nodeps --nocolor "$@" 2>&1; }
	get() { wget -q -T 5 -t 1 -O - "$1"; }
	# The service itself, not what supervises it.
	process() { pgrep -x -u nobody -f "/usr/bin/swarm.* $1.*"; }
	again() { until new=$(process orchestrator) && [ "$new" != "$1" ] && get http://127.0.0.1:8091/health >/dev/null; do sleep 0.1; done; }
	ip link set lo up
	service swarm-orchestrator start
	service swarm-gateway start
	until get http://127.0.0.1:8090/binhost; do sleep 0.1; done
	echo
	for each in orchestrator gateway; do
		service swarm-$each status
		service swarm-$each reload
		until grep -q "read again" /var/log/swarm-$each.log; do sleep 0.1; done
		grep -E "^(Uid|CapEff|NoNewPrivs)" /proc/$(process $each)/status | tr -s "\t\n" " "
		echo
	done
	old=$(process orchestrator)
	kill -s KILL $old
	again $old
	echo "one that was killed is back"
	old=$(process orchestrator)
	kill -s STOP $old
	again $old
	echo "one that hung is back"
	for each in orchestrator gateway; do
		service swarm-$each stop
		service swarm-$each status
		process $each && echo "$each is still there"
	done
	cat /var/log/swarm-*.log
	ls -ld /srv/state
	exit 0
END
exec chroot . sh /tmp/inside
