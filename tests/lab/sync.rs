//! `swarm sync`: drones build with the driver's configuration and repositories, whatever their own are.

use std::process::Command;

use super::laboratory::Laboratory;

/// A repository with an eclass and a profile of its own, and a package that records all that it sees of a configuration.
/// Version 2 would be the better one, were it not masked; version 1 is masked by its repository, and unmasked.
const DRIVER: &str = r#"
set -e
repository=/srv/extra
mkdir -p $repository/profiles/special $repository/metadata $repository/eclass $repository/app-lab/witness
echo extra >$repository/profiles/repo_name
printf 'masters = gentoo\nthin-manifests = true\nprofile-formats = portage-2\n' >$repository/metadata/layout.conf
echo '=app-lab/witness-1' >$repository/profiles/package.mask
printf '8\n' >$repository/profiles/special/eapi
echo gentoo:lab >$repository/profiles/special/parent
echo 'LAB_PROFILE="from make.profile"' >$repository/profiles/special/make.defaults
echo 'WITNESS_ECLASS="from eclass"' >$repository/eclass/witness.eclass
cat >$repository/app-lab/witness/witness-1.ebuild <<'END'
EAPI=8
DESCRIPTION="Records what it sees of its configuration"
LICENSE="strange"
KEYWORDS="~amd64"
SLOT=0
IUSE="+plain flag forced"
S=${WORKDIR}
inherit witness
src_unpack() { echo unpatched >text; }
src_compile() {
	{
		echo "use=$(printf '%s\n' ${USE} | grep -E '^(plain|flag|forced)$' | sort | paste -sd ' ')"
		echo "make.conf=${LAB_MAKE_CONF} package.env=${LAB_PACKAGE_ENV} bashrc=${LAB_BASHRC}"
		echo "profile=${LAB_PROFILE} eclass=${WITNESS_ECLASS} overlay=${LAB_OVERLAY}"
		echo "patched=$(cat text)"
		echo "savedconfig=$(cat "${PORTAGE_CONFIGROOT%/}/etc/portage/savedconfig/app-lab/witness")"
		echo "root=${PORTAGE_CONFIGROOT}"
	} >record
	printf '%s %s %s\n' "${CATEGORY}/${PF}" "$(cat /etc/hostname)" 0 >>/dev/lab/counter/compiled
}
src_install() { insinto /usr/share/lab; newins record witness; }
END
cp $repository/app-lab/witness/witness-1.ebuild $repository/app-lab/witness/witness-2.ebuild

cd /etc/portage
mkdir -p package.use env patches/app-lab/witness profile sets savedconfig/app-lab gnupg/private-keys-v1.d
printf '[extra]\nlocation = %s\n' $repository >repos.conf/extra.conf
ln -sfn $repository/profiles/special make.profile
printf 'LAB_MAKE_CONF="from make.conf"\nACCEPT_LICENSE="* -strange"\n' >>make.conf
echo 'app-lab/witness flag' >package.use/witness
echo '>=app-lab/witness-2' >package.mask
echo '=app-lab/witness-1' >package.unmask
echo 'app-lab/witness ~amd64' >package.accept_keywords
echo 'app-lab/witness strange' >package.license
echo 'app-lab/witness witness.conf' >package.env
echo 'LAB_PACKAGE_ENV="from package.env"' >env/witness.conf
echo 'LAB_BASHRC="from bashrc"' >bashrc
echo 'app-lab/witness forced' >profile/package.use.force
echo 'app-lab/absent-1' >profile/package.provided
echo 'app-lab/witness' >sets/lab
echo 'from savedconfig' >savedconfig/app-lab/witness
printf -- '--- a/text\n+++ b/text\n@@ -1 +1 @@\n-unpatched\n+from patches\n' >patches/app-lab/witness/a.patch
echo secret >gnupg/private-keys-v1.d/key
printf '[secret]\nsync-uri = http://name:password@example.net/\n' >binrepos.conf
"#;

/// What the package recorded.
const RECORD: [&str; 5] = [
    "use=flag forced plain",
    "make.conf=from make.conf package.env=from package.env bashrc=from bashrc",
    "profile=from make.profile eclass=from eclass overlay=from overlay",
    "patched=from patches",
    "savedconfig=from savedconfig",
];

const OWN: &str = "find /etc/portage /var/db/repos -printf '%p %m %s %T@ %l\\n' | sort; \
                   find /etc/portage -type f | sort | xargs sha256sum";

const CONFIGURATION: &str = "/var/lib/swarm/config";

