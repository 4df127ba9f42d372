//! The SFTP server as a command of its own: sshd's subsystem cannot become root.

use crate::ssh::destination::Become;
use crate::ssh::host::{Host, HostError, Script};
use crate::ssh::shell;

/// Where the distributions put OpenSSH's SFTP server, Gentoo first.
const PATHS: [&str; 6] = [
    "/usr/lib/misc/sftp-server",
    "/usr/lib64/misc/sftp-server",
    "/usr/lib/openssh/sftp-server",
    "/usr/lib/ssh/sftp-server",
    "/usr/libexec/openssh/sftp-server",
    "/usr/libexec/sftp-server",
];

/// The command line that starts the host's SFTP server as root. Asking for its path shows whether we may become root at
/// all, in words; the path itself is from our list and nothing that the host made up.
pub(crate) async fn privileged_command(host: &dyn Host, become_root: Become) -> Result<String, HostError> {
    let list = PATHS.join(" ");
    let script = format!("for path in {list}; do [ -x \"$path\" ] && echo \"$path\" && exit 0; done; exit 0");
    let output = host.run(&Script::new(script)).await?;
    let found = String::from_utf8_lossy(&output.stdout);
    let path = PATHS.iter().find(|path| **path == found.trim()).copied().unwrap_or("sftp-server");
    Ok(format!("exec {}{path}", shell::prefix(Some(become_root))))
}
