//! Nights that nobody looks at: real cron fires on the driver, which is its own controller.

use std::process::{Child, Stdio};

use serde_json::Value;

use super::laboratory::{Laboratory, Ran};

/// Where the driver's binhost is served.
const BINHOST: &str = "http://10.42.0.100:8080/production";

/// A driver that has the program, the inventory, cron and a mailbox, and a client of its releases.
struct Home {
    lab: Laboratory,
    /// What runs on the driver; it ends with the lab.
    services: Vec<Child>,
}

impl Home {
    fn up(name: &str) -> Self {
        let lab = Laboratory::up(name);
        lab.share_program();
        let notify = "\n[notify.mail]\nmail = \"root@localhost\"\n";
        lab.equip("capella", &(std::fs::read_to_string(lab.inventory()).unwrap() + notify));
        let mut home = Self { lab, services: Vec::new() };
        home.on("ln -s /dev/lab/swarm /usr/local/bin/swarm && mkdir -p /var/mail/box /var/cache/swarm && \
             printf '#!/bin/sh\\ncat >/var/mail/box/$$\\n' >/usr/sbin/sendmail && chmod 755 /usr/sbin/sendmail");
        home.serve(&["python3", "-m", "http.server", "--directory", "/var/cache/swarm", "8080"]);
        home.lab.wait("the binhost is served", || {
            home.lab.run(&["wget", "-qO/dev/null", "-T3", "-t1", "http://10.42.0.100:8080/"]).status == 0
        });
        home.serve(&["cron", "-f"]);
        home
    }

    /// Starts what goes on beside the test on the driver.
    fn serve(&mut self, command: &[&str]) {
        let mut beside = self.lab.command();
        beside.args(["exec", "capella"]).args(command).stdin(Stdio::null());
        self.services.push(beside.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap());
    }

    /// A shell command on the driver that succeeds.
    fn on(&self, command: &str) -> Ran {
        let ran = self.lab.on("capella", command);
        ran.gives(0, &[]);
        ran
    }

    /// `swarm` as the operator types it on the driver.
    fn swarm(&self, arguments: &[&str]) -> Ran {
        self.lab.lab(&[&["exec", "capella", "swarm"], arguments].concat())
    }
}

/// What the world's packages come to before the update, and where the newer ebuilds wait meanwhile.
const NEWER: [&str; 3] = ["app-lab/hello/hello-1.1-r1", "app-lab/consumer/consumer-1.1", "dev-lab/libfoo/libfoo-2.0"];
const REPOSITORY: &str = "/var/db/repos/gentoo";
const LATER: &str = "/var/later";

impl Home {
    /// Moves the newer ebuilds, and what the cache has of them, from one place to another.
    fn move_newer(&self, from: &str, to: &str) {
        for ebuild in NEWER {
            let (category, rest) = ebuild.split_once('/').unwrap();
            let (package, version) = rest.split_once('/').unwrap();
            let cache = format!("metadata/md5-cache/{category}");
            self.on(&format!(
                "mkdir -p {to}/{category}/{package} {to}/{cache} && mv {from}/{ebuild}.ebuild {to}/{category}/{package}/ \
                 && mv {from}/{cache}/{version} {to}/{cache}/"
            ));
        }
    }

    /// The world's members.
    fn set_world(&self, packages: &[&str]) {
        let path = self.lab.root("capella").join("var/lib/portage/world");
        std::fs::write(path, packages.join("\n") + "\n").unwrap();
    }

    /// A world that is built, released and installed, on the driver and at a client; then there is something new.
    fn settle(&self) {
        self.move_newer(REPOSITORY, LATER);
        self.set_world(&["app-lab/hello", "app-lab/consumer"]);
        self.swarm(&["push", "--world", "--install"]).gives(0, &["is live"]);
        let binhost =
            format!("printf '[lab]\\nsync-uri = {BINHOST}\\nverify-signature = false\\n' >/etc/portage/binrepos.conf");
        self.lab.on("client", &binhost).gives(0, &[]);
        self.client_updates().gives(0, &["app-lab/consumer-1.0"]);
        self.lab.lab(&["forget"]);
        self.move_newer(LATER, REPOSITORY);
    }