fn record(lab: &Laboratory, build_id: u32) -> String {
    let name = format!("witness-1-{build_id}");
    let file = lab.controller("staging").join(format!("app-lab/witness/{name}.gpkg.tar"));
    let command = "tar -xOf \"$0\" \"$1/image.tar.zst\" | tar --zstd -xO --wildcards '*/usr/share/lab/witness'";
    let output = Command::new("sh").args(["-c", command]).arg(file).arg(name).output().unwrap();
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn drones_build_with_the_drivers_configuration_once_it_was_brought_and_keep_their_own() {
    let lab = Laboratory::up("sync");
    lab.on("capella", DRIVER).gives(0, &[]);
    std::fs::create_dir(lab.file("overlay")).unwrap();
    std::fs::write(lab.file("overlay/make.conf"), "LAB_OVERLAY=\"from overlay\"\n").unwrap();
    lab.edit_inventory(|text| text.replace("[defaults]\n", "[defaults]\nportage_overlay = 'overlay'\n"));
    let drones = ["drone-izar", "drone-vega"];
    for drone in drones {
        // What is the host's own concern stays its own.
        lab.on(drone, "echo 'PORTAGE_NICENESS=\"7\"' >>/etc/portage/make.conf").gives(0, &[]);
    }
    let own: Vec<String> = drones.iter().map(|drone| lab.on(drone, OWN).said).collect();
    let on = drones.join(",");

    // Their own configuration knows of none of this.
    lab.swarm(&["push", "--on", &on, "app-lab/witness"]).gives(5, &["differs"]);
    lab.lab(&["cut", "drone-tarn"]);
    lab.swarm(&["sync", "--dry-run"])
        .gives(1, &["drone-tarn has not been brought", "  + repos/extra/eclass/witness.eclass"]);
    lab.on(drones[0], &format!("ls {CONFIGURATION}/capella/current")).gives(2, &[]);
    lab.swarm(&["sync"]).gives(1, &["drone-tarn has not been brought", "drone-izar: ", "drone-vega: "]);
    lab.swarm(&["sync", "--on", &on]).gives(0, &["drone-izar: has what the driver has"]);
    lab.on(drones[0], &format!("find {CONFIGURATION} | grep -E 'gnupg|binrepos|secret'")).gives(1, &[]);
    let root = format!("PORTAGE_CONFIGROOT={CONFIGURATION}/capella/current");
    let asked = format!(
        "export {root}; portageq envvar PORTAGE_NICENESS ACCEPT_LICENSE; emerge -p @lab; \
         emerge --pretend --quiet app-lab/absent"
    );
    lab.on(drones[0], &asked).gives(0, &["7\n* -strange\n", "app-lab/witness-1", "absent"]);

    // One in a clean room, the other one's jobs share its root.
    lab.edit_inventory(|text| {
        text.replace("[drones.drone-izar]\n", "[drones.drone-izar]\nclean_room = 'always'\n")
            .replace("[drones.drone-vega]\n", "[drones.drone-vega]\nclean_room = 'never'\n")
    });
    for (drone, flags, build_id) in [(drones[0], "flag", 1), (drones[1], "-flag", 2)] {
        lab.on("capella", &format!("echo 'app-lab/witness {flags}' >/etc/portage/package.use/witness")).gives(0, &[]);
        if build_id > 1 {
            lab.swarm(&["push", "--replace", "--on", drone, "app-lab/witness"]).gives(5, &["differs", "USE differs"]);
            lab.swarm(&["sync", "--on", drone]).gives(0, &["etc/portage +0 -0 ~1"]);
        }
        lab.swarm(&["push", "--on", drone, "app-lab/witness"]).gives(0, &["1 received"]);
        let record = record(&lab, build_id);
        for line in RECORD {
            let line = if build_id > 1 { line.replace("use=flag ", "use=") } else { line.to_owned() };
            assert!(record.contains(&line), "{line} is not in\n{record}");
        }
        assert!(record.contains("root=/var/lib/swarm/jobs/"), "{record}");
    }

    // Another driver with another configuration, on the same drones.
    lab.on("client", "echo 'app-lab/hello doc' >/etc/portage/package.use").gives(0, &[]);
    let other = lab.file("other.toml");
    let text = std::fs::read_to_string(lab.inventory()).unwrap();
    let text =
        text.replace("driver = \"capella\"", "driver = \"client\"").replace("/controller/", "/controller/other-");
    std::fs::write(&other, text + "\n[hosts.client]\naddress = \"10.42.0.50\"\n").unwrap();
    let other = other.to_str().unwrap();
    lab.swarm(&["--inventory", other, "sync", "--on", drones[0]]).gives(0, &[]);
    lab.swarm(&["--inventory", other, "push", "--on", drones[0], "app-lab/hello"]).gives(0, &["1 received"]);
    lab.on(drones[0], &format!("ls {CONFIGURATION}")).gives(0, &["capella\nclient\n"]);
    // Once nobody builds with them any more the old ones go, but the one that becomes the next.
    lab.swarm(&["sync", "--on", drones[0]]).gives(0, &["etc/portage +0 -0 ~1"]);
    lab.on(drones[0], &format!("ls -d {CONFIGURATION}/capella/*[0-9a-f] | wc -l")).gives(0, &["2\n"]);

    // Over the drone's own, on demand, and back again.
    let there = ["--inventory", other, "sync", "--on", drones[0]];
    lab.swarm(&[&there[..], &["--system"]].concat()).gives(1, &["say --yes"]);
    lab.swarm(&[&there[..], &["--system", "--yes"]].concat()).gives(0, &["/etc/portage is the driver's now"]);
    let asked = "readlink /etc/portage/make.profile; ls /etc/portage/repos.conf; cat /etc/portage/package.use; emerge -pq app-lab/hello";
    lab.on(drones[0], asked)
        .gives(0, &["/var/db/repos/gentoo/profiles/lab\n", "gentoo.conf\n", "app-lab/hello doc\n", "app-lab/hello-"]);
    let lacks = "the drone's own repository extra has no profiles/special";
    lab.swarm(&["sync", "--system", "--yes", "--on", drones[1]]).gives(1, &[lacks]);
    lab.swarm(&[&there[..], &["--undo", "--dry-run"]].concat()).gives(0, &["/etc/portage would be its own again"]);
    lab.swarm(&[&there[..], &["--undo"]].concat()).gives(1, &["say --yes"]);
    lab.swarm(&[&there[..], &["--undo", "--yes"]].concat()).gives(0, &["/etc/portage is its own again"]);
    lab.swarm(&[&there[..], &["--undo", "--dry-run"]].concat()).gives(1, &["nothing is to be undone"]);
    for (drone, own) in drones.iter().zip(own) {
        assert_eq!(lab.on(drone, OWN).said, own, "{drone}");
    }
}
