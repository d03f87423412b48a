//! The host that runs real code: a child process for each environment, and the account on a port for their calls.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use tokio::net::TcpListener;
use tokio::task::AbortHandle;

use super::environment::{Place, Refused};
use super::hold::{Ended, Hold};
use super::process::{Process, Program};
use super::{Answer, Environment, runtime_api};
use crate::clock::Pace;
use crate::sandbox::Sandbox;
use crate::server;
use crate::services::lambda::work;

/// How long a runtime may take to start, and to come back after an answer, in real time.
/// <https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html#runtimes-lifecycle-ib>
const INIT: Duration = Duration::from_secs(10);

/// Runs the code of an account's functions. Dropping it ends every process that it started.
#[derive(Debug)]
pub struct Hosts {
    shared: Arc<Shared>,
    tasks: Vec<AbortHandle>,
}

/// What the tasks of a host have in common.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) sandbox: Sandbox,
    endpoint: String,
    known: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    programs: BTreeMap<String, Program>,
    places: BTreeMap<String, (Arc<Place>, AbortHandle)>,
}

impl Hosts {
    /// Serves the account on a port of this machine, and waits for functions to be run. The runtime that it is called in
    /// needs I/O; with [`Pace::Stepped`] it has one thread and its time is paused.
    ///
    /// # Errors
    /// No port can be had.
    pub async fn start(sandbox: &Sandbox, pace: Pace) -> std::io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let endpoint = format!("http://{}", listener.local_addr()?);
        let sandbox = sandbox.clone();
        let shared = Arc::new(Shared { sandbox: sandbox.clone(), endpoint, known: Mutex::default() });
        let reader = Arc::clone(&shared);
        let served = server::serve_at(sandbox, listener, pace, move || reader.read_all());
        let tasks = vec![
            tokio::spawn(async move { drop(served.await) }).abort_handle(),
            tokio::spawn(drive(Arc::clone(&shared))).abort_handle(),
        ];
        Ok(Self { shared, tasks })
    }

    /// Where the account is served for the functions: their `AWS_ENDPOINT_URL`.
    pub fn endpoint(&self) -> &str {
        &self.shared.endpoint
    }

    /// Runs a function's code by this program from now on. Environments of a program before it run no more invocations.
    pub fn run(&self, function: impl Into<String>, program: Program) {
        let function = function.into();
        self.shared.known().programs.insert(function.clone(), program);
        self.shared.end_those(|place| place.function == function);
        self.shared.sandbox.host_function(&function);
    }

    /// An environment of a function for a runtime that somebody else starts, and that lives in this runtime's time: the
    /// variables that it is to find, the address of the Runtime API among them.
    ///
    /// # Errors
    /// No port can be had, or the function cannot be run.
    pub fn attach(&self, function: &str) -> std::io::Result<Environment> {
        let opened = self.shared.sandbox.open_environment(function);
        let mut environment = opened.map_err(|answer| std::io::Error::other(format!("{function}: {answer:?}")))?;
        let listener = listener()?;
        environment.variables.extend(self.shared.addresses(&listener)?);
        let place = Place::new(environment.id.clone(), function.to_owned(), None);
        self.shared.open(place, listener);
        self.shared.sandbox.host_function(function);
        Ok(environment)
    }

    /// Waits until no invocation runs, or waits to.
    pub async fn idle(&self) {
        let news = self.shared.sandbox.news();
        loop {
            let mut told = std::pin::pin!(news.callers.notified());
            told.as_mut().enable();
            if self.shared.is_idle() {
                return;
            }
            told.await;
        }
    }
}

impl Drop for Hosts {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
        self.shared.end_those(|_| true);
        let programs = std::mem::take(&mut self.shared.known().programs);
        for function in programs.keys() {
            self.shared.sandbox.unhost_function(function);
        }
    }
}

fn listener() -> std::io::Result<TcpListener> {
    let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
    listener.set_nonblocking(true)?;
    TcpListener::from_std(listener)
}

