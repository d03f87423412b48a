//! The handle on an account: making one, forking it, looking into it and reaching into it from behind.

use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Map, Value};
use tokio::sync::Notify;

use crate::account::{Account, Quota};
use crate::authorise::Policy;
use crate::client::SandboxHttpClient;
use crate::clock::{Clock, Pace, SimClock, later};
use crate::dispatch::{Delivery, Reply, Waiting};
use crate::error::SandboxError;
use crate::record::{self, CallRecord, Exchange};
use crate::services::autoscaling;
use crate::services::deliver::{self, Undelivered};
use crate::services::ecs::{self, Behaviour};
use crate::services::events::{self, Emitted};
use crate::services::monitoring;
use crate::services::route53;
use crate::services::sns::{self, Published};
use crate::services::sqs;
use crate::store::{Resource, Tags};
use crate::weather::{CallInfo, Fate, Hooked, Weather};
use crate::wire::Request;

/// The account id that a sandbox has unless told otherwise.
pub const ACCOUNT: &str = "123456789012";
/// The region that a sandbox is in unless told otherwise.
pub const REGION: &str = "us-east-1";

/// An AWS account in memory. A clone is another handle on the same account; [`Sandbox::fork`] makes another account.
#[derive(Clone, Debug)]
pub struct Sandbox {
    account: Arc<Mutex<Account>>,
    clock: Arc<dyn Clock>,
    hook: Arc<Mutex<Option<Hooked>>>,
    news: Arc<News>,
}

/// Who is told that something happened in the account.
#[derive(Debug, Default)]
pub(crate) struct News {
    /// The one who runs the account's functions.
    pub(crate) host: Notify,
    /// Those who wait for an invocation to be over.
    pub(crate) callers: Notify,
}

/// What a new account is to be like.
#[derive(Debug)]
pub struct Builder {
    seed: u64,
    account: String,
    region: String,
    weather: Weather,
    clock: Option<Arc<dyn Clock>>,
    zones: Vec<String>,
}

impl Builder {
    /// The seed of everything that is left to chance. The same seed and calls give the same world.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// The account's id.
    #[must_use]
    pub fn account(mut self, id: impl Into<String>) -> Self {
        self.account = id.into();
        self
    }

    /// The account's only region.
    #[must_use]
    pub fn region(mut self, region: impl Into<String>) -> Self {
        self.region = region.into();
        self
    }

    /// How AWS behaves; [`Weather::typical`] unless told otherwise.
    #[must_use]
    pub fn weather(mut self, weather: Weather) -> Self {
        self.weather = weather;
        self
    }

    /// The account's clock; a [`SimClock`] that starts on 5 January 2026 at 09:00 UTC unless told otherwise.
    #[must_use]
    pub fn clock(mut self, clock: impl Clock + 'static) -> Self {
        self.clock = Some(Arc::new(clock));
        self
    }

    /// A public hosted zone of this name that the account has beforehand, and that the world asks.
    #[must_use]
    pub fn zone(mut self, domain: impl Into<String>) -> Self {
        self.zones.push(domain.into());
        self
    }

    /// The account, empty but for what AWS puts into a new one and what was asked for.
    pub fn build(self) -> Sandbox {
        let clock = self.clock.unwrap_or_else(|| Arc::new(SimClock::new(first_day())));
        let account = Account::new(self.account, self.region, self.seed, self.weather);
        let sandbox =
            Sandbox { account: Arc::new(Mutex::new(account)), clock, hook: Arc::default(), news: Arc::default() };
        for zone in self.zones {
            sandbox.with(|ctx| route53::exists_beforehand(ctx, &zone));
        }
        sandbox
    }
}

fn first_day() -> Timestamp {
    Timestamp::from_second(1_767_603_600).unwrap_or(Timestamp::UNIX_EPOCH)
}

impl Sandbox {
    /// An account with typical weather. Under tokio's paused time its clock is virtual.
    pub fn new(seed: u64) -> Self {
        Self::builder().seed(seed).build()
    }

