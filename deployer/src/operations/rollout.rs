//! Deploy and roll back: another image of a service, and nothing else of it.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use futures::FutureExt;
use serde::Serialize;
use tokio::time::Instant;
use wharf_engine::LogicalId;
use wharf_on_image_push::revision::Revision;

use super::preparation::{self, BeforeDeploy};
use super::{Error, Session, Who};
use crate::aws::applicationautoscaling::target;
use crate::aws::ecs::rollout::{self as ecs, Live};
use crate::aws::ecs::task_definition::rolled;
use crate::aws::{Aws, CallError, ecr};
use crate::ledger::{Claim, ClaimError, Timing};
use crate::rollout::choice::{self, Image};
use crate::rollout::machine::{Change, Command, Ending, Goal, Illegal, Machine, Progress, Seen, Signal};
use crate::rollout::record::{Done, Holder, Moment, Record, Rollout, Status};

/// Between two looks at a deployment.
const POLL: Duration = Duration::from_secs(5);
/// So many earlier revisions are looked at for one to go back to.
const EARLIER: usize = 20;

/// Which image is wanted.
#[derive(Clone, Copy, Debug)]
pub enum Wanted<'a> {
    /// The newest one with a tag of this pattern.
    Newest(&'a str),
    /// The one with this tag.
    Tag(&'a str),
    /// The one with this digest.
    Digest(&'a str),
    /// The one that ran before.
    Before,
}

/// A deployment that is asked for.
pub struct Deploy<'a> {
    /// The service.
    pub service: &'a str,
    /// Its image.
    pub wanted: Wanted<'a>,
    /// How many tasks it gets if it has none.
    pub least: i32,
    /// It is a periodic task: its schedule starts the newest revision each time, and there is no service.
    pub periodic: bool,
    /// What is run once before ECS is told, if anything is.
    pub before: Option<BeforeDeploy<'a>>,
    /// `deploy` or `rollback`.
    pub command: &'static str,
    /// Who does it.
    pub who: Who,
    /// The claim's times.
    pub timing: Timing,
    /// Hears how far it has come.
    pub on_progress: &'a dyn Fn(&str),
    /// Hears of another run that is changing the service and has to be watched.
    pub on_wait: &'a dyn Fn(&Holder),
}

impl Deploy<'_> {
    /// How many tasks there are at least when it runs.
    const fn tasks(&self) -> i32 {
        if self.periodic { 0 } else { self.least }
    }
}

/// An image of which tasks run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Serves {
    /// The image.
    pub image: String,
    /// How many tasks.
    pub tasks: i32,
}

/// What became of it.
#[derive(Clone, Debug)]
pub struct Deployed {
    /// The image that was wanted, with its digest.
    pub image: String,
    /// The digest.
    pub digest: String,
    /// The tag by which it was found, or one that it has.
    pub tag: Option<String>,
    /// The digest that ran before, if any did.
    pub was: Option<String>,
    /// The deployment, if there was one.
    pub deployment: Option<String>,
    /// How it ended; none when it was interrupted and goes on without being watched.
    pub ending: Option<Ending>,
    /// The status that was written down.
    pub status: Status,
    /// What runs now.
    pub serves: Vec<Serves>,
}

