//! A lab of its own for each test, and `swarm` run in it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

/// A test that waits longer than this would never end.
const LIMIT: Duration = Duration::from_secs(400);

/// A lab that ends with its test.
pub struct Laboratory {
    directory: PathBuf,
}

/// What a command left.
pub struct Ran {
    /// Its exit status; -1 where a signal ended it.
    pub status: i32,
    /// Standard output and standard error.
    pub said: String,
}

impl Ran {
    fn of(output: &Output) -> Self {
        let said = [output.stdout.as_slice(), &output.stderr].concat();
        Self { status: output.status.code().unwrap_or(-1), said: String::from_utf8_lossy(&said).into_owned() }
    }

    /// Checks exit status and some of the words.
    pub fn gives(&self, status: i32, words: &[&str]) -> &Self {
        assert_eq!(self.status, status, "{}", self.said);
        for word in words {
            assert!(self.said.contains(word), "{word:?} is not in:\n{}", self.said);
        }
        self
    }
}

impl Laboratory {
    /// A running lab with the hosts that it has by default.
    pub fn up(name: &str) -> Self {
        let parent = std::env::var_os("SWARM_LAB_PARENT").map_or_else(|| PathBuf::from("/var/tmp"), PathBuf::from);
        let lab = Self { directory: parent.join(format!("swarm-test-{name}")) };
        lab.lab(&["down"]);
        lab.lab(&["up"]).gives(0, &[]);
        lab.lab(&["inventory"]).gives(0, &[]);
        lab
    }

    pub fn command(&self) -> Command {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/lab/lab");
        let mut command = Command::new(script);
        command.env("SWARM_LAB", &self.directory).stdin(Stdio::null());
        command
    }

    /// One of the lab's own verbs.
    pub fn lab(&self, arguments: &[&str]) -> Ran {
        Ran::of(&self.command().args(arguments).output().unwrap())
    }

    /// `swarm` where the controller is.
    pub fn swarm(&self, arguments: &[&str]) -> Ran {
        self.run(&[&[env!("CARGO_BIN_EXE_swarm")], arguments].concat())
    }

    /// `swarm` with a variable in its environment.
    #[cfg(feature = "failpoints")]
    pub fn swarm_with(&self, variable: &str, value: &str, arguments: &[&str]) -> Ran {
        let mut command = self.command();
        command.env(variable, value).args(["run", env!("CARGO_BIN_EXE_swarm")]).args(arguments);
        Ran::of(&command.output().unwrap())
    }

    /// Nothing has ever been built or released here, and these drones know of nobody.
    #[cfg(feature = "failpoints")]
    pub fn start_afresh(&self, drones: &[&str]) {
        let controller = self.directory.join("controller");
        std::fs::remove_dir_all(&controller).unwrap();
        std::fs::create_dir(&controller).unwrap();
        for drone in drones {
            self.on(drone, "rm -rf /var/lib/swarm/*").gives(0, &[]);
        }
        self.lab(&["forget"]);
    }

