//! The account itself, and the context in which a handler works on it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value;

use crate::authorise::{Grant, Policy};
use crate::clock::later;
use crate::error::{ApiError, refuse};
use crate::input::Input;
use crate::principal::Principal;
use crate::record::{CallRecord, Exchange};
use crate::rng::{Rng, rank};
use crate::services::iam;
use crate::store::{Resource, Store, Tags, Timer, Token};
use crate::weather::{Bucket, Weather};

/// One AWS account in one region.
#[derive(Clone, Debug)]
pub(crate) struct Account {
    pub(crate) id: String,
    pub(crate) region: String,
    pub(crate) seed: u64,
    pub(crate) rng: Rng,
    pub(crate) store: Store,
    pub(crate) weather: Weather,
    pub(crate) policy: Option<Policy>,
    pub(crate) buckets: BTreeMap<&'static str, (f64, Timestamp)>,
    pub(crate) calls: u64,
    pub(crate) log: Vec<CallRecord>,
    pub(crate) recording: Option<Vec<Exchange>>,
    /// Quotas that are not what a new account has, by name.
    pub(crate) quotas: BTreeMap<&'static str, i64>,
    /// The version of the store that alarms and pollers have seen.
    pub(crate) watched: u64,
    /// The functions whose code somebody runs, see [`crate::lambda`].
    pub(crate) hosted: BTreeSet<String>,
}

impl Account {
    pub(crate) fn new(id: String, region: String, seed: u64, weather: Weather) -> Self {
        Self {
            id,
            region,
            seed,
            rng: Rng::new(seed),
            store: Store::default(),
            weather,
            policy: None,
            buckets: BTreeMap::new(),
            calls: 0,
            log: Vec::new(),
            recording: None,
            quotas: BTreeMap::new(),
            watched: 0,
            hosted: BTreeSet::new(),
        }
    }

    /// The caller that a request is taken to come from unless its access key stands for a role.
    pub(crate) fn caller(&self) -> String {
        format!("arn:aws:iam::{}:user/deployer", self.id)
    }

    /// Takes a token from the bucket; false when it is empty.
    pub(crate) fn take(&mut self, bucket: Bucket, now: Timestamp) -> bool {
        let (level, since) = self.buckets.get(bucket.name).copied().unwrap_or((bucket.burst, now));
        let level = (level + now.duration_since(since).as_secs_f64() * bucket.rate).min(bucket.burst);
        let enough = level >= 1.0;
        self.buckets.insert(bucket.name, (if enough { level - 1.0 } else { level }, now));
        enough
    }
}

/// A quota that Service Quotas can change, for the whole account and region.
/// <https://docs.aws.amazon.com/servicequotas/latest/userguide/intro.html>
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Quota {
    /// How many Elastic IP addresses there may be.
    /// <https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/elastic-ip-addresses-eip.html#using-instance-addressing-limit>
    ElasticIps,
    /// How many invocations of functions may run at once. An account that nobody has used yet may have far fewer.
    /// <https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html>
    ConcurrentExecutions,
}

impl Quota {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::ElasticIps => "elastic-ips",
            Self::ConcurrentExecutions => "concurrent-executions",
        }
    }

    fn usual(self) -> i64 {
        match self {
            Self::ElasticIps => 5,
            Self::ConcurrentExecutions => 1000,
        }
    }
}

/// What a handler and a timer work with: the account at one moment.
pub(crate) struct Ctx<'a> {
    pub(crate) account: &'a mut Account,
    pub(crate) now: Timestamp,
    pub(crate) granted: Vec<(String, String)>,
    pub(crate) denied_as: fn(&str, &str, &str) -> ApiError,
    pub(crate) principal: Principal,
}

