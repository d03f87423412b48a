//! A relay between `wharf` and an emulator, which can kill the process that it relays for: at a call that writes,
//! before the call or after it with the answer lost.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// When a process is killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// The call never arrives.
    Before,
    /// It arrives, and its answer does not.
    After,
}

/// The call at which a process is killed: the how-manieth of those that write, from 1.
#[derive(Clone, Copy, Debug)]
pub struct Kill {
    /// The call.
    pub write: usize,
    /// Before it or after it.
    pub when: When,
}

/// What became of a process.
#[derive(Debug)]
pub struct Ended {
    /// What it said.
    pub output: Output,
    /// The calls that write, up to its end.
    pub writes: Vec<String>,
    /// It was killed.
    pub killed: bool,
}

/// A relay to one account of a moto server. Dropping it ends it.
#[derive(Debug)]
pub struct Relay {
    /// The endpoint for every service.
    pub url: String,
    address: SocketAddr,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    upstream: String,
    account: String,
    ended: AtomicBool,
    run: Mutex<Run>,
}

/// The run that is relayed for.
#[derive(Debug, Default)]
struct Run {
    process: Option<u32>,
    kill: Option<Kill>,
    writes: Vec<String>,
    killed: bool,
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.shared.ended.store(true, Ordering::SeqCst);
        // Wakes the thread that accepts.
        drop(TcpStream::connect(self.address));
    }
}

impl Relay {
    /// A relay to this account of the moto server at `url`.
    #[must_use]
    pub fn to(url: &str, account: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
        let address = listener.local_addr().expect("a listener has an address");
        let upstream = url.trim_start_matches("http://").to_owned();
        let (ended, run) = (AtomicBool::new(false), Mutex::default());
        let shared = Arc::new(Shared { upstream, account: account.to_owned(), ended, run });
        let relayed = Arc::clone(&shared);
        std::thread::spawn(move || {
            for client in listener.incoming() {
                if relayed.ended.load(Ordering::SeqCst) {
                    return;
                }
                let shared = Arc::clone(&relayed);
                // A caller that dies breaks its connections, which is nothing to tell.
                std::thread::spawn(move || client.and_then(|client| shared.relay(&client)));
            }
        });
        Self { url: format!("http://{address}"), address, shared }
    }

    /// Runs a command that calls here, and kills it where it is told to.
    pub fn run(&self, command: &mut Command, kill: Option<Kill>) -> Ended {
        let mut run = self.shared.run();
        let process = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
        let process = process.unwrap_or_else(|error| panic!("cannot start {command:?}: {error}"));
        *run = Run { process: Some(process.id()), kill, ..Run::default() };
        drop(run);
        let output = process.wait_with_output().expect("it ends");
        let Run { writes, killed, .. } = std::mem::take(&mut *self.shared.run());
        Ended { output, writes, killed }
    }
}

impl Shared {
    fn run(&self) -> MutexGuard<'_, Run> {
        self.run.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Relays one request. The emulator closes the connection after its answer.
    fn relay(&self, client: &TcpStream) -> std::io::Result<()> {
        let mut reader = BufReader::new(client);
        let Some(request) = Request::read(&mut reader)? else { return Ok(()) };
        let fate = request.write().and_then(|name| self.fate(name));
        if fate == Some(When::Before) {
            return self.kill(client);
        }
        let mut emulator = TcpStream::connect(&self.upstream)?;
        emulator.write_all(&request.with(&[("x-moto-account-id", &self.account), ("connection", "close")]))?;
        let mut answer = Vec::new();
        emulator.read_to_end(&mut answer)?;
        if fate == Some(When::After) {
            return self.kill(client);
        }
        let mut writer = client;
        writer.write_all(&answer)?;
        client.shutdown(Shutdown::Write)
    }

    /// Counts a call that writes.
    fn fate(&self, name: String) -> Option<When> {
        let mut run = self.run();
        run.writes.push(name);
        let kill = run.kill.filter(|kill| kill.write == run.writes.len())?;
        run.killed = true;
        Some(kill.when)
    }

    /// Kills the process with SIGKILL: it is not asked, and cannot clean up.
    fn kill(&self, client: &TcpStream) -> std::io::Result<()> {
        if let Some(process) = self.run().process {
            let killed = Command::new("kill").args(["-KILL", &process.to_string()]).status()?;
            assert!(killed.success(), "the process was gone before");
        }
        client.shutdown(Shutdown::Both)
    }
}

/// A request of HTTP/1.1 whose length is told.
struct Request {
    head: Vec<String>,
    body: Vec<u8>,
}

impl Request {
    fn read(reader: &mut impl BufRead) -> std::io::Result<Option<Self>> {
        let mut head = Vec::new();
        loop {
            let mut line = String::new();
            if reader.read_line(&mut line)? == 0 {
                return Ok(None);
            }
            match line.trim_end() {
                "" => break,
                line => head.push(line.to_owned()),
            }
        }
        let mut request = Self { head, body: Vec::new() };
        let length = request.header("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
        request.body.resize(length, 0);
        reader.read_exact(&mut request.body)?;
        Ok(Some(request))
    }

    fn header(&self, name: &str) -> Option<&str> {
        let lines = self.head.iter().skip(1).filter_map(|line| line.split_once(':'));
        lines.filter(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim()).next()
    }

    /// The operation's name, if it changes anything.
    fn write(&self) -> Option<String> {
        let reads = ["Describe", "List", "Get", "BatchGet", "Query"];
        let name = match self.header("x-amz-target") {
            Some(target) => target.rsplit('.').next().unwrap_or(target).to_owned(),
            None => {
                let body = String::from_utf8_lossy(&self.body);
                let action = body.split('&').find_map(|pair| pair.strip_prefix("Action="));
                // REST: the method says whether it writes.
                let line = || self.head.first().filter(|line| !line.starts_with("GET ")).cloned();
                action.map(str::to_owned).or_else(line)?
            }
        };
        (!reads.iter().any(|verb| name.starts_with(verb))).then_some(name)
    }

    /// The request as it is sent on, with other headers.
    fn with(&self, headers: &[(&str, &str)]) -> Vec<u8> {
        let replaced = |line: &&String| {
            let name = line.split(':').next().unwrap_or_default();
            !headers.iter().any(|(header, _)| header.eq_ignore_ascii_case(name))
        };
        let mut lines: Vec<_> = self.head.iter().filter(replaced).cloned().collect();
        lines.extend(headers.iter().map(|(name, value)| format!("{name}: {value}")));
        let mut bytes = (lines.join("\r\n") + "\r\n\r\n").into_bytes();
        bytes.extend_from_slice(&self.body);
        bytes
    }
}
