//! Does what the machine says, for one service.

use std::collections::BTreeMap;
use std::time::Duration;

use aws_sdk_ecs::types::Service as SdkService;
use tokio::time::{Instant, sleep};
use wharf_shell::Invocation;

use crate::OnImagePush;
use crate::aws::{CallError, answered};
use crate::ecr::Repository;
use crate::ecs::{self, Ecs, NO_ROOM};
use crate::machine::{Command, Me, NotRun, Outcome, Read, Signal, State, Trigger, Waited};
use crate::one_off::OneOff;
use crate::record::{PUSH_LEASE, Record};
use crate::revision::Revision;
use crate::scaling;
use crate::settings::Service;

/// So much of an invocation's time is left over: Lambda ends what is late without a word.
pub(crate) const RESERVE: Duration = Duration::from_secs(3);
/// A call that takes longer is given up. Shorter than the lease, so that none is begun that outlasts it.
const CALL: Duration = Duration::from_secs(6);
/// How often a record that another holds is looked at.
const POLL: Duration = Duration::from_millis(500);
/// Who looks, for people.
const WHO: &str = "on-image-push";

/// Why a look broke off.
#[derive(Debug, thiserror::Error)]
enum Broken {
    #[error(transparent)]
    Call(#[from] CallError),
    #[error("{0} took too long")]
    Slow(&'static str),
    #[error("the service's record was held too long to be sure of it")]
    Stale,
}

/// A look at a service.
pub(crate) struct Look<'a> {
    function: &'a OnImagePush,
    service: &'a Service,
    repository: String,
    /// The digest that was pushed, and what was found of it.
    pushed: Option<String>,
    no_image: Option<Option<String>>,
    /// What was read last.
    record: Option<Record>,
    sdk: Option<SdkService>,
    revisions: BTreeMap<String, Revision>,
    /// When the record that this look holds was written.
    held: Option<Instant>,
}

impl<'a> Look<'a> {
    /// Looks after a service, for as long as the invocation has time.
    pub(crate) async fn run(
        function: &'a OnImagePush,
        service: &'a Service,
        trigger: Trigger,
        invocation: &Invocation,
    ) -> Outcome {
        let pushed = if let Trigger::Push(push) = &trigger { Some(push.digest.clone()) } else { None };
        let repository = function.settings.repository(service);
        let mut look = Self {
            function,
            service,
            repository,
            pushed,
            no_image: None,
            record: None,
            sdk: None,
            revisions: BTreeMap::new(),
            held: None,
        };
        let left = invocation.remaining().saturating_sub(RESERVE);
        match tokio::time::timeout(left, look.until_stopped(trigger, invocation)).await {
            Ok(outcome) => outcome,
            Err(_) => Outcome::Failed("the time was up".to_owned()),
        }
    }

    async fn until_stopped(&mut self, trigger: Trigger, invocation: &Invocation) -> Outcome {
        let me = Me { run: format!("{}/{}", invocation.request_id, self.function.next()), who: WHO.to_owned() };
        let (mut state, mut command) = State::new(self.function.settings.goal(self.service), me, trigger);
        loop {
            if let Command::Stop(outcome) = command {
                return outcome;
            }
            let signal = match self.perform(command, invocation).await {
                Ok(signal) => signal,
                Err(broken) => return Outcome::Failed(broken.to_string()),
            };
            (state, command) = match state.step(signal, invocation.now()) {
                Ok(next) => next,
                Err(illegal) => return Outcome::Failed(illegal.to_string()),
            };
        }
    }

