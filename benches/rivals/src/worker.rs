// SPDX-License-Identifier: Apache-2.0
//! Each system has a process of its own, so that processor time, bytes and memory are its own: a child that takes
//! orders line by line, and its parent's end of that.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde::{Deserialize, Serialize};
use tokio::runtime::Runtime;

use crate::payload::Payloads;
use crate::rival::{Store, System};
use crate::round::{self, Round, Wanted};
use crate::scratch;

/// For what is no round: making a cluster, opening, closing.
const ANSWER_MAX: Duration = Duration::from_secs(180);

#[derive(Debug, Serialize, Deserialize)]
enum Order {
    Round(Wanted),
    Close,
}

#[derive(Debug, Serialize, Deserialize)]
enum Answer {
    Ready,
    Round(Box<Round>),
    Closed,
    Failed(String),
}

/// A runtime as a host has one: a thread per processor.
pub(crate) fn runtime() -> Result<Runtime, String> {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    let built = builder.enable_all().thread_name("host").build();
    built.map_err(|error| error.to_string())
}

/// Lines of stdin; a parent that is gone ends this process, and what it started with it.
pub(crate) fn orders() -> Receiver<String> {
    let (sender, receiver) = channel();
    std::thread::spawn(move || {
        for line in std::io::stdin().lines().map_while(Result::ok) {
            let _taken = sender.send(line);
        }
        std::process::exit(1);
    });
    receiver
}

fn answer(answer: &Answer) {
    say(answer);
}

/// One line of JSON on stdout.
pub(crate) fn say<T: Serialize>(answer: &T) {
    let line = serde_json::to_string(answer).unwrap_or_default();
    let mut out = std::io::stdout().lock();
    let _gone = writeln!(out, "{line}").and_then(|()| out.flush());
}

/// The child.
pub(crate) fn serve(system: System, path: &Path, payload: usize) -> Result<(), String> {
    let orders = orders();
    let runtime = runtime()?;
    let payloads = Arc::new(Payloads::new(payload));
    let store = match Store::open(system, path, &runtime) {
        Ok(store) => store,
        Err(why) => {
            answer(&Answer::Failed(why));
            return Ok(());
        }
    };
    answer(&Answer::Ready);
    // For how many callers, and with how many connections.
    let mut tuned = (0, 0);
    for line in orders {
        match serde_json::from_str(&line) {
            Ok(Order::Round(wanted)) => {
                let done = runtime.block_on(async {
                    if tuned.0 != wanted.callers && !store.servers().is_empty() {
                        let writers = round::tune(&store, &payloads, payload, &wanted).await?;
                        tuned = (wanted.callers, writers);
                    }
                    let round = round::run(&store, &payloads, payload, &wanted).await?;
                    let writers = tuned.1;
                    Ok(Round { writers, ..round })
                });
                answer(&done.map_or_else(Answer::Failed, |round| Answer::Round(Box::new(round))));
            }
            Ok(Order::Close) => break,
            Err(error) => answer(&Answer::Failed(error.to_string())),
        }
    }
    let closed = store.close(&runtime);
    answer(&closed.map_or_else(Answer::Failed, |()| Answer::Closed));
    Ok(())
}

/// This program again, apart from the terminal's interrupts: the parent says when it ends.
pub(crate) fn this_program() -> Result<Command, String> {
    let program = std::env::current_exe().map_err(|error| error.to_string())?;
    let mut command = Command::new(program);
    command
        .process_group(0)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped());
    Ok(command)
}

/// A child whose lines are read with a deadline. It is killed when this is dropped.
pub(crate) struct Lines {
    child: Child,
    input: Option<ChildStdin>,
    lines: Receiver<String>,
}

impl Lines {
    pub(crate) fn spawn(command: &mut Command) -> Result<Self, String> {
        let mut child = command.spawn().map_err(|error| error.to_string())?;
        let (sender, lines) = channel();
        if let Some(output) = child.stdout.take() {
            std::thread::spawn(move || {
                let lines = BufReader::new(output).lines().map_while(Result::ok);
                for line in lines {
                    let _taken = sender.send(line);
                }
            });
        }
        Ok(Self {
            input: child.stdin.take(),
            child,
            lines,
        })
    }