    /// Clients compile nothing.
    fn client_updates(&self) -> Ran {
        self.lab.on(
            "client",
            "emerge --verbose --oneshot --update --getbinpkgonly --usepkgonly --binpkg-respect-use=n \
             app-lab/hello app-lab/consumer",
        )
    }

    /// Lets cron fire the playbook, and waits until it does.
    fn fire(&self) {
        let before = self.last_run()["started"].clone();
        let time = self.on("date -d '+65 seconds' +%H:%M").said.trim().to_owned();
        self.swarm(&["schedule", "install", "nightly-world", "--at", &time]).gives(0, &["/etc/cron.d/"]);
        self.lab.wait("cron fires", || self.last_run()["started"] != before);
    }

    /// Waits for the end of the run; gives what the status says of it.
    fn morning(&self) -> Value {
        self.lab.wait("the run ends", || !self.last_run()["finished"].is_null());
        self.last_run()
    }

    fn night(&self) -> Value {
        self.fire();
        self.morning()
    }

    fn status(&self) -> Value {
        serde_json::from_str(&self.swarm(&["status", "--json"]).said).unwrap_or_default()
    }

    fn last_run(&self) -> Value {
        self.status()["last_run"].clone()
    }

    /// What was mailed so far: subject and text of each, as another program reads them.
    fn mails(&self) -> Vec<String> {
        let mut files: Vec<_> = std::fs::read_dir(self.lab.root("capella").join("var/mail/box"))
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .collect();
        files.sort();
        let read = "import email, email.policy, sys\n\
                    mail = email.message_from_binary_file(open(sys.argv[1], 'rb'), policy=email.policy.default)\n\
                    print(mail['subject'], mail.get_content(), sep='\\n')";
        files.iter().map(|path| self.lab.run(&["/usr/bin/python3", "-c", read, path.to_str().unwrap()]).said).collect()
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let state = self.lab.root("capella").join("var/lib/build-swarm");
            eprintln!(
                "{}",
                self.lab.on("capella", &format!("tail -n 40 {0}/runs/*/*.log", "/var/lib/build-swarm")).said
            );
            eprintln!("{}\n{}", state.display(), self.mails().join("\n---\n"));
        }
        for service in &mut self.services {
            // It may have ended with its host.
            let _gone = service.kill();
            let _gone = service.wait();
        }
    }
}

#[test]
fn a_night_releases_what_can_be_built_and_mails_once_what_failed() {
    let home = Home::up("night");
    home.settle();
    home.on("printf 'app-lab/consumer ssl\\ndev-lab/libbar ssl\\n' >>/etc/portage/package.use");
    home.set_world(&["app-lab/hello", "app-lab/consumer", "app-lab/failer"]);

    let run = home.night();
    assert_eq!((&run["name"], &run["status"]), (&"nightly-world".into(), &3.into()), "{run}");

    // In the morning: what was built is live, and clients have it.
    home.client_updates().gives(0, &["app-lab/hello-1.1-r1", "app-lab/consumer-1.1"]);
    home.lab.on("client", "cat /usr/share/lab/app-lab/consumer").gives(0, &["use=amd64 ssl"]);
    let mut compiled = home.lab.compiled();
    let attempts = compiled.remove("app-lab/failer-1.0").unwrap();
    assert_eq!(attempts.len(), 2, "on two drones: {attempts:?}");
    assert!(compiled.values().all(|hosts| hosts.len() == 1), "{compiled:?}");

    // One mail, and it says what to do.
    let mails = home.mails();
    assert_eq!(mails.len(), 1, "{mails:?}");
    for words in ["app-lab/failer-1.0", "build", "oops", "swarm logs"] {
        assert!(mails[0].contains(words), "{words} is not in\n{}", mails[0]);
    }
    // One screen.
    let status = home.swarm(&["status"]);
    status.gives(0, &["nightly-world", "app-lab/failer-1.0", "build"]);
    assert!(status.said.lines().count() <= 24, "{}", status.said);
    home.swarm(&["runs"]).gives(0, &["nightly-world"]);
    home.swarm(&["schedule", "check"]).gives(0, &["nightly-world"]);
}

