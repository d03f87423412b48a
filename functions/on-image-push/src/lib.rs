//! An image that was pushed becomes a rollout.
//!
//! [`record`], [`choice`], [`revision`], [`one_off`] and [`cause`] are what the deployer's own commands share with this
//! function; [`machine`] is what the function decides, and `look.rs` does it.

mod aws;
pub mod cause;
pub mod choice;
pub mod ecr;
mod ecs;
mod incoming;
mod ledger;
mod look;
pub mod machine;
pub mod one_off;
pub mod record;
pub mod revision;
pub mod scaling;
mod settings;

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use aws_types::SdkConfig;
use futures::future::join_all;
use serde_json::Value;
use tokio::time::Instant;
use wharf_events::{Arrival, Notice};
use wharf_shell::batch::{self, Batch};
use wharf_shell::metrics::Metrics;
use wharf_shell::{Environment, Fault, Function, Invocation};

use self::ecr::Repository;
use self::incoming::Work;
use self::ledger::Ledger;
use self::look::Look;
use self::machine::{Outcome, Trigger};
pub use self::settings::{CLUSTER, Registry, SERVICES, Service, Settings};

/// The function's name, without the stack's.
pub const NAME: &str = "on-image-push";

/// One SDK client for each service that the function calls.
#[derive(Clone, Debug)]
struct Clients {
    ecr: aws_sdk_ecr::Client,
    ecs: aws_sdk_ecs::Client,
    scaling: aws_sdk_applicationautoscaling::Client,
    logs: aws_sdk_cloudwatchlogs::Client,
    sns: aws_sdk_sns::Client,
}

/// The function.
#[derive(Debug)]
pub struct OnImagePush {
    clients: Clients,
    ledger: Ledger,
    settings: Settings,
    /// The versions of records that others hold, and since when they have stood still as far as this process saw.
    watched: Mutex<BTreeMap<String, (u64, Instant)>>,
    looks: AtomicU64,
}

/// A look that something that arrived asks for, by the place of what arrived in its batch.
struct Asked {
    record: usize,
    trigger: Trigger,
}

impl OnImagePush {
    /// The function, with a way to AWS.
    #[must_use]
    pub fn new(config: &SdkConfig, settings: Settings) -> Self {
        let clients = Clients {
            ecr: aws_sdk_ecr::Client::new(config),
            ecs: aws_sdk_ecs::Client::new(config),
            scaling: aws_sdk_applicationautoscaling::Client::new(config),
            logs: aws_sdk_cloudwatchlogs::Client::new(config),
            sns: aws_sdk_sns::Client::new(config),
        };
        let ledger = Ledger { dynamodb: aws_sdk_dynamodb::Client::new(config), table: settings.table.clone() };
        Self { clients, ledger, settings, watched: Mutex::default(), looks: AtomicU64::default() }
    }

    /// The function, as its environment sets it up.
    ///
    /// # Errors
    /// A setting is missing, or means nothing.
    pub fn build(environment: &Environment) -> Result<Self, Fault> {
        let settings = Settings::read(environment)?;
        Ok(Self::new(&environment.aws()?, settings))
    }

    /// What became of each thing that arrived. Each service is looked after by itself, so that none waits for another;
    /// of the pushes to one, the newest comes first, and makes the others late.
    async fn work(&self, arrived: &[Vec<Arrival>], invocation: &Invocation) -> Vec<Outcome> {
        let mut outcomes: Vec<Vec<Outcome>> = Vec::new();
        let mut asked: BTreeMap<usize, Vec<Asked>> = BTreeMap::new();
        let read = join_all(arrived.iter().map(|arrivals| self.asked(arrivals, invocation))).await;
        for (record, (looks, ended)) in read.into_iter().enumerate() {
            outcomes.push(ended);
            for (service, trigger) in looks {
                asked.entry(service).or_default().push(Asked { record, trigger });
            }
        }
        let looks = asked.into_iter().filter_map(|(place, asked)| {
            let service = self.settings.services.get(place)?;
            Some(self.looked_after(service, asked, invocation))
        });
        for (record, outcome) in join_all(looks).await.into_iter().flatten() {
            if let Some(of_record) = outcomes.get_mut(record) {
                of_record.push(outcome);
            }
        }
        outcomes.into_iter().map(worst).collect()
    }

    /// The looks that what arrived in one message asks for, and what needs none.
    async fn asked(&self, arrivals: &[Arrival], invocation: &Invocation) -> (Vec<(usize, Trigger)>, Vec<Outcome>) {
        let (mut looks, mut ended) = (Vec::new(), Vec::new());
        for arrival in arrivals {
            match Work::of(arrival, &self.settings) {
                Work::Look(asked) => looks.extend(asked),
                Work::Ignored(why) => ended.push(Outcome::Ignored(why)),
                Work::Foreign(why) => ended.push(Outcome::Failed(why)),
                Work::Untagged(services, push) => {
                    for place in services {
                        let Some(service) = self.settings.services.get(place) else { continue };
                        let repository = self.settings.repository(service);
                        let images = Repository { ecr: &self.clients.ecr, name: &repository };
                        let left = invocation.remaining().saturating_sub(look::RESERVE);
                        match tokio::time::timeout(left, images.release(&push.digest, &service.tags)).await {
                            Ok(Ok(None)) => {
                                ended.push(Outcome::Ignored("it has no tag that counts as a release".to_owned()))
                            }
                            Ok(Ok(tag)) => looks.push((place, Trigger::Push(record::Push { tag, ..push.clone() }))),
                            Ok(Err(error)) => ended.push(Outcome::Failed(error.to_string())),
                            Err(_) => ended.push(Outcome::Failed("the time was up".to_owned())),
                        }
                    }
                }
            }
        }
        (looks, ended)
    }