/// Lets happen in the account what is due, and functions run that are invoked.
async fn drive(shared: Arc<Shared>) {
    let news = shared.sandbox.news();
    loop {
        let next = shared.turn();
        let clock = shared.sandbox.clock();
        match next {
            Some(at) => {
                let left = Duration::try_from(at.duration_since(clock.now())).unwrap_or_default();
                tokio::select! {
                    () = tokio::time::sleep(clock.real(left)) => {}
                    () = news.host.notified() => {}
                }
            }
            None => news.host.notified().await,
        }
    }
}

impl Shared {
    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn places(&self) -> Vec<Arc<Place>> {
        self.known().places.values().map(|(place, _)| Arc::clone(place)).collect()
    }

    fn is_idle(&self) -> bool {
        let waiting = self.sandbox.with_quietly(|ctx| work::waiting(ctx));
        waiting.is_empty() && self.places().iter().all(|place| place.is_idle() || place.is_dead())
    }

    /// Gives waiting invocations to environments; answers when the next thing will happen by itself in the account.
    fn turn(self: &Arc<Self>) -> Option<Timestamp> {
        self.retire();
        for (function, count) in self.sandbox.with_quietly(|ctx| work::waiting(ctx)) {
            self.serve(&function, count);
        }
        self.sandbox.news().callers.notify_waiters();
        self.sandbox.next_event()
    }

    /// Ends environments whose invocation the account has ended, and idle ones whose function has changed or whose
    /// process is gone.
    fn retire(&self) {
        for place in self.places() {
            let over = match place.invocation() {
                Some(invocation) => !self.sandbox.with_quietly(|ctx| work::runs(ctx, &invocation.id)),
                None => {
                    place.is_idle()
                        && (self.sandbox.with_quietly(|ctx| work::outdated(ctx, &place.id))
                            || place.process.as_ref().is_some_and(|process| process.exited().is_some()))
                }
            };
            if over {
                self.end(&place);
            }
        }
    }

    /// Serves so many waiting invocations of a function.
    fn serve(self: &Arc<Self>, function: &str, mut count: usize) {
        let mine: Vec<Arc<Place>> = self.places().into_iter().filter(|place| place.function == function).collect();
        for place in mine.iter().filter(|place| place.is_idle()) {
            if count == 0 || !self.give(place) {
                break;
            }
            count -= 1;
        }
        let Some(program) = self.known().programs.get(function).cloned() else { return };
        let coming = mine.iter().filter(|place| place.will_be_idle()).count();
        let room = program.most().saturating_sub(mine.len());
        for _ in 0..count.saturating_sub(coming).min(room) {
            self.start(function, &program);
        }
    }

    /// Gives the oldest waiting invocation to an idle environment, if there is one.
    fn give(self: &Arc<Self>, place: &Arc<Place>) -> bool {
        let Some(invocation) = self.sandbox.take_invocation(&place.id) else { return false };
        self.watch(place, Some(invocation.request_id.clone()), invocation.timeout);
        place.give(invocation);
        true
    }

    /// Holds the clock while a process computes. Who has no process lives in the time of this runtime.
    fn watch(self: &Arc<Self>, place: &Arc<Place>, request: Option<String>, limit: Duration) {
        let Some(process) = place.process.clone() else { return };
        let (shared, watched) = (Arc::clone(self), Arc::clone(place));
        let hold = Hold::new(Some(process), limit, move |ended| shared.held(&watched, request.as_deref(), &ended));
        place.hold(Some(hold));
    }

    /// A hold came to its end: when nobody released it, the process died or takes too long.
    fn held(self: &Arc<Self>, place: &Arc<Place>, request: Option<&str>, ended: &Ended) {
        let present = place.invocation();
        let concerned = present.as_ref().map(|invocation| invocation.request_id.as_str()) == request;
        if *ended == Ended::Released || !concerned || place.is_idle() || place.is_dead() {
            return;
        }
        let answer = match ended {
            Ended::Exited(status) => crashed("Runtime.ExitError", format!("Runtime exited with error: {status}")),
            _ => Answer::TimedOut,
        };
        match (present, place.is_starting()) {
            (None, true) => self.failed_to_start(place, &answer),
            (Some(invocation), _) => {
                self.read(place);
                self.sandbox.finish_invocation(&invocation, &answer);
                self.end(place);
            }
            (None, false) => self.end(place),
        }
    }

