//! A real terminal: `tmux`, with a shell in it.

use std::path::Path;
use std::process::{Command, Output};
use std::time::Instant;

use tempfile::TempDir;

use crate::http::PATIENCE;

/// A terminal of its own.
pub struct Screen {
    directory: TempDir,
}

impl Screen {
    /// One of so many columns and lines, with a shell in this directory; none where there is no `tmux`.
    pub fn open((columns, lines): (u16, u16), at: &Path) -> Option<Self> {
        if Command::new("tmux").arg("-V").output().is_err() {
            eprintln!("skipped: there is no tmux on this machine");
            return None;
        }
        let screen = Self { directory: tempfile::tempdir().unwrap() };
        let (columns, lines, at) = (columns.to_string(), lines.to_string(), at.display().to_string());
        let shell = "exec bash --norc --noprofile -i";
        screen.tmux(&["-u", "-f", "/dev/null", "new-session", "-d", "-x", &columns, "-y", &lines, "-c", &at, shell]);
        screen.write("PS1='ready '; swarm() { command \"$SWARM\" \"$@\"; }; clear; echo before\n");
        screen.shows("before\nready");
        Some(screen)
    }

    fn tmux(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new("tmux");
        command.arg("-S").arg(self.directory.path().join("tmux")).args(arguments);
        command
            .env("LANG", "C.UTF-8")
            .env("LC_ALL", "C.UTF-8")
            .env("TZ", "UTC")
            .env("SWARM", env!("CARGO_BIN_EXE_swarm"));
        for name in ["TMUX", "NO_COLOR", "SWARM_LOG", "SWARM_INVENTORY"] {
            command.env_remove(name);
        }
        let output = command.output().unwrap();
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        output
    }

    /// Types a text.
    pub fn write(&self, text: &str) {
        self.tmux(&["send-keys", "-l", text]);
    }

    /// Presses a key by the name that tmux has for it.
    pub fn press(&self, key: &str) {
        self.tmux(&["send-keys", key]);
    }

    /// Gives it another size.
    pub fn resize(&self, columns: u16, lines: u16) {
        self.tmux(&["resize-window", "-x", &columns.to_string(), "-y", &lines.to_string()]);
    }

    /// What is seen.
    pub fn text(&self) -> String {
        String::from_utf8(self.tmux(&["capture-pane", "-p"]).stdout).unwrap()
    }

    /// Waits until this is seen.
    #[track_caller]
    pub fn shows(&self, part: &str) {
        self.waits(part, true);
    }

    /// Waits until this is not seen any more.
    #[track_caller]
    pub fn hides(&self, part: &str) {
        self.waits(part, false);
    }

    #[track_caller]
    fn waits(&self, part: &str, wanted: bool) {
        let begun = Instant::now();
        loop {
            let text = self.text();
            if text.contains(part) == wanted {
                return;
            }
            let word = if wanted { "never seen" } else { "still seen" };
            assert!(begun.elapsed() < PATIENCE, "{word}: {part:?}\n{text}");
            // Not to wait for it, but to leave the processors to what is waited for.
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
    }

    /// Sends a signal to what the shell has begun.
    pub fn signal(&self, signal: &str) {
        let shell = String::from_utf8(self.tmux(&["display-message", "-p", "#{pane_pid}"]).stdout).unwrap();
        let shell = shell.trim();
        let children = std::fs::read_to_string(format!("/proc/{shell}/task/{shell}/children")).unwrap();
        let child = children.split_whitespace().next().unwrap();
        assert!(Command::new("kill").args(["-s", signal, child]).status().unwrap().success());
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        self.tmux(&["kill-server"]);
    }
}
