//! A command on a channel: its output is taken off by a task of its own until the channel closes.
//!
//! Nothing may make that task wait. A channel that nobody drains fills its connection's queue, and then all channels
//! of the connection stand still, the keepalive with them. So a consumer that is slow gets its output buffered up to
//! [`OUTPUT_LIMIT`], and beyond that the command is given up.
//!
//! The exit status may come before the last data, or never. The end is the channel's close; a close without a status is
//! a loss.

use std::collections::VecDeque;
use std::time::Duration;

use russh::client::Msg;
use russh::{Channel, ChannelMsg, ChannelReadHalf, ChannelWriteHalf};
use tokio::sync::mpsc;
use tokio::time::timeout;

use crate::core::names::HostName;
use crate::ssh::host::{Chunk, HostError, HostErrorKind, OUTPUT_LIMIT, Output, Running};
use crate::ssh::pool::Place;

/// The host has this long to say that it started the command, and to confirm the end of a channel that we closed. A
/// login shell's start-up files have been seen to take seconds on a host under full load.
pub(crate) const EXEC_TIMEOUT: Duration = Duration::from_secs(30);

/// Pieces of output that wait for their consumer without being counted as backlog.
const OUTPUT_QUEUE: usize = 16;

/// Pieces of input that may wait for the host's window.
const INPUT_QUEUE: usize = 4;

/// The extended data type of standard error (RFC 4254, 5.2).
const STDERR: u32 = 1;

/// Starts a command, sends `first` as the beginning of its input, and leaves the rest to the caller.
pub(crate) async fn start(
    host: &HostName,
    place: Place,
    channel: Channel<Msg>,
    command: String,
    first: Vec<u8>,
) -> Result<Running, HostError> {
    let lost = |error: russh::Error| {
        HostError::new(host, HostErrorKind::Lost, format!("the connection broke while a command was started: {error}"))
    };
    channel.exec(true, command).await.map_err(lost)?;
    let (read, write) = channel.split();
    let (output_sender, output) = mpsc::channel(OUTPUT_QUEUE);
    let (input, input_receiver) = mpsc::channel(INPUT_QUEUE);
    let drain = Drain {
        host: host.clone(),
        read,
        consumer: Some(output_sender),
        backlog: VecDeque::new(),
        backlog_size: 0,
        end: None,
        started: false,
    };
    tokio::spawn(drain.run(place, write, first, input_receiver));
    Ok(Running { output, input })
}

/// Everything that a command says until its end.
pub(crate) async fn collect(host: &HostName, running: Running) -> Result<Output, HostError> {
    let Running { output: mut chunks, input } = running;
    drop(input);
    let mut output = Output::default();
    while let Some(chunk) = chunks.recv().await {
        match chunk {
            Chunk::Stdout(mut data) => output.stdout.append(&mut data),
            Chunk::Stderr(mut data) => output.stderr.append(&mut data),
            Chunk::Ended(status) => return Ok(Output { status, ..output }),
            Chunk::Lost(error) => return Err(error),
        }
        if output.stdout.len() > OUTPUT_LIMIT || output.stderr.len() > OUTPUT_LIMIT {
            return Err(HostError::new(host, HostErrorKind::Failed, too_much()));
        }
    }
    Err(HostError::new(host, HostErrorKind::Lost, "a command's output ended without an exit status"))
}

/// The message for output beyond the limit.
pub(crate) fn too_much() -> String {
    format!("a command printed more than {} MiB", OUTPUT_LIMIT >> 20)
}

/// Sends input to the channel as it comes, and end of file behind it.
async fn feed(write: &ChannelWriteHalf<Msg>, first: Vec<u8>, mut input: mpsc::Receiver<Vec<u8>>) {
    let mut piece = Some(first);
    while let Some(data) = piece {
        // An error means that the channel is gone, which the reading half reports.
        if !data.is_empty() && write.data_bytes(data).await.is_err() {
            return;
        }
        piece = input.recv().await;
    }
    let _ = write.eof().await;
}

struct Drain {
    host: HostName,
    read: ChannelReadHalf,
    /// Gone once the consumer is, or once it has been told the end.
    consumer: Option<mpsc::Sender<Chunk>>,
    backlog: VecDeque<Chunk>,
    backlog_size: usize,
    /// How the command ended, once the host has said it.
    end: Option<Chunk>,
    started: bool,
}

/// What the drain has met.
enum Step {
    Message(Option<ChannelMsg>),
    Delivered,
    ConsumerGone,
    NotStarted,
}

/// How the draining ended.
enum End {
    /// The host closed the channel, or the connection is gone.
    Closed,
    /// Nobody listens any more.
    Unwanted,
    /// The command must be given up.
    Fault(HostError),
}

