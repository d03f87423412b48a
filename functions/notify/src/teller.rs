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
use crate::table::{Claim, Table, later};
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
    people: People,
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
    pub(crate) fn new(table: Table, people: People, channel: Option<Channel>, mention: Option<Mention>) -> Self {
        Self { table, people, channel, mention }
    }

    /// Tells all of it, in the order in which it happened. What became of each, in the order given.
    pub async fn tell(&self, news: &[News], invocation: &Invocation) -> Vec<Verdict> {
        let claims = Box::pin(self.claims(news, invocation)).await;
        let threads = Box::pin(self.threads(news)).await;
        let Planned { mut jobs, mut verdicts, done, noted } = plan::plan(news, &claims, &threads);
        let done = done.iter().map(|key| self.table.finish(key, true, true, invocation.now()));
        // Nothing came of these; if that cannot be written down, they come to nothing again.
        futures::stream::iter(done).buffered(AT_ONCE).for_each(|_| std::future::ready(())).await;
        Box::pin(self.write_letters(&mut jobs)).await;
        let mut slacked = Slacked { posts: plan::posts(&threads), broken: None };
        if let Some(channel) = &self.channel {
            if jobs.iter().filter(|job| job.for_slack()).count() > MANY {
                Box::pin(self.burst(channel, &mut jobs, &mut slacked, invocation)).await;
            } else {
                for job in jobs.iter_mut().filter(|job| job.for_slack()) {
                    Box::pin(self.post(channel, job, &mut slacked, invocation)).await;
                }
            }
        } else {
            jobs.iter_mut().for_each(|job| job.slack = Ok(true));
        }
        Box::pin(self.remember(&jobs, noted, &slacked, invocation)).await;
        let ends = futures::stream::iter(&jobs).map(|job| self.finish(job, invocation));
        let ends: Vec<Verdict> = ends.buffered(AT_ONCE).collect().await;
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

    async fn write_letters(&self, jobs: &mut [Job<'_>]) {
        for job in jobs.iter_mut() {
            if job.people == Ok(false) && !self.wants_letter(job) {
                job.people = Ok(true);
            }
        }
        let mut open: Vec<&mut Job<'_>> = jobs.iter_mut().filter(|job| job.people == Ok(false)).collect();
        if open.len() > MANY {
            let notices: Vec<&Notice> = open.iter().map(|job| job.notice).collect();
            let sent = self.people.send(&Letter::digest(&notices, self.people.stack())).await;
            open.iter_mut().for_each(|job| job.people = sent.clone().map(|()| true));
            return;
        }
        for job in open {
            job.people = self.people.send(&Letter::of(job.notice, self.people.stack())).await.map(|()| true);
        }
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

    /// Writes down what was said of each subject, as the last that Slack has left it.
    async fn remember(
        &self,
        jobs: &[Job<'_>],
        noted: BTreeMap<String, Thread>,
        slacked: &Slacked,
        invocation: &Invocation,
    ) {
        let mut last: BTreeMap<String, Thread> = BTreeMap::new();
        for job in jobs.iter().filter(|job| job.slack == Ok(true)) {
            if let Some(telling) = &job.telling {
                last.insert(job.notice.subject.clone(), telling.next.clone());
            }
        }
        for (subject, thread) in noted {
            // What follows from something that could not be told does not hold.
            let untold = jobs.iter().any(|job| job.notice.subject == subject && job.slack != Ok(true));
            if !untold {
                last.insert(subject, thread);
            }
        }
        for (subject, thread) in &mut last {
            thread.post = slacked.posts.get(subject).cloned().flatten();
        }
        let writes = futures::stream::iter(last).map(async |(subject, thread)| {
            if let Err(error) = self.table.remember(&subject, &thread, invocation.now()).await {
                tracing::warn!(subject, reason = %error, "what was said cannot be written down");
            }
        });
        writes.buffered(AT_ONCE).for_each(std::future::ready).await;
    }

    async fn finish(&self, job: &Job<'_>, invocation: &Invocation) -> Verdict {
        let (people, slack) = (job.people == Ok(true), job.slack == Ok(true));
        let written = self.table.finish(&job.notice.key, people, slack, invocation.now()).await;
        let failed = [&job.people, &job.slack].into_iter().filter_map(|side| side.as_ref().err().cloned());
        let mut failed: Vec<String> = failed.collect();
        // What was told and could not be written down would be told again: better to know nothing of that.
        if let (Err(error), true) = (written, failed.is_empty()) {
            tracing::warn!(key = job.notice.key, reason = %error, "it was told, and that cannot be written down");
        }
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