    /// Says what an account is to be like.
    pub fn builder() -> Builder {
        Builder {
            seed: 0,
            account: ACCOUNT.to_owned(),
            region: REGION.to_owned(),
            weather: Weather::typical(),
            clock: None,
            zones: Vec::new(),
        }
    }

    /// Another account in the same state, at the same moment, that goes its own way from here. Its call log,
    /// counter and recording are empty; hooks stay behind; weather and policy come along.
    #[must_use]
    pub fn fork(&self) -> Self {
        let mut account = self.lock().clone();
        account.calls = 0;
        account.log.clear();
        account.recording = None;
        account.hosted.clear();
        let clock = Arc::clone(&self.clock);
        Self { account: Arc::new(Mutex::new(account)), clock, hook: Arc::default(), news: Arc::default() }
    }

    /// [`Sandbox::fork`] under another clock: for a world that goes on in another runtime, whose time is another.
    #[must_use]
    pub fn fork_with_clock(&self, clock: impl Clock + 'static) -> Self {
        Self { clock: Arc::new(clock), ..self.fork() }
    }

    /// The HTTP client to give to an AWS SDK client or configuration: its calls come here.
    pub fn http_client(&self) -> SandboxHttpClient {
        SandboxHttpClient::new(self.clone())
    }

    /// The account's present moment.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// The account's clock.
    pub fn clock(&self) -> Arc<dyn Clock> {
        Arc::clone(&self.clock)
    }

    /// Changes the weather.
    pub fn set_weather(&self, weather: Weather) {
        self.lock().weather = weather;
    }

    /// Limits what callers may do; `None` lifts the limit.
    pub fn set_policy(&self, policy: Option<Policy>) {
        self.lock().policy = policy;
    }

    /// Sets a quota, as Service Quotas does.
    pub fn set_quota(&self, quota: Quota, value: i64) {
        self.lock().quotas.insert(quota.name(), value);
    }

    /// Asks `hook` about every call from now on, before anything happens. The hook may use this handle.
    pub fn on_call(&self, hook: impl Fn(&CallInfo) -> Fate + Send + Sync + 'static) {
        *self.hook.lock().unwrap_or_else(PoisonError::into_inner) = Some(Hooked(Arc::new(hook)));
    }

