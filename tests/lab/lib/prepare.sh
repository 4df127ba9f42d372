# What a lab needs before its first host starts: its directory, keys, the repository, an inventory.
# shellcheck shell=bash disable=SC2034,SC2154

# The repository with its metadata cache, made once for each state of the repository and kept beside Portage.
prepared_repository() {
	local key made
	key=$(cd "$here/repo" && find . -type f -print0 | sort -z | xargs -0 sha256sum | sha256sum | cut -c1-16)
	made=$LAB_CACHE/repo-$PORTAGE_VERSION-$key
	if [ ! -e "$made" ]; then
		(
			flock 8
			[ -e "$made" ] || make_repository "$made"
		) 8>"$LAB_CACHE/repo.lock"
	fi
	printf '%s' "$made"
}

make_repository() {
	local made=$1 new
	new=$(mktemp -d "$LAB_CACHE/new.XXXXXX")
	cp -a "$here/repo/." "$new"
	chmod -R u=rwX,go=rX "$new"
	chown -R root:root "$new"
	mkdir -p "$new/metadata/md5-cache"
	unshare --mount --propagation private /bin/bash "$here/lib/cache.sh" "$new" >"$LAB_CACHE/cache.log" 2>&1 ||
		fail "the metadata of the lab's repository could not be made: $(tail -n 5 "$LAB_CACHE/cache.log")"
	mv "$new" "$made"
}

# The lab has a key pair for the client, a host key each, and an authority that signs both kinds.
make_keys() {
	local host
	mkdir -p "$lab/ssh/host"
	for key in id_ed25519 certified authority; do
		ssh-keygen -q -t ed25519 -N '' -C "lab $key" -f "$lab/ssh/$key" &
	done
	for host in $(all_hosts); do
		ssh-keygen -q -t ed25519 -N '' -C "$host" -f "$lab/ssh/host/$host" &
	done
	wait
	ssh-keygen -q -s "$lab/ssh/authority" -I lab -n root,builder "$lab/ssh/certified.pub"
	: >"$lab/ssh/known_hosts"
	while read -r name address vpn _; do
		[ -n "$name" ] || continue
		[ "$vpn" = - ] && vpn=
		host=$address${vpn:+,$vpn},$name
		printf '%s %s\n' "$host" "$(cut -d' ' -f1,2 "$lab/ssh/host/$name.pub")" >>"$lab/ssh/known_hosts"
		ssh-keygen -q -s "$lab/ssh/authority" -I "$name" -h -n "$host" "$lab/ssh/host/$name.pub" &
	done <<<"$FLEET"
	wait
	printf '@cert-authority * %s\n' "$(cut -d' ' -f1,2 "$lab/ssh/authority.pub")" >"$lab/ssh/known_hosts.authority"
	{
		awk 'NF { print "Host", $1; print "\tHostName", $2 }' <<<"$FLEET"
		printf 'Host *\n\tUser root\n\tIdentityFile %s\n\tIdentitiesOnly yes\n\tUserKnownHostsFile %s\n' \
			"$lab/ssh/id_ed25519" "$lab/ssh/known_hosts"
	} >"$lab/ssh/config"
}

prepare_directory() {
	local repository
	[ -e "$PORTAGE_VENV/complete" ] || fail "there is no Portage yet; run $here/setup first"
	[[ $lab == /* && $lab != *[:,\\\ ]* ]] ||
		fail "SWARM_LAB must be an absolute path without ':', ',', '\\' or blanks: $lab"
	[ ! -e "$lab/.swarm-lab" ] || return 0
	if [ -e "$lab" ] && [ -n "$(ls -A "$lab")" ]; then
		fail "$lab is there already and is not a lab; set SWARM_LAB to another path"
	fi
	mkdir -p "$lab"
	chmod 755 "$lab"
	touch "$lab/.swarm-lab"
	repository=$(prepared_repository)
	mkdir -p "$lab/hosts" "$lab/controller" "$lab/shared"/{counter,hold,slow,fail}
	# Also by builds that have dropped root.
	touch "$lab/shared/counter/compiled"
	chmod a+rw "$lab/shared/counter/compiled"
	ln -sfn "$repository" "$lab/repo"
	make_keys
}

write_inventory() {
	local name address vpn cores traits place
	{
		cat <<-END
			# Written by tests/lab/lab for the lab in $lab.
			[swarm]
			name = "lab"
			driver = "capella"
			controller = "local"
			staging = "$lab/controller/staging"
			production = "$lab/controller/production"
			state = "$lab/controller/state"

			[defaults]
			user = "root"
			identity = "$lab/ssh/id_ed25519"
			known_hosts = "$lab/ssh/known_hosts"

			[networks.milky-way]
			cidr = "10.42.0.0/24"

			[networks.andromeda]
			cidr = "192.168.20.0/24"

			[hosts.capella]
			address = "10.42.0.100"
		END
		while read -r name address vpn cores traits; do
			[ -n "$name" ] && has_trait drone && [ -d "$lab/hosts/$name" ] || continue
			place="\"$address\""
			[ "$vpn" = - ] || place="[$place, \"$vpn\"]"
			printf '\n[drones.%s]\naddress = %s\ncores = %s\nmemory = "2GiB"\n' "$name" "$place" "$cores"
		done <<<"$FLEET"
	} >"$lab/inventory.new"
	mv "$lab/inventory.new" "$lab/inventory.toml"
}