/// What a drone of this name builds by: the revision of the driver's configuration.
fn revision(home: &Home, drone: &str) -> String {
    home.lab.on(drone, "readlink /var/lib/swarm/config/capella/current").said
}

#[test]
#[ignore = "seven firings of cron, minutes apart"]
fn seven_nights_see_a_drone_die_and_come_back_differing_and_build_nothing_twice_without_cause() {
    let home = Home::up("nights");
    home.on("sed -i 's/^driver = /lost_after = \"20s\"\\ndriver = /' /etc/build-swarm/inventory/fleet.toml");
    home.settle();
    // It fails every night, until its ebuild is another one.
    std::fs::write(home.lab.shared("fail/daemon"), "").unwrap();
    let mut world = vec!["app-lab/hello", "app-lab/consumer", "app-lab/daemon"];
    let mut statuses = Vec::new();
    let mut dead = String::new();
    for (night, comes) in ["viewer", "editor", "plugins", "multislot:1", "multislot:2", "", ""].into_iter().enumerate()
    {
        let package = format!("app-lab/{comes}");
        if !comes.is_empty() {
            world.push(package.leak());
        }
        home.set_world(&world);
        let last = match night + 1 {
            2 => {
                std::fs::write(home.lab.shared("hold/editor"), "").unwrap();
                home.fire();
                home.lab.wait("the editor is built", || home.lab.compiled().contains_key("app-lab/editor-2.4b"));
                dead.clone_from(&home.lab.compiled()["app-lab/editor-2.4b"][0]);
                home.lab.lab(&["power-off", &dead]).gives(0, &[]);
                std::fs::remove_file(home.lab.shared("hold/editor")).unwrap();
                home.morning()
            }
            4 => {
                home.lab.lab(&["power-on", &dead]).gives(0, &[]);
                home.on("echo 'app-lab/hello doc' >>/etc/portage/package.use");
                home.swarm(&["parity", "--on", &dead]).gives(5, &["package.use"]);
                home.night()
            }
            7 => {
                std::fs::remove_file(home.lab.shared("fail/daemon")).unwrap();
                home.on("echo '# mended' >>/var/db/repos/gentoo/app-lab/daemon/daemon-0.9_beta1.ebuild");
                home.night()
            }
            _ => home.night(),
        };
        statuses.push(last["status"].clone());
        home.swarm(&["verify"]).gives(0, &[]);
        let mails = home.mails();
        assert_eq!(mails.len(), if night == 6 { 2 } else { 1 }, "after night {}: {mails:?}", night + 1);
    }
    assert_eq!(statuses, [3, 3, 3, 3, 3, 3, 0].map(Value::from));
    assert_eq!(revision(&home, &dead), revision(&home, if dead == "drone-izar" { "drone-vega" } else { "drone-izar" }));
    home.swarm(&["parity"]).gives(0, &[]);

    let runs = home.swarm(&["runs", "--json"]).said;
    assert_eq!(runs.lines().count(), 7, "{runs}");
    let mails = home.mails();
    assert!(
        mails[0].contains("app-lab/daemon-0.9_beta1") && mails[1].contains("app-lab/daemon-0.9_beta1"),
        "{mails:?}"
    );

    let mut compiled = home.lab.compiled();
    assert_eq!(
        compiled.remove("app-lab/daemon-0.9_beta1").unwrap().len(),
        3,
        "twice in vain, on two drones, then mended"
    );
    assert_eq!(compiled.remove("app-lab/editor-2.4b").unwrap().len(), 2, "its drone died");
    assert_eq!(
        compiled.remove("app-lab/hello-1.1-r1").unwrap().len(),
        2,
        "with another USE flag since the fourth night"
    );
    assert!(compiled.values().all(|hosts| hosts.len() == 1), "{compiled:?}");
    home.client_updates().gives(0, &["app-lab/hello-1.1-r1"]);
}
