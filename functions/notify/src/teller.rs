//! Tells notices, to Slack and to people's mail: each once, each on both ways even if one of them fails.

mod burst;
mod plan;

use std::collections::BTreeMap;

use futures::StreamExt as _;
use wharf_events::{Notice, Severity, State};
use wharf_shell::Invocation;

use self::plan::{Job, Planned};
use crate::channel::{Channel, RESERVE, left};
use crate::message::Message;
use crate::people::{Letter, People};
use crate::settings::Mention;
use crate::slack::{Ask, Refusal};
use crate::table::{Claim, Table, TableError, later};
use crate::thread::{Post, Shape, Thread};

/// So many calls of the table are under way at once.
const AT_ONCE: usize = 16;
/// More notices than this at once are told in one message.
const MANY: usize = 5;

/// Something to tell.
#[derive(Clone, Debug, PartialEq)]
pub struct News {
    /// What.
    pub notice: Notice,
    /// Whether it is news only where something was open that it closes.
    pub only_if_open: bool,
}

/// What became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It was told.
    Told,
    /// It was not, for this reason.
    Ignored(String),
    /// It was not, or not on every way, and is to come again.
    Failed(String),
}

/// Tells notices.
#[derive(Debug)]
pub struct Teller {
    table: Table,
    people: Option<People>,
    channel: Option<Channel>,
    mention: Option<Mention>,
}

/// What happened on the way to Slack.
struct Slacked {
    /// The messages of the subjects that were told.
    posts: BTreeMap<String, Option<Post>>,
    /// Why Slack cannot be told anything more this time.
    broken: Option<String>,
}

impl Teller {
    pub(crate) fn new(
        table: Table,
        people: Option<People>,
        channel: Option<Channel>,
        mention: Option<Mention>,
    ) -> Self {
        Self { table, people, channel, mention }
    }

    /// Tells all of it, in the order in which it happened. What became of each, in the order given.
    pub async fn tell(&self, news: &[News], invocation: &Invocation) -> Vec<Verdict> {
        if self.people.is_none() && self.channel.is_none() {
            return news.iter().map(|_| Verdict::Ignored("nobody is set to be told".to_owned())).collect();
        }
        let claims = Box::pin(self.claims(news, invocation)).await;
        let threads = Box::pin(self.threads(news)).await;
        let Planned { mut jobs, mut verdicts, done, noted } = plan::plan(news, &claims, &threads);
        let done = done.iter().map(|key| self.table.finish(key, true, true, invocation.now()));
        // Nothing came of these; if that cannot be written down, they come to nothing again.
        futures::stream::iter(done).buffered(AT_ONCE).for_each(|_| std::future::ready(())).await;
        Box::pin(self.write_letters(&mut jobs, invocation)).await;
        let mut slacked = Slacked { posts: plan::posts(&threads), broken: None };
        let many = jobs.iter().filter(|job| job.for_slack()).count() > MANY;
        let ends = match &self.channel {
            Some(channel) if many => Box::pin(self.burst(channel, &mut jobs, &mut slacked, invocation)).await,
            _ => Box::pin(self.one_by_one(&mut jobs, &mut slacked, invocation)).await,
        };
        Box::pin(self.note(&jobs, noted, &slacked, invocation)).await;
        for (job, end) in jobs.iter().zip(ends) {
            for copy in &job.copies {
                let copied = || Verdict::Ignored("a copy of it was told".to_owned());
                verdicts.insert(*copy, if end == Verdict::Told { copied() } else { end.clone() });
            }
            verdicts.insert(job.index, end);
        }
        let untold = || Verdict::Failed("nothing became of it".to_owned());
        (0..news.len()).map(|n| verdicts.remove(&n).unwrap_or_else(untold)).collect()
    }

    /// Claims each key once.
    async fn claims(&self, news: &[News], invocation: &Invocation) -> BTreeMap<String, Result<Claim, String>> {
        let (now, by) = (invocation.now(), invocation.request_id.as_str());
        let until = later(now, invocation.remaining() + RESERVE);
        let keys: std::collections::BTreeSet<&str> = news.iter().map(|news| news.notice.key.as_str()).collect();
        let claims = futures::stream::iter(keys).map(async |key: &str| {
            let claim = self.table.claim(key, by, now, until).await.map_err(|error| error.to_string());
            (key.to_owned(), claim)
        });
        claims.buffered(AT_ONCE).collect().await
    }

