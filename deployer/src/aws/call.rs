//! One call of AWS: its rate, its refusals, its error with the action and the place.

use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use sha2::{Digest, Sha256};
use wharf_engine::{Class, Failure, Generation, LogicalId};

use super::classes;
use super::lambda::package::Packages;
use super::limits::Buckets;
use super::route53::delegation::Names;
use super::shared_reads::SharedReads;
use super::tag_index::TagIndex;

/// What a stack's resources are looked for in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scope {
    /// The stack's name.
    pub stack: String,
    /// The region.
    pub region: String,
    /// The account's twelve digits.
    pub account: String,
    /// `aws`, `aws-cn` or `aws-us-gov`.
    pub partition: String,
}

/// One SDK client for each service.
#[derive(Clone, Debug)]
pub struct Clients {
    /// Certificate Manager.
    pub acm: aws_sdk_acm::Client,
    /// Elastic Load Balancing, version 2.
    pub elb: aws_sdk_elasticloadbalancingv2::Client,
    /// Route 53.
    pub route53: aws_sdk_route53::Client,
    /// EC2 and VPC.
    pub ec2: aws_sdk_ec2::Client,
    /// RDS.
    pub rds: aws_sdk_rds::Client,
    /// ECR.
    pub ecr: aws_sdk_ecr::Client,
    /// IAM.
    pub iam: aws_sdk_iam::Client,
    /// KMS.
    pub kms: aws_sdk_kms::Client,
    /// SSM Parameter Store.
    pub ssm: aws_sdk_ssm::Client,
    /// EC2 Auto Scaling.
    pub autoscaling: aws_sdk_autoscaling::Client,
    /// CloudWatch Logs.
    pub logs: aws_sdk_cloudwatchlogs::Client,
    /// DynamoDB.
    pub dynamodb: aws_sdk_dynamodb::Client,
    /// CloudWatch.
    pub cloudwatch: aws_sdk_cloudwatch::Client,
    /// SNS.
    pub sns: aws_sdk_sns::Client,
    /// Data Lifecycle Manager.
    pub dlm: aws_sdk_dlm::Client,
    /// The tagging API.
    pub tagging: aws_sdk_resourcegroupstagging::Client,
    /// STS.
    pub sts: aws_sdk_sts::Client,
    /// ECS.
    pub ecs: aws_sdk_ecs::Client,
    /// Cloud Map.
    pub servicediscovery: aws_sdk_servicediscovery::Client,
    /// Application Auto Scaling.
    pub applicationautoscaling: aws_sdk_applicationautoscaling::Client,
    /// EventBridge Scheduler.
    pub scheduler: aws_sdk_scheduler::Client,
    /// EventBridge.
    pub events: aws_sdk_eventbridge::Client,
    /// Lambda.
    pub lambda: aws_sdk_lambda::Client,
    /// SQS.
    pub sqs: aws_sdk_sqs::Client,
}

/// What happened to a call, for whoever watches.
#[derive(Clone, Debug)]
pub enum CallEvent {
    /// It was answered, well or with an error code.
    Answered {
        /// The action, such as `ec2:CreateVpc`.
        action: &'static str,
        /// From sending to the answer.
        took: Duration,
        /// The error code.
        error: Option<String>,
    },
    /// It is sent again.
    Retried {
        /// The action.
        action: &'static str,
        /// Why.
        code: String,
        /// After this wait.
        after: Duration,
    },
}

/// Who watches calls.
pub type Observer = Arc<dyn Fn(&CallEvent) + Send + Sync>;

/// The right to write: while another may have taken the stack's lock, no call that writes is started.
pub trait Lease: Send + Sync {
    /// # Errors
    /// The reason why this process must not write any more.
    fn check(&self) -> Result<(), String>;
}

/// AWS as one run sees it.
#[derive(Clone)]
pub struct Aws {
    /// Stack, region and account.
    pub scope: Arc<Scope>,
    clients: Arc<Clients>,
    buckets: Arc<Buckets>,
    observer: Observer,
    lease: Option<Arc<dyn Lease>>,
    run: Arc<str>,
    final_snapshots: bool,
    tag_index: Option<Arc<TagIndex>>,
    shared_reads: Option<Arc<SharedReads>>,
    just_made: bool,
    notes: Arc<Mutex<BTreeMap<LogicalId, String>>>,
    /// Since when something has been so.
    standing: Arc<Mutex<BTreeMap<String, tokio::time::Instant>>>,
    names: Option<Arc<dyn Names>>,
    packages: Arc<Packages>,
}