    /// A runtime that does not come up takes the invocation with it that it was started for.
    pub(super) fn failed_to_start(&self, place: &Arc<Place>, answer: &Answer) {
        let invocation = self.sandbox.take_invocation(&place.id);
        self.read(place);
        if let Some(invocation) = invocation {
            self.sandbox.finish_invocation(&invocation, answer);
        }
        self.end(place);
        self.sandbox.news().host.notify_one();
    }

    fn start(self: &Arc<Self>, function: &str, program: &Program) {
        let environment = match self.sandbox.open_environment(function) {
            Ok(environment) => environment,
            Err(answer) => return self.sandbox.with(|ctx| work::give_up(ctx, function, &answer)),
        };
        let started = listener().and_then(|listener| {
            let mut variables = environment.variables.clone();
            variables.extend(self.addresses(&listener)?);
            Ok((Process::start(program, &variables)?, listener))
        });
        match started {
            Ok((process, listener)) => {
                let place = Place::new(environment.id, function.to_owned(), Some(process));
                let place = self.open(place, listener);
                self.watch(&place, None, INIT);
            }
            Err(error) => {
                let answer = crashed("Runtime.InvalidEntrypoint", format!("fork/exec /var/task/bootstrap: {error}"));
                if let Some(invocation) = self.sandbox.take_invocation(&environment.id) {
                    self.sandbox.finish_invocation(&invocation, &answer);
                }
            }
        }
    }

    fn open(self: &Arc<Self>, place: Place, listener: TcpListener) -> Arc<Place> {
        let place = Arc::new(place);
        let served = tokio::spawn(runtime_api::serve(Arc::clone(self), Arc::clone(&place), listener));
        self.known().places.insert(place.id.clone(), (Arc::clone(&place), served.abort_handle()));
        place
    }

    fn addresses(&self, runtime_api: &TcpListener) -> std::io::Result<[(String, String); 2]> {
        let runtime_api = runtime_api.local_addr()?.to_string();
        Ok([("AWS_LAMBDA_RUNTIME_API".to_owned(), runtime_api), ("AWS_ENDPOINT_URL".to_owned(), self.endpoint.clone())])
    }

    /// A runtime asks for the next invocation.
    pub(super) fn asks(&self, place: &Place) -> bool {
        let lives = place.asks();
        self.sandbox.news().host.notify_one();
        self.sandbox.news().callers.notify_waiters();
        lives
    }

    /// A runtime answers.
    pub(super) fn answered(
        self: &Arc<Self>,
        place: &Arc<Place>,
        request: &str,
        answer: &Answer,
    ) -> Result<(), Refused> {
        let invocation = place.answers(request)?;
        // Until it comes back it is not idle: what it still does belongs to this moment.
        self.watch(place, None, INIT);
        self.read(place);
        self.sandbox.finish_invocation(&invocation, answer);
        Ok(())
    }

    /// Passes on what processes at work have written, so that it is in the log before what they do next.
    fn read_all(&self) {
        for place in self.places() {
            if place.invocation().is_some() {
                self.read(&place);
            }
        }
    }

    fn read(&self, place: &Place) {
        let lines = place.process.as_ref().map(Process::lines).unwrap_or_default();
        if !lines.is_empty() {
            self.sandbox.wrote(&place.id, &lines);
        }
    }

    fn end(&self, place: &Place) {
        if let Some((_, served)) = self.known().places.remove(&place.id) {
            served.abort();
        }
        place.end();
        self.sandbox.with_quietly(|ctx| work::close_environment(ctx, &place.id));
    }

    fn end_those(&self, test: impl Fn(&Place) -> bool) {
        for place in self.places().iter().filter(|place| test(place)) {
            self.end(place);
        }
    }
}

fn crashed(kind: &str, message: String) -> Answer {
    Answer::Crashed { kind: kind.to_owned(), message }
}