    /// What was said of each subject.
    async fn threads(&self, news: &[News]) -> BTreeMap<String, Result<Option<Thread>, String>> {
        let subjects: std::collections::BTreeSet<&str> = news.iter().map(|news| news.notice.subject.as_str()).collect();
        let threads = futures::stream::iter(subjects).map(async |subject: &str| {
            (subject.to_owned(), self.table.thread(subject).await.map_err(|error| error.to_string()))
        });
        threads.buffered(AT_ONCE).collect().await
    }

    /// People get a letter of what somebody should look at; where there is no Slack, of everything.
    fn wants_letter(&self, job: &Job<'_>) -> bool {
        let Some(channel) = &self.channel else { return true };
        let news = job.telling.as_ref().is_none_or(|telling| telling.loud || !channel.has_threads());
        news && job.notice.severity >= Severity::Warning
    }

    /// Letters come first: they depend on nobody. Each is written down as sent before the next, so that whoever comes
    /// after a death repeats one at most.
    async fn write_letters(&self, jobs: &mut [Job<'_>], invocation: &Invocation) {
        let Some(people) = &self.people else {
            jobs.iter_mut().for_each(|job| job.people = Ok(true));
            return;
        };
        for job in jobs.iter_mut() {
            if job.people == Ok(false) && !self.wants_letter(job) {
                job.people = Ok(true);
            }
        }
        let mut open: Vec<&mut Job<'_>> = jobs.iter_mut().filter(|job| job.people == Ok(false)).collect();
        if open.len() > MANY {
            let notices: Vec<&Notice> = open.iter().map(|job| job.notice).collect();
            let sent = people.send(&Letter::digest(&notices, people.stack())).await;
            open.iter_mut().for_each(|job| job.people = sent.clone().map(|()| true));
            return;
        }
        for job in open {
            job.people = people.send(&Letter::of(job.notice, people.stack())).await.map(|()| true);
            if job.people == Ok(true) && job.for_slack() {
                let written = self.table.written(&job.notice.key, invocation.now()).await;
                warn_of(&job.notice.key, written);
            }
        }
    }

    /// Tells Slack one notice after the other; each is written down before the next.
    async fn one_by_one(&self, jobs: &mut [Job<'_>], slacked: &mut Slacked, invocation: &Invocation) -> Vec<Verdict> {
        let mut ends = Vec::new();
        for job in jobs.iter_mut() {
            match &self.channel {
                Some(channel) if job.for_slack() => Box::pin(self.post(channel, job, slacked, invocation)).await,
                Some(_) => {}
                None => job.slack = Ok(true),
            }
            if let (Ok(true), Some(telling)) = (&job.slack, &job.telling) {
                let post = slacked.posts.get(&job.notice.subject).cloned().flatten();
                self.remember(&job.notice.subject, &Thread { post, ..telling.next.clone() }, invocation).await;
            }
            ends.push(self.finish(job, invocation).await);
        }
        ends
    }

    /// Whom to wake.
    fn mention(&self, job: &Job<'_>) -> Option<&str> {
        let begins = job.telling.as_ref().is_some_and(|telling| telling.shape == Shape::Begins);
        let wakes = begins && job.notice.severity == Severity::Critical && job.notice.state != State::Closed;
        self.mention.as_ref().filter(|_| wakes).map(Mention::as_str)
    }

    /// Tells Slack one notice, at its place.
    async fn post(&self, channel: &Channel, job: &mut Job<'_>, slacked: &mut Slacked, invocation: &Invocation) {
        let Some(telling) = &job.telling else {
            job.slack = Ok(true);
            return;
        };
        if let Some(reason) = &slacked.broken {
            job.slack = Err(reason.clone());
            return;
        }
        let post = slacked.posts.get(&job.notice.subject).cloned().flatten().filter(|_| channel.has_threads());
        let sent = match (telling.shape, &post) {
            (Shape::Turns | Shape::Adds { .. }, Some(post)) => self.continued(channel, job, post, invocation).await,
            _ => Err(Refusal::Gone("there is no message yet".to_owned())),
        };
        let sent = match sent {
            // What was to be continued is gone, or never was: it is told anew.
            Err(Refusal::Gone(_)) => self.begin(channel, job, invocation).await,
            other => other.map(|()| post),
        };
        match sent {
            Ok(post) => {
                slacked.posts.insert(job.notice.subject.clone(), post);
                job.slack = Ok(true);
            }
            Err(refusal) => {
                let reason = refusal.to_string();
                if !matches!(refusal, Refusal::Never(_) | Refusal::Blocks(_)) {
                    slacked.broken = Some(reason.clone());
                }
                job.slack = Err(reason);
            }
        }
    }

    async fn begin(&self, channel: &Channel, job: &Job<'_>, invocation: &Invocation) -> Result<Option<Post>, Refusal> {
        let series = job.telling.as_ref().filter(|telling| telling.shape != Shape::Begins);
        let series = series.map(|telling| telling.next.series());
        let message = Message::whole(job.notice, series, self.mention(job));
        let posted = channel.send(Ask::Post, &message, invocation).await?;
        Ok(posted.ts.map(|ts| Post { channel: channel.name().to_owned(), ts, shared: false }))
    }

    /// Edits the message of the story, and answers in its thread.
    async fn continued(
        &self,
        channel: &Channel,
        job: &Job<'_>,
        post: &Post,
        invocation: &Invocation,
    ) -> Result<(), Refusal> {
        let Some(telling) = &job.telling else { return Ok(()) };
        let series = telling.next.series();
        if let Shape::Adds { worse } = telling.shape {
            let message = Message::whole(job.notice, None, None);
            let ask = Ask::Reply { ts: &post.ts, seen: worse };
            return channel.send(ask, &message, invocation).await.map(|_| ());
        }
        if !post.shared {
            let message = Message::whole(job.notice, Some(series), None);
            channel.send(Ask::Edit { ts: &post.ts }, &message, invocation).await?;
        }
        if telling.loud || post.shared {
            let ask = Ask::Reply { ts: &post.ts, seen: false };
            channel.send(ask, &Message::short(job.notice, series), invocation).await?;
        }
        Ok(())
    }

    async fn remember(&self, subject: &str, thread: &Thread, invocation: &Invocation) {
        let written = self.table.remember(subject, thread, invocation.now()).await;
        warn_of(subject, written);
    }

    /// Writes down what notices that were not told leave to remember.
    async fn note(
        &self,
        jobs: &[Job<'_>],
        noted: BTreeMap<String, Thread>,
        slacked: &Slacked,
        invocation: &Invocation,
    ) {
        for (subject, thread) in noted {
            // What follows from something that could not be told does not hold.
            let untold = jobs.iter().any(|job| job.notice.subject == subject && job.slack != Ok(true));
            if !untold {
                let post = slacked.posts.get(&subject).cloned().flatten();
                self.remember(&subject, &Thread { post, ..thread }, invocation).await;
            }
        }
    }

    async fn finish(&self, job: &Job<'_>, invocation: &Invocation) -> Verdict {
        let (people, slack) = (job.people == Ok(true), job.slack == Ok(true));
        let written = self.table.finish(&job.notice.key, people, slack, invocation.now()).await;
        let failed = [&job.people, &job.slack].into_iter().filter_map(|side| side.as_ref().err().cloned());
        let mut failed: Vec<String> = failed.collect();
        // What was told is told, though whoever comes after does not know it.
        warn_of(&job.notice.key, written);
        if failed.is_empty() {
            return Verdict::Told;
        }
        failed.dedup();
        Verdict::Failed(failed.join("; "))
    }

    /// Whether there is time for another call of Slack.
    fn has_time(invocation: &Invocation) -> bool {
        !left(invocation).is_zero()
    }
}

/// What cannot be written down may be told again: no reason to tell it again at once.
fn warn_of(what: &str, written: Result<(), TableError>) {
    if let Err(error) = written {
        tracing::warn!(what, reason = %error, "what was told cannot be written down");
    }
}
