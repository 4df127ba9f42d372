//! The real binary in an operator's directory, the services and the SSH layer: real processes, real sockets on the
//! loopback and a real sshd, all without Portage. One program, since each one more is linked with the whole library.

#[cfg(test)]
mod background;
#[cfg(test)]
mod become_root;
#[cfg(test)]
mod contracts;
#[cfg(test)]
mod history;
#[cfg(test)]
mod http;
#[cfg(test)]
mod installed;
#[cfg(test)]
mod inventory;
#[cfg(test)]
mod kept;
#[cfg(test)]
mod messages;
#[cfg(test)]
mod monitor;
#[cfg(test)]
mod notify;
#[cfg(test)]
mod plans;
#[cfg(test)]
mod playbooks;
#[cfg(test)]
mod plenty;
#[cfg(test)]
mod real_sshd;
#[cfg(test)]
mod releases;
#[cfg(test)]
mod services;
#[cfg(test)]
mod simulate;
#[cfg(test)]
mod ssh_config;
#[cfg(test)]
mod sshd;
#[cfg(test)]
mod standby;
#[cfg(test)]
mod terminal;
#[cfg(test)]
mod through;