    async fn perform(&mut self, command: Command, invocation: &Invocation) -> Result<Signal, Broken> {
        let ecs = self.ecs();
        Ok(match command {
            Command::Read => Signal::Read(Box::new(self.read().await?)),
            Command::Wait { version, lease } => Signal::Waited(self.wait(version, lease, invocation).await?),
            Command::Describe(arn) => Signal::Described(self.revision(&arn).await?.as_ref().and_then(ecs::base)),
            Command::Write(record) => Signal::Written(self.write(&record).await?),
            Command::Find { like, image, since } => Signal::Found(match self.revision(&like).await? {
                Some(like) => within("ecs:ListServiceDeployments", ecs.find(&like.with_image(&image), since)).await??,
                None => crate::machine::Found::default(),
            }),
            Command::Make { like, image } => self.make(&like, &image).await?,
            Command::Run { revision, token } => Signal::Ran(self.run_task(&revision, &token).await?),
            Command::Tell(change) => {
                self.fresh()?;
                let told = within("ecs:UpdateService", ecs.tell(&change, self.sdk.as_ref()));
                Signal::Told(answered(told.await?)?)
            }
            Command::Task(arn) => Signal::Progress(within("ecs:DescribeTasks", ecs.progress(&arn)).await??),
            Command::Halt(arn) => {
                within("ecs:StopTask", ecs.stop(&arn)).await??;
                Signal::Halted
            }
            Command::Trace(arn) => Signal::Traced(within("ecs:DescribeServiceDeployments", ecs.trace(&arn)).await??),
            Command::Explain { deployment, why } => Signal::Explained(match &self.sdk {
                Some(service) => ecs.explain(service, &deployment, &why).await,
                None => why,
            }),
            Command::Raise(least) => self.raise(least).await?,
            Command::Newest => Signal::Newest(self.newest().await?),
            Command::Publish(notices) => Signal::Published(self.function.publish(&notices).await),
            Command::Stop(_) => return Err(Broken::Stale),
        })
    }

    fn ecs(&self) -> Ecs<'a> {
        let OnImagePush { clients, settings, .. } = self.function;
        let Service { service, periodic, .. } = self.service;
        Ecs { ecs: &clients.ecs, logs: &clients.logs, cluster: &settings.cluster, service, periodic: *periodic }
    }

    /// Record, service and image at once: three calls, one way there and back.
    async fn read(&mut self) -> Result<Read, Broken> {
        let function = self.function;
        let ecs = self.ecs();
        let (record, service, no_image) = tokio::join!(
            within("dynamodb:GetItem", function.ledger.read(&self.service.service)),
            within("ecs:DescribeServices", ecs.look()),
            self.judged(),
        );
        (self.record, self.sdk) = (record??, service??);
        let no_image = no_image?;
        self.no_image = Some(no_image.clone());
        Ok(Read { record: self.record.clone(), seen: self.sdk.as_ref().map(ecs::seen), no_image })
    }

    /// Why what was pushed is no image, if it is none. Asked once.
    async fn judged(&self) -> Result<Option<String>, Broken> {
        match (&self.no_image, &self.pushed) {
            (Some(known), _) => Ok(known.clone()),
            (None, Some(digest)) => Ok(within("ecr:BatchGetImage", self.images().no_image(digest)).await??),
            (None, None) => Ok(None),
        }
    }