    /// Asks no hook any more.
    pub fn clear_hook(&self) {
        *self.hook.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// How many calls there have been.
    pub fn calls(&self) -> u64 {
        self.lock().calls
    }

    /// All calls so far, with what they were authorised for and how they ended.
    pub fn call_log(&self) -> Vec<CallRecord> {
        self.lock().log.clone()
    }

    /// Every object, as it really is (not stale), ordered by kind and id.
    pub fn resources(&self) -> Vec<Resource> {
        self.settled().store.everything().map(|r| Resource::clone(r)).collect()
    }

    /// Every object of a kind, as it really is, ordered by id.
    pub fn of_kind(&self, kind: &str) -> Vec<Resource> {
        self.settled().store.everything().filter(|r| r.kind == kind).map(|r| Resource::clone(r)).collect()
    }

    /// One object, as it really is.
    pub fn resource(&self, kind: &str, id: &str) -> Option<Resource> {
        self.settled().store.everything().find(|r| r.kind == kind && r.id == id).map(|r| Resource::clone(r))
    }

    /// Everything in the account that was not there at the start, whoever made it: an account is empty when
    /// this is, not when somebody's own list is. What AWS only remembers as deleted does not count.
    pub fn inventory(&self) -> Vec<Resource> {
        self.resources().into_iter().filter(|r| !r.flag("_initial") && !r.flag("_gone")).collect()
    }

    /// Changes an object behind everyone's back, at once visible to all.
    ///
    /// # Errors
    /// There is no such object.
    pub fn edit(
        &self,
        kind: &str,
        id: &str,
        change: impl FnOnce(&mut Map<String, Value>, &mut Tags),
    ) -> Result<(), SandboxError> {
        let mut account = self.settled();
        let mut resource = found(&account, kind, id)?;
        change(&mut resource.attrs, &mut resource.tags);
        account.store.put_at_once(resource.kind, id, Some(resource));
        account.watch(self.clock.now());
        drop(account);
        // Whoever says how many instances a group is to have: it gets them.
        if kind == "autoscaling.group" {
            self.with_quietly(|ctx| autoscaling::look_after(ctx, id, Duration::from_secs(3)));
        }
        self.tell();
        Ok(())
    }

    /// Puts an object there behind everyone's back: what others make, and no call that is simulated does.
    pub fn plant(&self, resource: Resource) {
        let mut account = self.settled();
        let (kind, id) = (resource.kind, resource.id.clone());
        account.store.put_at_once(kind, &id, Some(resource));
    }

    /// Takes an object away behind everyone's back, without any of AWS's rules.
    ///
    /// # Errors
    /// There is no such object.
    pub fn remove(&self, kind: &str, id: &str) -> Result<(), SandboxError> {
        let mut account = self.settled();
        let resource = found(&account, kind, id)?;
        account.store.put_at_once(resource.kind, id, None);
        account.watch(self.clock.now());
        drop(account);
        self.tell();
        Ok(())
    }

    /// A value of a metric at this moment, as one of AWS's services or an application would publish it.
    pub fn metric(&self, namespace: &str, name: &str, dimensions: &[(&str, &str)], value: f64) {
        self.with(|ctx| monitoring::publish_now(ctx, namespace, name, dimensions, value));
    }

    /// An event of one of AWS's services, as it would put it on the default bus now: what happened, and the ARNs that it
    /// is about. For services that are not simulated, such as GuardDuty or Health.
    pub fn put_event(&self, source: &str, detail_type: &str, detail: Value, resources: &[&str]) {
        self.with(|ctx| {
            let resources = resources.iter().map(|arn| (*arn).to_owned()).collect();
            let (source, kind) = (source.to_owned(), detail_type.to_owned());
            events::emit(ctx, Emitted { source, kind, resources, detail, time: ctx.now, certain: true });
        });
    }

    /// Everything that a rule, a topic or a schedule could not deliver, in the order in which it was sent.
    pub fn undelivered(&self) -> Vec<Undelivered> {
        deliver::undelivered(&self.settled().store)
    }

    /// Every message that was published to a topic, by whomever, in order.
    pub fn published(&self) -> Vec<Published> {
        sns::all_published(&self.settled().store)
    }

    /// Lets the world ask the hosted zones of this name, as their owner does at the registrar. A zone that is made
    /// later is asked by nobody until then. False when there is no such zone.
    pub fn delegate(&self, domain: &str) -> bool {
        self.with(|ctx| route53::delegate(ctx, domain))
    }

    /// The name servers that the world knows for a domain; none when nobody was told of its zone.
    pub fn name_servers(&self, domain: &str) -> Vec<String> {
        self.with(|ctx| route53::answers(ctx, domain, "NS")).unwrap_or_default()
    }

    /// Says what the containers of an image do from now on when they start: no code runs here. `image` is a digest, a
    /// tag, or the whole reference that a container definition has.
    pub fn image_behaviour(&self, image: &str, behaviour: &Behaviour) {
        self.with(|ctx| ecs::put_behaviour(ctx, image, behaviour));
    }

    /// When the next thing will happen by itself, if anything will.
    pub fn next_event(&self) -> Option<Timestamp> {
        self.settled().store.next_timer()
    }

    /// Keeps every request and response from now on.
    pub fn record(&self) {
        self.lock().recording = Some(Vec::new());
    }

    /// What was recorded so far.
    pub fn recording(&self) -> Vec<Exchange> {
        self.lock().recording.clone().unwrap_or_default()
    }

    /// Writes what was recorded so far as JSON lines.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn write_recording(&self, path: impl AsRef<Path>) -> Result<(), SandboxError> {
        Ok(record::write_lines(path.as_ref(), &self.recording())?)
    }