impl Drain {
    /// Drains the channel to its close, gives its place back, and hands over what is still in the backlog.
    async fn run(mut self, place: Place, write: ChannelWriteHalf<Msg>, first: Vec<u8>, input: mpsc::Receiver<Vec<u8>>) {
        let end = tokio::select! {
            end = self.messages() => end,
            end = async { feed(&write, first, input).await; std::future::pending().await } => end,
        };
        match end {
            End::Closed => {}
            End::Unwanted => self.close(&write, None).await,
            End::Fault(fault) => self.close(&write, Some(fault)).await,
        }
        drop(place);
        self.finish().await;
    }

    async fn messages(&mut self) -> End {
        let deadline = tokio::time::sleep(EXEC_TIMEOUT);
        tokio::pin!(deadline);
        while let Some(consumer) = self.consumer.clone() {
            let step = tokio::select! {
                permit = consumer.reserve(), if !self.backlog.is_empty() => match permit {
                    Ok(permit) => {
                        if let Some(chunk) = self.backlog.pop_front() {
                            self.backlog_size -= size(&chunk);
                            permit.send(chunk);
                        }
                        Step::Delivered
                    }
                    Err(_) => Step::ConsumerGone,
                },
                () = consumer.closed(), if self.backlog.is_empty() => Step::ConsumerGone,
                message = self.read.wait() => Step::Message(message),
                () = &mut deadline, if !self.started => Step::NotStarted,
            };
            match step {
                Step::Delivered => {}
                Step::ConsumerGone => return End::Unwanted,
                Step::NotStarted => {
                    let text = format!("no answer within {EXEC_TIMEOUT:?} to the start of a command");
                    return End::Fault(self.fault(HostErrorKind::Lost, text));
                }
                Step::Message(None | Some(ChannelMsg::Close)) => return End::Closed,
                Step::Message(Some(message)) => {
                    if let Some(fault) = self.take(message) {
                        return End::Fault(fault);
                    }
                }
            }
        }
        End::Unwanted
    }

    fn take(&mut self, message: ChannelMsg) -> Option<HostError> {
        self.started = true;
        match message {
            ChannelMsg::Data { data } => self.keep(Chunk::Stdout(data.to_vec())),
            ChannelMsg::ExtendedData { data, ext: STDERR } => self.keep(Chunk::Stderr(data.to_vec())),
            ChannelMsg::ExitStatus { exit_status } => {
                self.end = Some(Chunk::Ended(exit_status));
                None
            }
            ChannelMsg::ExitSignal { signal_name, .. } => {
                let text = format!("the command was ended: signal {signal_name:?}");
                self.end = Some(Chunk::Lost(self.fault(HostErrorKind::Lost, text)));
                None
            }
            ChannelMsg::Failure => Some(
                self.fault(
                    HostErrorKind::Failed,
                    "sshd refuses to start commands for this user (see ForceCommand and the key's options there)"
                        .to_owned(),
                ),
            ),
            _ => None,
        }
    }

    fn keep(&mut self, chunk: Chunk) -> Option<HostError> {
        self.backlog_size += size(&chunk);
        self.backlog.push_back(chunk);
        (self.backlog_size > OUTPUT_LIMIT).then(|| self.fault(HostErrorKind::Failed, too_much()))
    }

    fn fault(&self, kind: HostErrorKind, message: String) -> HostError {
        HostError::new(&self.host, kind, message)
    }

    /// The rest of the output, then the status or the loss.
    async fn finish(&mut self) {
        let end = self.end.take().unwrap_or_else(|| {
            Chunk::Lost(self.fault(
                HostErrorKind::Lost,
                "the connection or the process was lost: the command ended without an exit status".to_owned(),
            ))
        });
        let Some(consumer) = self.consumer.take() else { return };
        for chunk in self.backlog.drain(..).chain([end]) {
            if consumer.send(chunk).await.is_err() {
                return;
            }
        }
    }

    /// Closes the channel from our side and drains it until the host agrees, so that its place is truly free. A fault
    /// is told meanwhile, not first: the consumer may take its time.
    async fn close(&mut self, write: &ChannelWriteHalf<Msg>, fault: Option<HostError>) {
        self.backlog.clear();
        if let (Some(consumer), Some(fault)) = (self.consumer.take(), fault) {
            tokio::spawn(async move { consumer.send(Chunk::Lost(fault)).await });
        }
        if write.close().await.is_err() {
            return;
        }
        let closed = async { while !matches!(self.read.wait().await, None | Some(ChannelMsg::Close)) {} };
        let _ = timeout(EXEC_TIMEOUT, closed).await;
    }
}

fn size(chunk: &Chunk) -> usize {
    match chunk {
        Chunk::Stdout(data) | Chunk::Stderr(data) => data.len(),
        Chunk::Ended(_) | Chunk::Lost(_) => 0,
    }
}