impl fmt::Debug for Aws {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Aws").field("scope", &self.scope).field("run", &self.run).finish_non_exhaustive()
    }
}

impl std::ops::Deref for Aws {
    type Target = Clients;

    fn deref(&self) -> &Clients {
        &self.clients
    }
}

/// A refused call is sent again after this, doubled each time up to ten seconds.
const FIRST_WAIT: Duration = Duration::from_millis(250);
const LONGEST_WAIT: Duration = Duration::from_secs(10);
/// After so many refusals the step hears of it.
const ATTEMPTS: u32 = 10;
/// What was made longer ago than this is seen by every call.
/// <https://docs.aws.amazon.com/ec2/latest/devguide/eventual-consistency.html>
const VISIBLE_WITHIN: Duration = Duration::from_secs(15);

impl Aws {
    /// AWS for the run of this id, without a lease: enough to read.
    #[must_use]
    pub fn new(scope: Scope, clients: Clients, run: &str, observer: Observer) -> Self {
        Self {
            scope: Arc::new(scope),
            clients: Arc::new(clients),
            buckets: Arc::default(),
            observer,
            lease: None,
            run: run.into(),
            final_snapshots: true,
            tag_index: None,
            shared_reads: None,
            just_made: false,
            notes: Arc::default(),
            standing: Arc::default(),
            names: None,
            packages: Arc::default(),
        }
    }

    /// The same, where each call that writes needs this lease.
    #[must_use]
    pub fn with_lease(&self, lease: Arc<dyn Lease>) -> Self {
        Self { lease: Some(lease), ..self.clone() }
    }

    /// The same, where these say who answers for a domain; without, nobody knows.
    #[must_use]
    pub fn with_names(&self, names: Option<Arc<dyn Names>>) -> Self {
        Self { names, ..self.clone() }
    }

    /// Who knows who answers for a domain.
    pub(crate) fn names(&self) -> Option<&dyn Names> {
        self.names.as_deref()
    }

    /// The same, where functions are made of this code.
    #[must_use]
    pub fn with_packages(&self, packages: Arc<Packages>) -> Self {
        Self { packages, ..self.clone() }
    }

    /// The code that functions are made of.
    pub(crate) fn packages(&self) -> &Packages {
        &self.packages
    }

    /// The same, where a database that is deleted leaves no final snapshot.
    #[must_use]
    pub fn without_final_snapshots(&self) -> Self {
        Self { final_snapshots: false, ..self.clone() }
    }

    /// The same for one sweep, in which tags are asked of the tagging API where that spares calls, and reads that several
    /// kinds need are made once.
    #[must_use]
    pub fn sweeping(&self) -> Self {
        Self { tag_index: Some(Arc::default()), shared_reads: Some(Arc::default()), ..self.clone() }
    }

    /// What the tagging API knows, within a sweep.
    pub(super) fn tag_index(&self) -> Option<&TagIndex> {
        self.tag_index.as_deref()
    }

    /// What several kinds have read, within a sweep.
    pub(super) fn shared_reads(&self) -> Option<&SharedReads> {
        self.shared_reads.as_deref()
    }

    /// Whether a database that is deleted leaves a final snapshot.
    #[must_use]
    pub fn final_snapshots(&self) -> bool {
        self.final_snapshots
    }

    /// The same for calls about what a call made a moment ago: that it is missing means that it is not visible yet, so
    /// such a call is sent again. To leave that to the next look would be to trust a look that is as early.
    #[must_use]
    pub fn about_new(&self) -> Self {
        Self { just_made: true, ..self.clone() }
    }

    /// Remembers what AWS called the last change of a resource (a deployment, an operation): where a resource looks
    /// well again after a change that failed, only this tells whether it did. Another run knows nothing of it.
    pub fn note(&self, id: &LogicalId, change: impl Into<String>) {
        let mut notes = self.notes.lock().unwrap_or_else(PoisonError::into_inner);
        notes.insert(id.clone(), change.into());
    }

    /// What this run's last change of the resource was called.
    #[must_use]
    pub fn noted(&self, id: &LogicalId) -> Option<String> {
        self.notes.lock().unwrap_or_else(PoisonError::into_inner).get(id).cloned()
    }