impl Ctx<'_> {
    /// The ARN of who makes the call.
    pub(crate) fn caller(&self) -> String {
        self.principal.arn(self.account)
    }

    /// A quota of the account: what it was set to, or what a new account has.
    pub(crate) fn quota(&self, quota: Quota) -> i64 {
        self.account.quotas.get(quota.name()).copied().unwrap_or(quota.usual())
    }

    /// An object as it is. For rules and for objects found through others.
    pub(crate) fn get(&self, kind: &'static str, id: &str) -> Option<Arc<Resource>> {
        self.account.store.get(kind, id)
    }

    /// All objects of a kind as they are.
    pub(crate) fn all(&self, kind: &'static str) -> Vec<Arc<Resource>> {
        self.account.store.all(kind).cloned().collect()
    }

    /// All objects of a kind that satisfy a test, as they are.
    pub(crate) fn those(&self, kind: &'static str, test: impl Fn(&Resource) -> bool) -> Vec<Arc<Resource>> {
        self.account.store.all(kind).filter(|r| test(r)).cloned().collect()
    }

    /// All objects of a kind as readers see them now (perhaps stale), in the order in which AWS happens to list them.
    pub(crate) fn visible(&self, kind: &'static str) -> Vec<Arc<Resource>> {
        let mut seen = self.account.store.seen_all(kind, self.now);
        seen.sort_by_cached_key(|r| (rank(self.account.seed, &r.id), r.id.clone()));
        seen
    }

    /// An object as readers see it now (perhaps stale).
    pub(crate) fn visible_one(&self, kind: &'static str, id: &str) -> Option<Arc<Resource>> {
        self.account.store.seen(kind, id, self.now)
    }

    /// An object that a write refers to: as it is, but absent as long as its creation has not been seen everywhere.
    pub(crate) fn usable(&self, kind: &'static str, id: &str) -> Option<Arc<Resource>> {
        self.account.store.seen(kind, id, self.now)?;
        self.get(kind, id)
    }

    /// Puts a new object into the account.
    pub(crate) fn insert(&mut self, resource: Resource) {
        let (kind, id) = (resource.kind, resource.id.clone());
        self.put(kind, &id, Some(resource));
    }

    /// Changes an object; nothing happens when it is not there.
    pub(crate) fn update(&mut self, kind: &'static str, id: &str, change: impl FnOnce(&mut Resource)) {
        if let Some(current) = self.get(kind, id) {
            let mut changed = Resource::clone(&current);
            change(&mut changed);
            self.put(kind, id, Some(changed));
        }
    }

    /// Removes an object.
    pub(crate) fn remove(&mut self, kind: &'static str, id: &str) {
        self.put(kind, id, None);
    }

    fn put(&mut self, kind: &'static str, id: &str, new: Option<Resource>) {
        let lag = self.account.weather.lag(kind, &mut self.account.rng);
        self.account.store.put(kind, id, new, self.now, lag);
    }

    /// A new object made now, without tags.
    pub(crate) fn resource(&self, kind: &'static str, id: impl Into<String>, attrs: Value) -> Resource {
        let attrs = match attrs {
            Value::Object(map) => map,
            _ => serde_json::Map::new(),
        };
        Resource { kind, id: id.into(), attrs, tags: Tags::new(), aws_made: false, created: self.now }
    }

    /// A fresh identifier such as `vpc-0a1b2c3d4e5f60718`.
    pub(crate) fn new_id(&mut self, prefix: &str) -> String {
        format!("{prefix}-0{}", self.account.rng.hex(16))
    }

    /// An ARN in this account and region.
    pub(crate) fn arn(&self, service: &str, resource: impl AsRef<str>) -> String {
        format!("arn:aws:{service}:{}:{}:{}", self.account.region, self.account.id, resource.as_ref())
    }

    /// Lets `event` happen to an object after about `typical` (spread ±30 %); the service's `on_timer` gets it.
    pub(crate) fn after(&mut self, typical: Duration, kind: &'static str, id: &str, event: &'static str) {
        let takes = self.account.rng.spread(typical).mul_f64(self.account.weather.pace);
        let due = later(self.now, takes);
        self.account.store.schedule(due, Timer { kind, id: id.to_owned(), event });
    }

    /// Demands that the caller may do this, before anything is done. Every write calls it, once per resource
    /// and dependent action.
    pub(crate) fn authorise(&mut self, grant: Grant) -> Result<(), ApiError> {
        let grant = grant
            .key("aws:RequestedRegion", self.account.region.clone())
            .key("aws:PrincipalAccount", self.account.id.clone());
        let allowed = match &self.principal {
            Principal::Deployer => self.account.policy.as_ref().is_none_or(|policy| policy.allows(&grant)),
            Principal::Session { role, id, .. } => match self.visible_one("iam.role", role) {
                Some(role) if role.text("RoleId") == id => iam::role_allows(&role, &grant)?,
                _ => false,
            },
        };
        if !allowed {
            return Err((self.denied_as)(&self.caller(), &grant.action, &grant.resource));
        }
        self.granted.push((grant.action, grant.resource));
        Ok(())
    }

    /// What a client token was used for before: the id made then. The same token with other parameters is refused.
    pub(crate) fn token(
        &self,
        operation: &str,
        token: Option<&str>,
        input: &Input,
    ) -> Result<Option<String>, ApiError> {
        let Some(token) = token else { return Ok(None) };
        match self.account.store.token(operation, token) {
            None => Ok(None),
            Some(known) if known.parameters == input.without(&["ClientToken", "DryRun"]) => {
                // It was judged when it was first used.
                let _ = input.raw();
                Ok(Some(known.id.clone()))
            }
            Some(_) => Err(refuse(
                "IdempotentParameterMismatch",
                format!("The client token {token} was used before with other parameters"),
            )),
        }
    }

    /// Remembers what a client token was used for.
    pub(crate) fn remember(&mut self, operation: &str, token: Option<&str>, input: &Input, id: &str) {
        if let Some(token) = token {
            let known = Token { parameters: input.without(&["ClientToken", "DryRun"]), id: id.to_owned() };
            self.account.store.use_token(operation, token, known);
        }
    }
}