/// A rollout cannot be carried out.
#[derive(Debug, thiserror::Error)]
pub enum RolloutError {
    /// It is not there.
    #[error("there is nothing of {0} in ECS yet")]
    NoService(String),
    /// Its task definition is not one of Wharf's.
    #[error("the task definition of {0} names no container whose image rollouts decide about")]
    NoContainer(String),
    /// Its image is of another registry.
    #[error("{service} runs {image}, which is not in the registry of this account and region")]
    Elsewhere {
        /// The service.
        service: String,
        /// Its image.
        image: String,
    },
    /// There is no such image.
    #[error("there is no image {wanted} in the repository {repository}")]
    NoImage {
        /// The repository.
        repository: String,
        /// Tag or digest.
        wanted: String,
    },
    /// There is no image that counts.
    #[error("there is no image in the repository {repository} with a tag like `{pattern}` (`images.tags`)")]
    NoRelease {
        /// The repository.
        repository: String,
        /// The pattern.
        pattern: String,
    },
    /// There is nothing to go back to.
    #[error("nothing else ran as {0} before, as far as its record and its task definitions tell")]
    NothingBefore(String),
    /// The record cannot be had.
    #[error(transparent)]
    Claim(#[from] ClaimError),
    /// A call failed.
    #[error(transparent)]
    Call(#[from] CallError),
    /// A fault of the rollout's driver.
    #[error(transparent)]
    Illegal(#[from] Illegal),
}

/// A service with what it runs.
struct Now {
    live: Live,
    revision: Revision,
    /// The repository's address, and its name in the registry.
    address: String,
    repository: String,
    digest: Option<String>,
}

impl Session {
    /// Brings an image of a service out, and waits until its deployment has ended. That it failed is no error here:
    /// [`Deployed::ending`] says so.
    ///
    /// # Errors
    /// What stood against it.
    pub async fn deploy(&self, request: &Deploy<'_>, interrupt: impl Future<Output = ()>) -> Result<Deployed, Error> {
        let (now, record) =
            futures::try_join!(self.now(request), async { Ok(self.ledger.rollouts(request.service).await?) })?;
        let image = self.meant(request, &now, record.as_ref()).await?;
        let tag = match request.wanted {
            Wanted::Tag(tag) => Some(tag.to_owned()),
            Wanted::Newest(pattern) => image.release(pattern).map(str::to_owned),
            Wanted::Digest(_) | Wanted::Before => image.tags.first().cloned(),
        };
        let goal = Goal {
            image: format!("{}@{}", now.address, image.digest),
            digest: image.digest,
            least: request.tasks(),
            prepares: request.before.is_some(),
        };
        let id = LogicalId::new(format!("services.{}.service", request.service));
        let id = id.map_err(|error| RolloutError::Call(CallError::ours(error)))?;
        let open = record.and_then(|record| record.rollout).is_some_and(|rollout| rollout.status.is_open());
        let mut driver =
            Driver { session: self, request, id, was: now.digest, tag, goal, claim: None, deployment: None };
        let result = driver.run(open, interrupt).await;
        if let Some(claim) = driver.claim.take() {
            // It ended early: the next one need not wait. Losing this costs it the wait for a lease.
            let _ = claim.release(|_| {}).await;
        }
        Ok(result?)
    }

    async fn now(&self, request: &Deploy<'_>) -> Result<Now, RolloutError> {
        let service = request.service;
        let none = || RolloutError::NoService(service.to_owned());
        let live = match request.periodic {
            true => ecs::look_at_family(&self.aws, service).await?,
            false => ecs::look(&self.aws, service).await?,
        };
        let live = live.ok_or_else(none)?;
        let revision = rolled::revision(&self.aws, &live.revision).await?.ok_or_else(none)?;
        let (address, version) = revision.image().ok_or_else(|| RolloutError::NoContainer(service.to_owned()))?;
        let repository = ecr::images::repository(&self.aws, address)
            .ok_or_else(|| RolloutError::Elsewhere { service: service.to_owned(), image: address.to_owned() })?;
        let digest = digest(&self.aws, repository, version).await?;
        let (address, repository) = (address.to_owned(), repository.to_owned());
        Ok(Now { live, revision, address, repository, digest })
    }

    /// The image that is meant, which exists.
    async fn meant(&self, request: &Deploy<'_>, now: &Now, record: Option<&Record>) -> Result<Image, RolloutError> {
        let repository = &now.repository;
        let wanted = match request.wanted {
            Wanted::Newest(pattern) => {
                let all = ecr::images::tagged(&self.aws, repository).await?;
                return choice::newest(&all, pattern).cloned().ok_or_else(|| RolloutError::NoRelease {
                    repository: repository.clone(),
                    pattern: pattern.to_owned(),
                });
            }
            Wanted::Tag(name) | Wanted::Digest(name) => name.to_owned(),
            Wanted::Before => match record.and_then(|record| record.before(now.digest.as_deref())) {
                Some(rollout) => rollout.digest.clone(),
                None => self.ran_before(request.service, now).await?,
            },
        };
        let missing = || RolloutError::NoImage { repository: repository.clone(), wanted: wanted.clone() };
        ecr::images::one(&self.aws, repository, &wanted).await?.ok_or_else(missing)
    }

    /// What ran before by the task definitions that are left, where no record tells.
    async fn ran_before(&self, service: &str, now: &Now) -> Result<String, RolloutError> {
        for arn in rolled::earlier(&self.aws, &now.live.revision).await?.iter().take(EARLIER) {
            let Some(revision) = rolled::revision(&self.aws, arn).await? else { continue };
            let Some((address, version)) = revision.image().filter(|(address, _)| *address == now.address) else {
                continue;
            };
            let Some(repository) = ecr::images::repository(&self.aws, address) else { continue };
            let found = digest(&self.aws, repository, version).await?;
            if let Some(found) = found.filter(|found| Some(found) != now.digest.as_ref()) {
                return Ok(found);
            }
        }
        Err(RolloutError::NothingBefore(service.to_owned()))
    }
}

/// The digest that a version (`@sha256:…`, `:v1`) stands for; none when there is no such image.
async fn digest(aws: &Aws, repository: &str, version: &str) -> Result<Option<String>, CallError> {
    match (version.strip_prefix('@'), version.strip_prefix(':')) {
        (Some(digest), _) => Ok(Some(digest.to_owned())),
        (None, Some(tag)) => Ok(ecr::images::one(aws, repository, tag).await?.map(|image| image.digest)),
        (None, None) => Ok(None),
    }
}

/// Does what the machine says.
struct Driver<'a> {
    session: &'a Session,
    request: &'a Deploy<'a>,
    id: LogicalId,
    was: Option<String>,
    tag: Option<String>,
    goal: Goal,
    claim: Option<Claim>,
    deployment: Option<String>,
}

impl Driver<'_> {
    async fn run(&mut self, open: bool, interrupt: impl Future<Output = ()>) -> Result<Deployed, RolloutError> {
        let mut interrupt = Box::pin(interrupt.fuse());
        let (mut machine, mut command) = Machine::new(self.goal.clone(), open);
        let begun = Instant::now();
        let mut last = None;
        loop {
            let signal = match command {
                Command::Look => {
                    let now = self.session.now(self.request).await?;
                    self.was.clone_from(&now.digest);
                    let signal = Signal::Seen(seen(&now));
                    last = Some(now);
                    signal
                }
                Command::Claim => self.claim().await?,
                Command::Register(_) => self.register(last.as_ref()).await?,
                Command::Prepare(revision) => Box::pin(self.prepare(&revision, interrupt.as_mut())).await?,
                Command::Tell(change) => self.tell(&change).await?,
                Command::Note(deployment) => self.note(deployment).await?,
                Command::Watch(_) if self.request.periodic => Signal::Progress(Progress::Done, begun.elapsed()),
                Command::Watch(deployment) => {
                    if self.interrupted(interrupt.as_mut()).await {
                        return self.deployed(None, Status::Deploying).await;
                    }
                    Signal::Progress(self.watch(&deployment).await?, begun.elapsed())
                }
                Command::Close(ending) => self.close(&ending).await?,
                Command::Stop(ending) => {
                    let status = self.status(&ending).await?;
                    return self.deployed(Some(ending), status).await;
                }
            };
            command = machine.step(signal)?;
        }
    }

    /// Waits until the next look; true when somebody wants to stop meanwhile.
    async fn interrupted(&self, interrupt: Pin<&mut impl Future<Output = ()>>) -> bool {
        tokio::select! {
            () = interrupt => true,
            () = tokio::time::sleep(POLL) => false,
        }
    }

    /// AWS, for as long as the claim is fresh.
    fn aws(&self) -> Aws {
        let aws = &self.session.aws;
        self.claim.as_ref().map_or_else(|| aws.clone(), |claim| claim.guarding(aws))
    }

    async fn claim(&mut self) -> Result<Signal, RolloutError> {
        let Deploy { service, command, who, timing, on_wait, .. } = self.request;
        let run = self.session.aws.run();
        let holder = Holder {
            run: run.to_owned(),
            who: who.name.clone(),
            command: (*command).to_owned(),
            since: who.at.clone(),
        };
        let rollout = Rollout {
            digest: self.goal.digest.clone(),
            tag: self.tag.clone(),
            run: run.to_owned(),
            who: who.name.clone(),
            command: (*command).to_owned(),
            at: who.at.clone(),
            deployment: None,
            status: Status::Preparing,
            why: None,
            done: Done::default(),
        };
        let runs = self.was.as_deref();
        let begin = |record: &mut Record| record.begin(rollout, runs);
        self.claim = Some(self.session.ledger.claim(service, holder, timing, on_wait, begin).await?);
        Ok(Signal::Claimed)
    }

    async fn register(&self, last: Option<&Now>) -> Result<Signal, RolloutError> {
        let now = last.ok_or_else(|| CallError::ours("a revision like none"))?;
        Ok(Signal::Registered(rolled::register(&self.aws(), &now.revision, &self.goal.image).await?))
    }

    /// Runs the command before it, while the claim is kept fresh.
    async fn prepare(
        &mut self,
        revision: &str,
        mut interrupt: Pin<&mut impl Future<Output = ()>>,
    ) -> Result<Signal, RolloutError> {
        let Deploy { service, before, on_progress, .. } = self.request;
        let Some(before) = before else { return Ok(Signal::Prepared(Ok(()))) };
        let aws = self.aws();
        let record = self.claim.as_ref().map_or_else(|| Record::new(service), |claim| claim.record.clone());
        let mut run = std::pin::pin!(async {
            let alone =
                preparation::alone(&aws, service, revision, &record, before, on_progress, interrupt.as_mut()).await?;
            match alone {
                Ok(()) => preparation::run(&aws, service, revision, before, on_progress, interrupt).await,
                Err(why) => Ok(Err(why)),
            }
        });
        loop {
            tokio::select! {
                ended = &mut run => return Ok(Signal::Prepared(ended?)),
                () = tokio::time::sleep(POLL) => {}
            }
            if let Some(claim) = &mut self.claim {
                claim.keep().await?;
            }
        }
    }

    async fn tell(&mut self, change: &Change) -> Result<Signal, RolloutError> {
        if let Some(claim) = &mut self.claim {
            claim.keep().await?;
        }
        if self.request.periodic {
            // That the revision is there is all that its schedule has to be told.
            return Ok(Signal::Told(change.revision.clone().unwrap_or_default()));
        }
        let told = ecs::tell(&self.aws(), &self.id, self.request.service, change).await?;
        Ok(Signal::Told(told))
    }

    async fn note(&mut self, deployment: String) -> Result<Signal, RolloutError> {
        self.deployment = Some(deployment.clone());
        let decided = self.decided();
        if let Some(claim) = &mut self.claim {
            let note = |record: &mut Record| {
                if let Some(moment) = decided {
                    record.decide(moment);
                }
                if let Some(rollout) = &mut record.rollout {
                    rollout.status = Status::Deploying;
                    rollout.deployment = Some(deployment);
                }
            };
            claim.write(note).await?;
        }
        Ok(Signal::Noted)
    }

    /// The moment of this decision by ECS's clock, which pushes can be compared with: an image that was pushed before
    /// it, and is heard of later, does not undo it.
    fn decided(&self) -> Option<Moment> {
        let noted = self.session.aws.noted(&self.id)?;
        let second = noted.rsplit_once(' ')?.1.parse().ok().filter(|second| *second > 0)?;
        let at = jiff::Timestamp::from_second(second).ok()?;
        Some(Moment { at, id: self.session.aws.run().to_owned() })
    }

    async fn watch(&mut self, deployment: &str) -> Result<Progress, RolloutError> {
        if let Some(claim) = &mut self.claim {
            claim.keep().await?;
        }
        let (progress, text) = ecs::progress(&self.session.aws, &self.id, self.request.service, deployment).await?;
        (self.request.on_progress)(&text);
        Ok(progress)
    }

    /// Writes down how it ended, and lets go.
    async fn close(&mut self, ending: &Ending) -> Result<Signal, RolloutError> {
        let status = self.status(ending).await?;
        if status == Status::Settled {
            target::raise(&self.aws(), self.request.service, self.goal.least).await?;
        }
        if let Some(claim) = self.claim.take() {
            let why = if let Ending::Failed(why) | Ending::NotBegun(why) = ending { Some(why.clone()) } else { None };
            let end = |record: &mut Record| {
                if let Some(rollout) = &mut record.rollout {
                    (rollout.status, rollout.why) = (status, why);
                }
            };
            claim.release(end).await?;
        }
        Ok(Signal::Noted)
    }

    /// What a rollout that ended so is called: it was rolled back if the service is to run another image again.
    async fn status(&self, ending: &Ending) -> Result<Status, RolloutError> {
        if matches!(ending, Ending::NothingToDo | Ending::Settled) {
            return Ok(Status::Settled);
        }
        if matches!(ending, Ending::NotBegun(_)) {
            return Ok(Status::Failed);
        }
        let now = self.session.now(self.request).await?;
        let other = now.digest.as_ref() != Some(&self.goal.digest) && now.live.desired > 0;
        Ok(if other { Status::RolledBack } else { Status::Failed })
    }

    async fn deployed(&self, ending: Option<Ending>, status: Status) -> Result<Deployed, RolloutError> {
        Ok(Deployed {
            image: self.goal.image.clone(),
            digest: self.goal.digest.clone(),
            tag: self.tag.clone(),
            was: self.was.clone(),
            deployment: self.deployment.clone(),
            ending,
            status,
            serves: self.serves().await?,
        })
    }

    /// The images of which tasks run.
    async fn serves(&self) -> Result<Vec<Serves>, RolloutError> {
        let aws = &self.session.aws;
        let Some(live) = ecs::look(aws, self.request.service).await? else { return Ok(Vec::new()) };
        let mut serves = BTreeMap::<String, i32>::new();
        for (arn, tasks) in live.serving {
            let revision = rolled::revision(aws, &arn).await?;
            let image = revision.as_ref().and_then(Revision::image);
            let image = image.map_or(arn.clone(), |(address, version)| format!("{address}{version}"));
            *serves.entry(image).or_default() += tasks;
        }
        Ok(serves.into_iter().map(|(image, tasks)| Serves { image, tasks }).collect())
    }
}

fn seen(now: &Now) -> Seen {
    let live = &now.live;
    Seen {
        revision: live.revision.clone(),
        digest: now.digest.clone(),
        desired: live.desired,
        running: live.running,
        deployment: live.deployment.clone(),
        state: live.state,
    }
}
