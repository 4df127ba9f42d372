//! What a fake host does about a script: steps on the script's channel.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use russh::server::Msg;
use russh::{Channel, ChannelMsg, ChannelReadHalf, ChannelWriteHalf};

use swarm::ssh::Chunk;
use tokio::sync::mpsc;

use super::{Line, Occupied, Shared};

/// One thing that the fake does in answer to a script.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Writes to standard output.
    Stdout(Vec<u8>),
    /// Writes to standard error.
    Stderr(Vec<u8>),
    /// Tells the exit status.
    Status(u32),
    /// Ends the output.
    Eof,
    /// Closes the channel.
    Close,
    /// Lets time pass.
    Wait(Duration),
    /// Waits until standard input ends, and writes what came to standard output.
    Echo,
    /// Does nothing, for ever.
    Hang,
    /// Breaks all of its connections.
    Cut,
    /// Lets all of its connections stand still, as when a cable is pulled.
    Freeze,
}

impl Step {
    /// Text on standard output.
    pub fn out(text: &str) -> Self {
        Self::Stdout(text.as_bytes().to_vec())
    }

    /// What a well-behaved host does: output, end, status, close.
    pub fn all_is_well(text: &str, status: u32) -> Vec<Self> {
        vec![Self::out(text), Self::Eof, Self::Status(status), Self::Close]
    }
}

/// What runs scripts.
#[async_trait]
pub trait Program: Send + Sync {
    /// Runs one. What it has begun goes on where its connection is lost, as with a real host.
    async fn run(&self, script: &str, console: &mut Console);
}

type Answer = dyn Fn(&str) -> Vec<Step> + Send + Sync;

/// Answers each script with steps that follow from its text.
pub struct Answers(pub Box<Answer>);

#[async_trait]
impl Program for Answers {
    async fn run(&self, script: &str, console: &mut Console) {
        console.act_all((self.0)(script)).await;
    }
}

/// A script's standard input and output.
pub struct Console {
    shared: Arc<Shared>,
    wire: Wire,
    /// Input that has come and was not taken yet.
    input: Vec<u8>,
}

/// What carries a console.
enum Wire {
    /// A channel of an SSH connection.
    Channel(ChannelReadHalf, ChannelWriteHalf<Msg>),
    /// Queues in memory, and the status so far.
    Queues(mpsc::Receiver<Vec<u8>>, mpsc::Sender<Chunk>, Option<u32>),
}

/// The other side has gone away.
#[derive(Debug)]
pub struct Gone;

impl Console {
    /// A console over queues in memory.
    pub(super) fn over(shared: Arc<Shared>, input: mpsc::Receiver<Vec<u8>>, output: mpsc::Sender<Chunk>) -> Self {
        Self { shared, wire: Wire::Queues(input, output, None), input: Vec::new() }
    }

    /// Does these steps, up to the first that the connection does not take any more.
    pub async fn act_all(&mut self, steps: Vec<Step>) {
        for step in steps {
            if self.act(step).await.is_err() {
                return;
            }
        }
    }

    /// Does one step.
    ///
    /// # Errors
    /// The connection is gone.
    pub async fn act(&mut self, step: Step) -> Result<(), Gone> {
        match step {
            Step::Wait(time) => tokio::time::sleep(time).await,
            Step::Hang => std::future::pending().await,
            Step::Cut => self.shared.each_line(Line::cut),
            Step::Freeze => self.shared.each_line(Line::freeze),
            Step::Echo => {
                while self.more().await {}
                let echo = std::mem::take(&mut self.input);
                return self.wire.act(Step::Stdout(echo)).await;
            }
            other => return self.wire.act(other).await,
        }
        Ok(())
    }

    /// The next line of standard input; none at its end. Nothing is lost where it is dropped while it waits.
    pub async fn line(&mut self) -> Option<String> {
        loop {
            if let Some(end) = self.input.iter().position(|byte| *byte == b'\n') {
                let rest = self.input.split_off(end + 1);
                let mut line = std::mem::replace(&mut self.input, rest);
                line.pop();
                return Some(String::from_utf8_lossy(&line).into_owned());
            }
            if !self.more().await {
                return None;
            }
        }
    }

    /// Waits for more input; false at its end.
    async fn more(&mut self) -> bool {
        match self.wire.receive().await {
            Some(mut data) => {
                self.input.append(&mut data);
                true
            }
            None => false,
        }
    }
}

impl Wire {
    /// A step that writes.
    async fn act(&mut self, step: Step) -> Result<(), Gone> {
        match self {
            Self::Channel(_, write) => {
                let done = match step {
                    Step::Stdout(data) => write.data_bytes(data).await,
                    Step::Stderr(data) => write.extended_data_bytes(1, data).await,
                    Step::Status(status) => write.exit_status(status).await,
                    Step::Eof => write.eof().await,
                    _ => write.close().await,
                };
                done.map_err(|_| Gone)
            }
            Self::Queues(_, output, known) => {
                let chunk = match step {
                    Step::Stdout(data) => Chunk::Stdout(data),
                    Step::Stderr(data) => Chunk::Stderr(data),
                    Step::Status(status) => {
                        *known = Some(status);
                        return Ok(());
                    }
                    Step::Close if known.is_some() => Chunk::Ended(known.unwrap_or_default()),
                    // Without a status the queue just ends.
                    _ => return Ok(()),
                };
                output.send(chunk).await.map_err(|_| Gone)
            }
        }
    }

    /// The next piece of input; none at its end.
    async fn receive(&mut self) -> Option<Vec<u8>> {
        match self {
            Self::Channel(read, _) => loop {
                match read.wait().await? {
                    ChannelMsg::Data { data } => return Some(data.to_vec()),
                    ChannelMsg::Eof | ChannelMsg::Close => return None,
                    _ => {}
                }
            },
            Self::Queues(input, ..) => input.recv().await,
        }
    }
}

/// Reads a script from a channel and has it run.
pub(super) async fn perform(shared: Arc<Shared>, channel: Channel<Msg>, occupied: Occupied) {
    let (read, write) = channel.split();
    let program = shared.program.clone();
    let mut console = Console { shared: shared.clone(), wire: Wire::Channel(read, write), input: Vec::new() };
    let Some(line) = console.line().await else { return };
    let script = decoded(line.as_bytes());
    shared.remember(&script);
    program.run(&script, &mut console).await;
    drop(occupied);
    if let Wire::Channel(read, _) = &mut console.wire {
        // A channel whose other side is not read stalls its connection.
        while read.wait().await.is_some() {}
    }
}

/// What `printf %b` makes of the line that a script is sent as.
fn decoded(line: &[u8]) -> String {
    let mut bytes = Vec::new();
    let mut rest = line;
    loop {
        rest = match rest {
            [b'\\', b'\\', tail @ ..] => {
                bytes.push(b'\\');
                tail
            }
            [b'\\', b'0', high, middle, low, tail @ ..] => {
                bytes.push((high - b'0') << 6 | (middle - b'0') << 3 | (low - b'0'));
                tail
            }
            [byte, tail @ ..] => {
                bytes.push(*byte);
                tail
            }
            [] => return String::from_utf8_lossy(&bytes).into_owned(),
        };
    }
}