    /// Forgets it, once it has come to its end well.
    pub fn forget(&self, id: &LogicalId) {
        self.notes.lock().unwrap_or_else(PoisonError::into_inner).remove(id);
    }

    /// How long it has been so, since it was first said, without it having been otherwise in between: what one look
    /// shows may have passed by the next.
    pub(super) fn standing(&self, what: &str, is_so: bool) -> Option<Duration> {
        let mut standing = self.standing.lock().unwrap_or_else(PoisonError::into_inner);
        if !is_so {
            standing.remove(what);
            return None;
        }
        Some(standing.entry(what.to_owned()).or_insert_with(tokio::time::Instant::now).elapsed())
    }

    /// The id of the run.
    #[must_use]
    pub fn run(&self) -> &str {
        &self.run
    }

    /// The client token of a resource: the same for each attempt of this run, so that a repeated create makes no
    /// second one; another in the next run, because AWS remembers tokens of what was deleted since.
    #[must_use]
    pub fn client_token(&self, id: &LogicalId, generation: &Generation) -> String {
        let digest = Sha256::digest(format!("{}/{}/{id}/{generation}", self.run, self.scope.stack).as_bytes());
        digest.iter().take(16).map(|byte| format!("{byte:02x}")).collect()
    }

    /// Sends a call, again when AWS refuses it for its rate, and when a read's answer is lost. All else is the
    /// caller's to know: a write is never sent again from here once AWS may have acted on it.
    ///
    /// `action` is the IAM action, `on` what it is about, for the error's text.
    ///
    /// # Errors
    /// The call's error with its class.
    pub async fn call<T, E, F>(&self, action: &'static str, on: &str, send: impl Fn() -> F) -> Result<T, CallError>
    where
        F: Future<Output = Result<T, SdkError<E, HttpResponse>>>,
        E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
    {
        let reads = is_read(action.split_once(':').map_or("", |(_, operation)| operation));
        let mut wait = FIRST_WAIT;
        let asked = tokio::time::Instant::now();
        for attempt in 1.. {
            if let (false, Some(lease)) = (reads, &self.lease) {
                lease.check().map_err(|reason| CallError::lease_lost(action, reason))?;
            }
            self.buckets.take(action, reads).await;
            let begun = tokio::time::Instant::now();
            let error = match send().await {
                Ok(answer) => {
                    (self.observer)(&CallEvent::Answered { action, took: begun.elapsed(), error: None });
                    return Ok(answer);
                }
                Err(error) => CallError::from_sdk(action, on, &error),
            };
            let code = error.code.clone().unwrap_or_else(|| "no answer".to_owned());
            (self.observer)(&CallEvent::Answered { action, took: begun.elapsed(), error: Some(code.clone()) });
            let again = match error.class {
                Class::Throttled => true,
                Class::Ambiguous => reads,
                Class::Missing => self.just_made && asked.elapsed() < VISIBLE_WITHIN,
                _ => false,
            };
            if !again || attempt >= ATTEMPTS {
                return Err(error);
            }
            (self.observer)(&CallEvent::Retried { action, code, after: wait });
            tokio::time::sleep(wait).await;
            wait = (wait * 2).min(LONGEST_WAIT);
        }
        Err(CallError::ours("a call without attempts"))
    }

    /// Sends a call once for each page. `page` takes an answer apart into its items and the next page's token.
    ///
    /// # Errors
    /// As [`Aws::call`].
    pub async fn pages<T, E, F, I>(
        &self,
        action: &'static str,
        on: &str,
        send: impl Fn(Option<String>) -> F,
        page: impl Fn(T) -> (Vec<I>, Option<String>),
    ) -> Result<Vec<I>, CallError>
    where
        F: Future<Output = Result<T, SdkError<E, HttpResponse>>>,
        E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
    {
        let mut all = Vec::new();
        let mut token = None;
        loop {
            let answer = self.call(action, on, || send(token.clone())).await?;
            let (items, next) = page(answer);
            all.extend(items);
            match next.filter(|next| !next.is_empty()) {
                Some(next) => token = Some(next),
                None => return Ok(all),
            }
        }
    }
}

/// True for operations that change nothing.
fn is_read(operation: &str) -> bool {
    ["Describe", "List", "Get", "BatchGet", "Lookup", "Query", "Scan", "Filter"]
        .iter()
        .any(|verb| operation.starts_with(verb))
}

/// A call that did not succeed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct CallError {
    /// What to do next.
    pub class: Class,
    /// The IAM action; none when no call was made.
    pub action: Option<&'static str>,
    /// AWS's error code.
    pub code: Option<String>,
    /// What happened: action, what it was about, AWS's words.
    pub message: String,
    /// What the user can do.
    pub hint: Option<String>,
}

