//! Many notices at once: one message, with a line for each, in place of a minute of messages.

use std::collections::BTreeMap;

use futures::StreamExt as _;
use wharf_events::Notice;
use wharf_shell::Invocation;

use super::plan::Job;
use super::{AT_ONCE, Slacked, Teller, Verdict};
use crate::channel::Channel;
use crate::message::Message;
use crate::slack::Ask;
use crate::thread::{Post, Shape, Thread};

impl Teller {
    /// Tells Slack all of it in as few messages as it fits into: of each subject, how it stands at the end.
    pub(super) async fn burst(
        &self,
        channel: &Channel,
        jobs: &mut [Job<'_>],
        slacked: &mut Slacked,
        invocation: &Invocation,
    ) -> Vec<Verdict> {
        let mut last: BTreeMap<&str, usize> = BTreeMap::new();
        for (n, job) in jobs.iter().enumerate().filter(|(_, job)| job.for_slack()) {
            last.insert(&job.notice.subject, n);
        }
        let mut lines: Vec<usize> = last.into_values().collect();
        lines.sort_unstable();
        let notices: Vec<&Notice> = lines.iter().map(|n| jobs[*n].notice).collect();
        let mention = lines.iter().find_map(|n| self.mention(&jobs[*n]));
        let mut told = 0;
        for (message, count) in Message::digest(&notices, mention) {
            let sent = channel.send(Ask::Post, &message, invocation).await;
            let of: Vec<&str> = notices[told..told + count].iter().map(|notice| notice.subject.as_str()).collect();
            told += count;
            for job in jobs.iter_mut().filter(|job| job.for_slack() && of.contains(&job.notice.subject.as_str())) {
                match &sent {
                    Ok(posted) => {
                        let shared = posted.ts.clone();
                        let shared = shared.map(|ts| Post { channel: channel.name().to_owned(), ts, shared: true });
                        let post = slacked.posts.entry(job.notice.subject.clone()).or_default();
                        let begins = job.telling.as_ref().is_some_and(|telling| telling.shape == Shape::Begins);
                        if begins || post.is_none() {
                            *post = shared;
                        }
                        job.slack = Ok(true);
                    }
                    Err(refusal) => job.slack = Err(refusal.to_string()),
                }
            }
            if sent.is_err() {
                break;
            }
        }
        for job in jobs.iter_mut().filter(|job| job.for_slack()) {
            job.slack = Err("a part of the digest before it could not be posted".to_owned());
        }
        let threads = lines.iter().filter_map(|n| {
            let (job, telling) = (&jobs[*n], jobs[*n].telling.as_ref()?);
            let post = slacked.posts.get(&job.notice.subject).cloned().flatten();
            (job.slack == Ok(true)).then(|| (&job.notice.subject, Thread { post, ..telling.next.clone() }))
        });
        let threads = futures::stream::iter(threads)
            .map(async |(subject, thread)| self.remember(subject, &thread, invocation).await);
        threads.buffered(AT_ONCE).for_each(std::future::ready).await;
        let ends = futures::stream::iter(jobs.iter()).map(|job| self.finish(job, invocation));
        let ends = ends.buffered(AT_ONCE).collect().await;
        self.edit(channel, jobs, &lines, slacked, invocation).await;
        ends
    }

    /// Brings the messages of subjects that have one of their own up to date. That they are told is settled by then:
    /// what there is no time for is left as it is.
    async fn edit(
        &self,
        channel: &Channel,
        jobs: &[Job<'_>],
        lines: &[usize],
        slacked: &Slacked,
        invocation: &Invocation,
    ) {
        for job in lines.iter().map(|n| &jobs[*n]).filter(|job| job.slack == Ok(true)) {
            let post = slacked.posts.get(&job.notice.subject).cloned().flatten().filter(|post| !post.shared);
            let turns = job.telling.as_ref().filter(|telling| telling.shape == Shape::Turns);
            let (Some(post), Some(telling)) = (post, turns) else { continue };
            if !Self::has_time(invocation) {
                return;
            }
            let message = Message::whole(job.notice, Some(telling.next.series()), None);
            if let Err(refusal) = channel.send(Ask::Edit { ts: &post.ts }, &message, invocation).await {
                tracing::warn!(reason = %refusal, "a message could not be brought up to date");
            }
        }
    }
}