    /// `swarm` with this on its standard input; standard output apart from standard error.
    pub fn swarm_fed(&self, arguments: &[&str], input: &str) -> (Ran, String) {
        let file = self.directory.join("input");
        std::fs::write(&file, input).unwrap();
        let mut command = self.command();
        command.args(["run", env!("CARGO_BIN_EXE_swarm")]).args(arguments).stdin(std::fs::File::open(file).unwrap());
        let output = command.output().unwrap();
        (Ran::of(&output), String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// `swarm` beside the test.
    pub fn swarm_beside(&self, arguments: &[&str]) -> Child {
        self.run_beside(&[&[env!("CARGO_BIN_EXE_swarm")], arguments].concat())
    }

    /// Any other command where the controller is.
    pub fn run(&self, arguments: &[&str]) -> Ran {
        Ran::of(&self.command().arg("run").args(arguments).output().unwrap())
    }

    /// A command where the controller is, beside the test; it ends with the lab at the latest.
    pub fn run_beside(&self, arguments: &[&str]) -> Child {
        let mut command = self.command();
        command.arg("run").args(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    }

    /// A shell command on a host, as root.
    pub fn on(&self, host: &str, command: &str) -> Ran {
        self.lab(&["exec", host, "sh", "-c", command])
    }

    /// A command on a host beside the test, as root.
    pub fn on_beside(&self, host: &str, command: &[&str]) -> Child {
        let arguments = [&["exec", host], command].concat();
        self.command().args(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    }

    /// `swarm status --json`.
    pub fn status(&self) -> Value {
        let output = self.command().args(["run", env!("CARGO_BIN_EXE_swarm"), "status", "--json"]).output().unwrap();
        serde_json::from_slice(&output.stdout).unwrap()
    }

    /// Waits until the status is as wanted.
    pub fn wait_for(&self, what: &str, wanted: impl Fn(&Value) -> bool) {
        let begun = Instant::now();
        while !wanted(&self.status()) {
            assert!(begun.elapsed() < LIMIT, "never: {what}\n{}", self.status());
            // Not to wait for it, but to leave the processors to what is waited for.
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Waits for something else.
    pub fn wait(&self, what: &str, mut wanted: impl FnMut() -> bool) {
        let begun = Instant::now();
        while !wanted() {
            assert!(begun.elapsed() < LIMIT, "never: {what}\n{}", self.status());
            // Not to wait for it, but to leave the processors to what is waited for.
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// What the ebuilds themselves counted: the hosts on which each package was compiled, once for each time.
    pub fn compiled(&self) -> BTreeMap<String, Vec<String>> {
        let said = self.lab(&["compiled"]).said;
        said.lines()
            .map(|line| {
                let mut words = line.split_whitespace().map(str::to_owned);
                (words.next().unwrap(), words.skip(1).collect())
            })
            .collect()
    }

    /// Checks that just these packages were compiled, and each of them once.
    pub fn compiled_once(&self, packages: &[&str]) {
        let compiled = self.compiled();
        assert!(compiled.values().all(|hosts| hosts.len() == 1), "{compiled:?}");
        assert_eq!(compiled.keys().map(String::as_str).collect::<Vec<_>>(), packages);
    }

    /// The directory of the lab.
    pub fn file(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }

    /// A file below the controller's directory.
    pub fn controller(&self, name: &str) -> PathBuf {
        self.directory.join("controller").join(name)
    }

    /// The inventory.
    pub fn inventory(&self) -> PathBuf {
        self.directory.join("inventory.toml")
    }

    /// The files of a host, from outside.
    pub fn root(&self, host: &str) -> PathBuf {
        self.lab(&["root", host]).said.trim().into()
    }

    /// Puts the program where all hosts see it, as `/dev/lab/swarm`: not everything of this machine is theirs.
    pub fn share_program(&self) {
        let program = self.shared("swarm");
        self.run(&["cp", env!("CARGO_BIN_EXE_swarm"), program.to_str().unwrap()]).gives(0, &[]);
    }

    /// Gives a host what a controller needs there: keys, and this inventory with the host's own paths.
    pub fn equip(&self, host: &str, inventory: &str) {
        let lab = self.directory.display().to_string();
        let own = inventory
            .replace(&format!("{lab}/controller/state"), "/var/lib/build-swarm")
            .replace(&format!("{lab}/controller"), "/var/cache/swarm")
            .replace(&format!("{lab}/ssh"), "/root/keys")
            .replace(&format!("{lab}/token"), "/root/token");
        let root = self.root(host);
        for directory in ["root/keys", "etc/build-swarm/inventory"] {
            std::fs::create_dir_all(root.join(directory)).unwrap();
        }
        std::fs::write(root.join("etc/build-swarm/inventory/fleet.toml"), own).unwrap();
        for key in ["id_ed25519", "known_hosts"] {
            std::fs::copy(self.file("ssh").join(key), root.join("root/keys").join(key)).unwrap();
        }
    }

    /// Changes the inventory's text.
    pub fn edit_inventory(&self, change: impl Fn(String) -> String) {
        let text = std::fs::read_to_string(self.inventory()).unwrap();
        std::fs::write(self.inventory(), change(text)).unwrap();
    }

    /// A file in the directory that every host sees.
    pub fn shared(&self, name: &str) -> PathBuf {
        PathBuf::from(self.lab(&["shared"]).said.trim()).join(name)
    }
}

impl Drop for Laboratory {
    fn drop(&mut self) {
        self.lab(&["down"]);
    }
}