impl CallError {
    /// A fault of Wharf's own, such as an answer of AWS without a field that it always has.
    pub fn ours(message: impl fmt::Display) -> Self {
        Self { class: Class::Internal, action: None, code: None, message: message.to_string(), hint: None }
    }

    /// AWS's answer lacks a field that it always has.
    #[must_use]
    pub fn lacks(action: &'static str, field: &'static str) -> Self {
        Self { action: Some(action), ..Self::ours(format!("{action}: the answer lacks {field}")) }
    }

    /// Something that AWS would refuse, found before the call.
    pub fn invalid(message: impl fmt::Display, hint: impl Into<String>) -> Self {
        Self { class: Class::Invalid, hint: Some(hint.into()), ..Self::ours(message) }
    }

    /// The same where the resource was created a moment ago: that it is missing means that it is not visible yet.
    #[must_use]
    pub fn right_after_create(self) -> Self {
        match self.class {
            Class::Missing => Self { class: Class::NotYetVisible, ..self },
            _ => self,
        }
    }

    /// The error of one item, from a call that AWS answers with success and a list of what failed.
    #[must_use]
    pub fn of_item(action: &'static str, on: &str, code: Option<&str>, text: Option<&str>) -> Self {
        let (code, text) = (code.unwrap_or("Unknown"), text.unwrap_or("no message"));
        let class = classes::class(code, text, 400);
        let message = format!("{action} on {on}: {code}: {text}");
        Self { class, action: Some(action), code: Some(code.to_owned()), message, hint: None }
    }

    fn lease_lost(action: &'static str, reason: String) -> Self {
        Self {
            class: Class::Refused,
            action: Some(action),
            code: None,
            message: format!("{action} was not sent: {reason}"),
            hint: Some("see `wharf unlock` for who holds the stack now".to_owned()),
        }
    }

    fn from_sdk<E>(action: &'static str, on: &str, error: &SdkError<E, HttpResponse>) -> Self
    where
        E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
    {
        let about = if on.is_empty() { action.to_owned() } else { format!("{action} on {on}") };
        let Some(service) = error.as_service_error() else {
            return Self::unanswered(action, &about, error);
        };
        let status = error.raw_response().map_or(0, |response| response.status().as_u16());
        let code = service.code().unwrap_or("Unknown").to_owned();
        let text = service.message().unwrap_or("no message");
        let class = classes::class(&code, text, status);
        let hint = (class == Class::Refused)
            .then(|| format!("the credentials lack {action}: `wharf policy` prints all that a run needs"));
        Self { class, action: Some(action), message: format!("{about}: {code}: {text}"), code: Some(code), hint }
    }

    fn unanswered<E>(action: &'static str, about: &str, error: &SdkError<E, HttpResponse>) -> Self
    where
        E: std::error::Error + Send + Sync + 'static,
    {
        let cause = chain(error);
        let (class, hint) = match error {
            // Which of the two it is depends on how far the SDK came.
            SdkError::ConstructionFailure(_) | SdkError::DispatchFailure(_) if cause.contains("credential") => {
                (Class::Refused, Some("no usable AWS credentials: see `aws configure list`".to_owned()))
            }
            SdkError::ConstructionFailure(_) => (Class::Internal, None),
            _ => (Class::Ambiguous, None),
        };
        Self { class, action: Some(action), code: None, message: format!("{about}: {cause}"), hint }
    }
}

/// An error and its causes in one line.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        text = format!("{text}: {inner}");
        cause = inner.source();
    }
    text
}

impl From<super::out::NotKnown> for CallError {
    fn from(error: super::out::NotKnown) -> Self {
        Self::ours(error)
    }
}

impl From<CallError> for Failure {
    fn from(error: CallError) -> Self {
        Self { class: error.class, message: error.message, code: error.code, hint: error.hint }
    }
}
