//! A program of the operator's: its arguments as they stand, the text on its standard input, the rest in variables.
//!
//! `SWARM_NAME` is the swarm's name, `SWARM_HOST` this host's, `SWARM_SUBJECT` the subject, `SWARM_RAISED` and
//! `SWARM_RECOVERED` how many troubles are new and over. No shell is between.

use std::path::Path;
use std::process::Command;

use super::{Message, Post, SendError, program};

pub(super) async fn send(words: &[String], post: &Post, message: &Message) -> Result<(), SendError> {
    let Some((program, arguments)) = words.split_first() else { return Ok(()) };
    let mut command = Command::new(program);
    command
        .args(arguments)
        .current_dir("/")
        .env("SWARM_NAME", &post.swarm)
        .env("SWARM_HOST", &post.host)
        .env("SWARM_SUBJECT", &message.subject)
        .env("SWARM_RAISED", message.raised.len().to_string())
        .env("SWARM_RECOVERED", message.recovered.len().to_string());
    program::run(command, Path::new(program), message.text.as_bytes()).await
}