    pub(crate) fn send(&mut self, line: &str) -> Result<(), String> {
        let input = self.input.as_mut().ok_or("the child's input is closed")?;
        let sent = writeln!(input, "{line}").and_then(|()| input.flush());
        sent.map_err(|error| format!("the child is gone: {error}"))
    }

    /// The next line; an error where it does not come in time, the child ends or somebody interrupts.
    pub(crate) fn next(&self, timeout: Duration) -> Result<String, String> {
        let asked = Instant::now();
        loop {
            scratch::check()?;
            match self.lines.recv_timeout(Duration::from_millis(100)) {
                Ok(line) => return Ok(line),
                Err(RecvTimeoutError::Timeout) if asked.elapsed() < timeout => {}
                Err(RecvTimeoutError::Timeout) => {
                    return Err(format!("no answer within {} s", timeout.as_secs()));
                }
                Err(RecvTimeoutError::Disconnected) => {
                    return Err("the child ended before its answer".to_owned());
                }
            }
        }
    }

    /// SIGKILL, as it stands.
    pub(crate) fn kill(mut self) {
        let _gone = self.child.kill();
        let _waited = self.child.wait();
    }

    /// Lets it run, or holds it where it is; one whose parent is gone is let go by the kernel.
    fn signal(&self, signal: Signal) {
        let _gone = kill_process(Pid::from_child(&self.child), signal);
    }

    fn ended(&mut self, within: Duration) -> bool {
        let asked = Instant::now();
        while asked.elapsed() < within {
            if let Ok(Some(_)) = self.child.try_wait() {
                return true;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        false
    }
}

impl Drop for Lines {
    fn drop(&mut self) {
        self.signal(Signal::CONT);
        // Without its input it ends by itself, and a server of its own with it.
        self.input = None;
        if !self.ended(Duration::from_secs(5)) {
            let _gone = self.child.kill();
            let _waited = self.child.wait();
        }
    }
}

fn order(order: &Order) -> Result<String, String> {
    serde_json::to_string(order).map_err(|error| error.to_string())
}

/// The parent's end.
pub(crate) struct Worker {
    pub(crate) system: System,
    pub(crate) path: PathBuf,
    lines: Lines,
}

impl Worker {
    pub(crate) fn start(system: System, path: &Path, payload: usize) -> Result<Self, String> {
        let mut command = this_program()?;
        command.args([
            "worker",
            "--system",
            system.id(),
            "--payload",
            &payload.to_string(),
            "--path",
        ]);
        let lines = Lines::spawn(command.arg(path))?;
        let worker = Self {
            system,
            path: path.to_owned(),
            lines,
        };
        match worker.answer(ANSWER_MAX)? {
            Answer::Ready => {
                worker.lines.signal(Signal::STOP);
                Ok(worker)
            }
            Answer::Failed(why) => Err(why),
            other => Err(format!("unexpected answer {other:?}")),
        }
    }

    fn answer(&self, timeout: Duration) -> Result<Answer, String> {
        let line = self.lines.next(timeout)?;
        serde_json::from_str(&line).map_err(|error| format!("unreadable answer: {error}"))
    }

    /// A round; before and behind it the worker is held, so that it disturbs nobody.
    pub(crate) fn round(&mut self, wanted: &Wanted) -> Result<Round, String> {
        let order = order(&Order::Round(wanted.clone()))?;
        self.lines.signal(Signal::CONT);
        self.lines.send(&order)?;
        let answer = self.answer(ANSWER_MAX + Duration::from_millis(wanted.millis))?;
        self.lines.signal(Signal::STOP);
        match answer {
            Answer::Round(round) => Ok(*round),
            Answer::Failed(why) => Err(why),
            other => Err(format!("unexpected answer {other:?}")),
        }
    }

    /// Closes in order, and waits for the end.
    pub(crate) fn close(mut self) -> Result<(), String> {
        let order = order(&Order::Close)?;
        self.lines.signal(Signal::CONT);
        self.lines.send(&order)?;
        match self.answer(ANSWER_MAX)? {
            Answer::Closed => {}
            Answer::Failed(why) => return Err(why),
            other => return Err(format!("unexpected answer {other:?}")),
        }
        self.lines.ended(Duration::from_secs(30));
        Ok(())
    }
}