    fn images(&self) -> Repository<'_> {
        Repository { ecr: &self.function.clients.ecr, name: &self.repository }
    }

    /// What AWS refuses is no reason against a rollout that has come through: an apply finds the bound as it is.
    async fn raise(&self, least: i32) -> Result<Signal, Broken> {
        let OnImagePush { clients, settings, .. } = self.function;
        let raise = scaling::raise(&clients.scaling, &settings.cluster, &self.service.service, least);
        if let Err(why) = answered(within("application-autoscaling:RegisterScalableTarget", raise).await?)? {
            tracing::warn!(reason = why, service = self.service.service, "scaling did not get its lower bound");
        }
        Ok(Signal::Raised)
    }

    async fn newest(&self) -> Result<Option<crate::record::Push>, Broken> {
        let known = |digest: &str| {
            self.record.as_ref().is_some_and(|record| record.all().any(|rollout| rollout.digest == digest))
        };
        Ok(self.images().newest(&self.service.tags, known).await?)
    }

    /// A revision never changes, so it is read once.
    async fn revision(&mut self, arn: &str) -> Result<Option<Revision>, Broken> {
        if let Some(known) = self.revisions.get(arn) {
            return Ok(Some(known.clone()));
        }
        let revision = within("ecs:DescribeTaskDefinition", self.ecs().revision(arn)).await??;
        self.revisions.extend(revision.iter().map(|revision| (arn.to_owned(), revision.clone())));
        Ok(revision)
    }

    async fn make(&mut self, like: &str, image: &str) -> Result<Signal, Broken> {
        self.fresh()?;
        let Some(like) = self.revision(like).await? else {
            return Ok(Signal::Made(Err(format!("the revision {like} is gone")), None));
        };
        let (wanted, ecs) = (like.with_image(image), self.ecs());
        let register = within("ecs:RegisterTaskDefinition", ecs.register(&wanted));
        let (made, service) = tokio::join!(register, within("ecs:DescribeServices", ecs.look()));
        self.sdk = service??;
        let seen = self.sdk.as_ref().map(ecs::seen);
        Ok(Signal::Made(answered(made?)?, seen))
    }

    async fn run_task(&mut self, revision: &str, token: &str) -> Result<Result<String, NotRun>, Broken> {
        if let Some(other) = within("ecs:ListTasks", self.ecs().run_by_hand(revision)).await?? {
            return Ok(Err(NotRun::NotAlone(other)));
        }
        self.fresh()?;
        let known = self.revision(revision).await?;
        let container = known.as_ref().and_then(Revision::container).unwrap_or_default();
        let Some(service) = &self.sdk else { return Ok(Err(NotRun::Refused("the service is gone".to_owned()))) };
        let task = OneOff {
            cluster: &self.function.settings.cluster,
            service,
            revision,
            container,
            command: &self.service.before_deploy,
            started_by: token,
            token,
        };
        match within("ecs:RunTask", self.ecs().run(&task)).await? {
            Err(error) if error.is(NO_ROOM) => Ok(Err(NotRun::NoRoom(error.text))),
            ran => Ok(answered(ran)?.map_err(NotRun::Refused)),
        }
    }

    async fn write(&mut self, record: &Record) -> Result<bool, Broken> {
        self.fresh()?;
        let begun = Instant::now();
        let written = within("dynamodb:PutItem", self.function.ledger.write(record)).await??;
        self.held = record.holder.as_ref().filter(|_| written).map(|_| begun);
        Ok(written)
    }

    /// A call that is begun now has ended before anybody can take this look for dead.
    fn fresh(&self) -> Result<(), Broken> {
        let late = self.held.is_some_and(|held| held.elapsed() + CALL > PUSH_LEASE);
        if late { Err(Broken::Stale) } else { Ok(()) }
    }

    /// Waits until the record moves, or has not moved for a lease by this process's own clock: nobody's time of day is
    /// compared with anybody else's.
    async fn wait(&self, version: u64, lease: Duration, invocation: &Invocation) -> Result<Waited, Broken> {
        let service = &self.service.service;
        loop {
            let still = self.function.still(service, version);
            if still >= lease {
                return Ok(Waited::Dead);
            }
            let pause = POLL.min(lease - still);
            if invocation.remaining() < RESERVE + CALL + pause {
                return Ok(Waited::OutOfTime);
            }
            sleep(pause).await;
            let now = within("dynamodb:GetItem", self.function.ledger.read(service)).await??;
            if now.map(|now| now.version) != Some(version) {
                return Ok(Waited::Moved);
            }
        }
    }
}

/// A call, for no longer than a call may take.
async fn within<T>(action: &'static str, call: impl Future<Output = T>) -> Result<T, Broken> {
    tokio::time::timeout(CALL, call).await.map_err(|_| Broken::Slow(action))
}
