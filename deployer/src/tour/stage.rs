//! What every act needs: a session in the simulated account, an apply that is shown, the notes of an act.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::sync::Arc;
use std::time::Duration;

use aws_smithy_runtime_api::client::http::SharedHttpClient;
use wharf_engine::{Class, Limits, Options, Stack};

use super::{Act, Tour};
use crate::aws::connect::Options as Connect;
use crate::aws::{CallError, Observer};
use crate::ledger::Timing;
use crate::operations::{Applied, Apply, Approval, Planned, Session, Who};
use crate::report::value::duration;
use crate::report::{Failure, Kind, Paint, Progress, plan as shown};
use crate::{packages, platform, surroundings};

/// What an act needs to be closed: where its clocks stood when it began.
pub(super) struct Opened {
    title: String,
    text: String,
    at: jiff::Timestamp,
    calls: u64,
    stopwatch: Box<dyn Fn() -> Duration>,
}

impl Tour<'_> {
    /// Begins an act.
    pub(super) fn open_act(&self, title: &str) -> Opened {
        let number = self.acts.len() + 1;
        self.printer.note(format!("\n{}", self.printer.err.bold(format!("{number}. {title}"))));
        Opened {
            title: title.to_owned(),
            text: String::new(),
            at: self.sandbox.now(),
            calls: self.sandbox.calls(),
            stopwatch: Box::new(surroundings::stopwatch()),
        }
    }

    /// Says something in an act: `text` makes it with or without colours.
    pub(super) fn say(&self, act: &mut Opened, text: impl Fn(Paint) -> String) {
        self.printer.note(text(self.printer.err).trim_end());
        act.text.push_str(text(Paint(false)).trim_end());
        act.text.push('\n');
    }

    /// Ends an act.
    pub(super) fn close_act(&mut self, act: Opened) {
        let simulated = Duration::try_from(self.sandbox.now().duration_since(act.at)).unwrap_or_default();
        let (real, calls) = ((act.stopwatch)(), self.sandbox.calls() - act.calls);
        let line = format!("  {} of simulated time, {calls} calls, {} of yours", duration(simulated), duration(real));
        self.printer.note(self.printer.err.dim(line));
        if self.printer.verbose {
            self.printer.note(self.printer.err.dim(self.calls_by_operation(act.calls)));
        }
        self.acts.push(Act { title: act.title, text: act.text, simulated, real, calls });
    }

    /// How often each operation was called since so many calls, most often first.
    fn calls_by_operation(&self, since: u64) -> String {
        let mut counts: BTreeMap<String, usize> = BTreeMap::new();
        for call in self.sandbox.call_log().iter().skip(usize::try_from(since).unwrap_or(usize::MAX)) {
            *counts.entry(format!("{}:{}", call.service, call.operation)).or_default() += 1;
        }
        let mut counts: Vec<_> = counts.into_iter().collect();
        counts.sort_by_key(|(operation, count)| (std::cmp::Reverse(*count), operation.clone()));
        counts.iter().map(|(operation, count)| format!("    {count:4} {operation}\n")).collect()
    }

    /// Connects as one run does.
    pub(super) async fn session(&self) -> Result<Session, Failure> {
        let packages = packages::stand_ins();
        let packages = packages.map_err(|error| Failure::ours("cannot make a zip").because(&error))?;
        let connect = Connect {
            region: self.config.stack.region.to_string(),
            zone: self.config.hosted_zone(),
            trunking: self.config.counts_on_trunking(),
            transport: Some(SharedHttpClient::new(self.sandbox.http_client())),
            names: Some(Arc::new(self.sandbox.clone())),
            packages: Arc::new(packages),
            ..Connect::default()
        };
        let account = self.config.stack.account.as_ref().map(ToString::to_string);
        let silent: Observer = Arc::new(|_| {});
        let run = format!("tour-{}", self.sandbox.calls());
        Ok(Session::open(&connect, self.config.stack.name.as_str(), account.as_deref(), &run, silent).await?)
    }

    /// The stack that the stack file describes.
    pub(super) fn stack(&self, session: &Session) -> Result<Stack, Failure> {
        Ok(platform::stack(&self.config, &session.connection().site())?)
    }

    /// Plans, shows the plan, and answers it.
    pub(super) async fn plan(&self, act: &mut Opened, session: &Session) -> Result<Planned, Failure> {
        let planned = session.plan(&self.stack(session)?, &Options::default()).await?;
        self.say(act, |paint| shown::render(&planned.plan, paint, false));
        Ok(planned)
    }

    /// Applies what has been planned; `stack` is empty to destroy.
    pub(super) async fn apply(
        &self,
        act: &mut Opened,
        session: &Session,
        stack: &Stack,
        options: &Options,
        command: &'static str,
    ) -> Result<Applied, Failure> {
        let progress = Progress::new(self.printer);
        let begun = tokio::time::Instant::now();
        let request = Apply {
            stack,
            options,
            command,
            who: Who { name: "the tour".to_owned(), at: self.sandbox.now().to_string() },
            approval: Approval::Given,
            timing: Timing::new(Arc::new(move || begun.elapsed())),
            limits: Limits::default(),
            on_plan: &|planned| progress.plan(&planned.plan),
            on_event: &|event| progress.event(event),
            on_wait: &|_| {},
        };
        let applied = session.apply(request, std::future::pending()).await;
        progress.end();
        let applied = applied?;
        let done: usize = applied.runs.iter().map(|(_, outcome)| outcome.done.len()).sum();
        // What failed in one run and was healed in the next is no failure.
        if let Some((planned, outcome)) = applied.runs.last().filter(|(_, outcome)| !outcome.complete()) {
            let failed = outcome.failed.iter().map(|(number, failure)| {
                let step = planned.plan.steps.iter().find(|step| step.number == *number);
                format!("{}: {}", step.map_or_else(String::new, |step| step.id.to_string()), failure.message)
            });
            let failure = Failure::new(Kind::Refused, format!("the sandbox's {command} did not get to its end"));
            return Err(Failure { causes: failed.collect(), ..failure });
        }
        self.say(act, |paint| paint.green(format!("{command} complete: {done} steps done")));
        Ok(applied)
    }

    /// The same call until an answer has come: weather loses some.
    pub(super) async fn insisting<T>(&self, call: impl AsyncFn() -> Result<T, CallError>) -> Result<T, Failure> {
        for _ in 0..5 {
            match call().await {
                Err(error) if error.class == Class::Ambiguous => {}
                answer => return Ok(answer?),
            }
        }
        Err(self.wrong("every reply is lost"))
    }

    /// Something of the tour is not as it should be.
    pub(super) fn wrong(&self, what: impl Display) -> Failure {
        Failure::ours(format!("the sandbox's tour went wrong: {what}"))
    }
}