    /// Looks after a service for each reason that there is, one after the other, and for copies of one but once.
    async fn looked_after(
        &self,
        service: &Service,
        mut asked: Vec<Asked>,
        invocation: &Invocation,
    ) -> Vec<(usize, Outcome)> {
        asked.sort_by_key(|asked| std::cmp::Reverse(rank(&asked.trigger)));
        let mut outcomes = Vec::with_capacity(asked.len());
        let mut looked: Vec<(Trigger, Outcome)> = Vec::new();
        for Asked { record, trigger } in asked {
            let known = looked.iter().find(|(before, _)| *before == trigger).map(|(_, outcome)| outcome.clone());
            let outcome = match known {
                Some(outcome) => outcome,
                None => {
                    let outcome = Look::run(self, service, trigger.clone(), invocation).await;
                    tracing::info!(service = service.service, outcome = ?outcome, "service looked after");
                    looked.push((trigger, outcome.clone()));
                    outcome
                }
            };
            outcomes.push((record, outcome));
        }
        outcomes
    }

    /// A number that no other look of this process has.
    fn next(&self) -> u64 {
        self.looks.fetch_add(1, Ordering::Relaxed)
    }

    /// How long a service's record has stood still at a version, as far as this process saw.
    fn still(&self, service: &str, version: u64) -> Duration {
        let mut watched = self.watched.lock().unwrap_or_else(PoisonError::into_inner);
        let seen = watched.entry(service.to_owned()).or_insert_with(|| (version, Instant::now()));
        if seen.0 != version {
            *seen = (version, Instant::now());
        }
        seen.1.elapsed()
    }

    /// Publishes notices; false when one could not be.
    async fn publish(&self, notices: &[Notice]) -> bool {
        let send = |notice: &Notice| {
            let publish = self.clients.sns.publish().topic_arn(&self.settings.signals);
            publish.message(notice.to_json().to_string()).send()
        };
        let sent = join_all(notices.iter().map(send)).await;
        for error in sent.iter().filter_map(|sent| sent.as_ref().err()) {
            tracing::warn!(reason = wharf_shell::chain(error), "a notice could not be published");
        }
        sent.iter().all(Result::is_ok)
    }

    fn count(&self, outcomes: &[Outcome], invocation: &Invocation) {
        let number = |test: fn(&Outcome) -> bool| outcomes.iter().filter(|outcome| test(outcome)).count();
        Metrics::new(&self.settings.stack, NAME, invocation.now())
            .count("Done", number(|outcome| matches!(outcome, Outcome::Done(_))))
            .count("Ignored", number(|outcome| matches!(outcome, Outcome::Ignored(_))))
            .count("Failed", number(|outcome| matches!(outcome, Outcome::Failed(_))))
            .beside("request_id", invocation.request_id.as_str())
            .publish();
    }
}

impl Function for OnImagePush {
    /// A batch from the queue is answered message by message; anything else fails as a whole, or not.
    async fn handle(&self, payload: Value, invocation: &Invocation) -> Result<Value, Fault> {
        if let Some(batch) = Batch::of(&payload) {
            let arrived: Vec<Vec<Arrival>> = batch.records.iter().map(arrivals).collect();
            let outcomes = self.work(&arrived, invocation).await;
            self.count(&outcomes, invocation);
            return batch.answer(&outcomes.into_iter().map(said).collect::<Vec<_>>());
        }
        let outcomes = self.work(&[Arrival::with_payload(&payload)], invocation).await;
        self.count(&outcomes, invocation);
        match outcomes.into_iter().next() {
            Some(Outcome::Failed(why)) => Err(Fault::new("NotDone", why)),
            Some(Outcome::Done(what) | Outcome::Ignored(what)) => {
                tracing::info!(reason = what, "invocation done");
                Ok(Value::Null)
            }
            None => Ok(Value::Null),
        }
    }
}

/// What arrived in a message of the queue.
fn arrivals(record: &batch::Record) -> Vec<Arrival> {
    Arrival::in_message(record.body.as_deref().unwrap_or_default(), Some(&record.id))
}

fn said(outcome: Outcome) -> batch::Outcome {
    match outcome {
        Outcome::Done(_) => batch::Outcome::Done,
        Outcome::Ignored(why) => batch::Outcome::Ignored(why),
        Outcome::Failed(why) => batch::Outcome::Failed(why),
    }
}

/// What becomes of a message that asked for several things: it comes back if one of them failed.
fn worst(outcomes: Vec<Outcome>) -> Outcome {
    let rank = |outcome: &Outcome| match outcome {
        Outcome::Failed(_) => 2,
        Outcome::Done(_) => 1,
        Outcome::Ignored(_) => 0,
    };
    let nothing = Outcome::Ignored("nothing arrived in it".to_owned());
    outcomes.into_iter().max_by_key(rank).unwrap_or(nothing)
}

/// Pushes before all else, the newest first.
fn rank(trigger: &Trigger) -> Option<record::Moment> {
    if let Trigger::Push(push) = trigger { Some(push.moment.clone()) } else { None }
}

/// The function's `main`: in a process of its own, or as a command of another.
pub async fn main() -> ExitCode {
    wharf_shell::serve(NAME, OnImagePush::build).await
}

#[cfg(test)]
mod tests;