    /// One call, in the time that it takes.
    pub(crate) async fn answer(&self, request: &Request, pace: Pace) -> Delivery {
        if sqs::receives(request)
            && let Some(poll) = self.with(|ctx| sqs::long_poll(ctx, request))
        {
            self.wait_for_messages(&poll, pace).await;
        }
        let reply = self.call(request);
        self.tell();
        pace.pass(reply.latency).await;
        match reply.waits {
            Some(waiting) => self.arrival(&waiting).await,
            None => reply.delivery,
        }
    }

    /// The answer of a call that waits for a function to run.
    async fn arrival(&self, waiting: &Waiting) -> Delivery {
        loop {
            let mut news = std::pin::pin!(self.news.callers.notified());
            news.as_mut().enable();
            if let Some(response) = self.lock().arrived(waiting) {
                return Delivery::Answer(response);
            }
            news.await;
        }
    }

    /// Says that something happened.
    fn tell(&self) {
        self.news.host.notify_one();
        self.news.callers.notify_waiters();
    }

    /// What there is to be told.
    pub(crate) fn news(&self) -> Arc<News> {
        Arc::clone(&self.news)
    }

    /// Until there are some, or until the call that waits for them gives up.
    async fn wait_for_messages(&self, poll: &sqs::LongPoll, pace: Pace) {
        let until = later(self.clock.now(), Duration::from_secs(poll.seconds));
        while self.clock.now() < until && !self.with(|ctx| poll.is_over(ctx)) {
            pace.pass(self.clock.real(Duration::from_millis(100))).await;
        }
    }

    /// One call. The hook is asked without holding the account, so that it may fork or edit it.
    pub(crate) fn call(&self, request: &Request) -> Reply {
        let routed = self.lock().route(request);
        let mut reply = match routed {
            Err(response) => Reply { latency: Duration::ZERO, delivery: Delivery::Answer(response), waits: None },
            Ok(routed) => {
                let hook = self.hook.lock().unwrap_or_else(PoisonError::into_inner).clone();
                let fate = hook.map_or(Fate::Normal, |hook| (hook.0)(&routed.info));
                let now = self.clock.now();
                self.lock().perform(request, &routed, fate, now)
            }
        };
        reply.latency = self.clock.real(reply.latency);
        reply
    }

    /// Works on the account as a service does.
    pub(crate) fn with<T>(&self, work: impl FnOnce(&mut crate::account::Ctx<'_>) -> T) -> T {
        let done = self.with_quietly(work);
        self.tell();
        done
    }

    /// The same without telling anybody that something happened: for who is told.
    pub(crate) fn with_quietly<T>(&self, work: impl FnOnce(&mut crate::account::Ctx<'_>) -> T) -> T {
        let (mut account, now) = (self.settled(), self.clock.now());
        let denied_as = crate::services::access_denied;
        let principal = crate::principal::Principal::Deployer;
        let mut ctx = crate::account::Ctx { account: &mut account, now, granted: Vec::new(), denied_as, principal };
        let done = work(&mut ctx);
        account.watch(now);
        done
    }

    fn lock(&self) -> MutexGuard<'_, Account> {
        self.account.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts an object there without the call that would make it: for rules about objects of other services.
    #[cfg(test)]
    pub(crate) fn put(&self, kind: &'static str, id: &str, attrs: serde_json::Value) {
        let created = self.clock.now();
        let attrs = attrs.as_object().cloned().unwrap_or_default();
        let resource = Resource { kind, id: id.to_owned(), attrs, tags: Tags::new(), aws_made: false, created };
        self.settled().store.put_at_once(kind, id, Some(resource));
    }

    fn settled(&self) -> MutexGuard<'_, Account> {
        let now = self.clock.now();
        let mut account = self.lock();
        account.settle(now);
        account
    }
}

fn found(account: &Account, kind: &str, id: &str) -> Result<Resource, SandboxError> {
    let resource = account.store.everything().find(|r| r.kind == kind && r.id == id);
    resource
        .map(|r| Resource::clone(r))
        .ok_or_else(|| SandboxError::NoSuchResource { kind: kind.to_owned(), id: id.to_owned() })
}
