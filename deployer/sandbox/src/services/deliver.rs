//! One delivery to one target, for a rule, a subscription, a schedule or an alarm: allowed by the target's own policy or
//! by the role that was given for it, tried again while there is hope, then kept as a dead letter or dropped.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::{ecs, iam, lambda, sns, sqs};
use crate::account::Ctx;
use crate::authorise::Grant;
use crate::clock::later;
use crate::error::{ApiError, refuse};
use crate::principal;
use crate::store::{Resource, Store, Timer};

/// From whom a delivery comes, and what the target is told besides its body.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Origin<'a> {
    /// The service, such as `events.amazonaws.com`.
    pub(crate) service: &'static str,
    /// For what it delivers, as `aws:SourceArn`.
    pub(crate) source: &'a str,
    /// The subject under which a topic gets it.
    pub(crate) subject: Option<&'a str>,
    /// The attributes with which a queue gets it.
    pub(crate) attributes: Option<&'a Map<String, Value>>,
    /// The role in which it delivers, where it was given one.
    pub(crate) role: Option<Role<'a>>,
    /// How a cluster runs the task that is delivered to it.
    pub(crate) task: Option<Task<'a>>,
}

/// The role in which a service delivers.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Role<'a> {
    /// The role's ARN.
    pub(crate) arn: &'a str,
    /// For what the service assumes it, which the role's trust policy may ask for.
    pub(crate) source: &'a str,
}

/// How a task is run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Task<'a> {
    /// The `EcsParameters` of the target.
    pub(crate) parameters: &'a Value,
    /// Who ECS says has started it.
    pub(crate) started_by: &'a str,
}

/// Delivers now: in a role where there is one, else as the service.
pub(crate) fn deliver(ctx: &mut Ctx<'_>, target: &str, body: &str, origin: &Origin<'_>) -> Result<(), ApiError> {
    match &origin.role {
        Some(role) => in_role(ctx, target, body, origin, role),
        None => as_service(ctx, target, body, origin),
    }
}

fn service_of(target: &str) -> &str {
    target.split(':').nth(2).unwrap_or_default()
}

fn in_role(ctx: &mut Ctx<'_>, target: &str, body: &str, origin: &Origin<'_>, role: &Role<'_>) -> Result<(), ApiError> {
    let found = iam::role_by_arn(ctx, role.arn).filter(|found| iam::trusts_for(found, origin.service, role.source));
    let found = found.ok_or_else(|| {
        let message = format!("{} is not authorized to assume role {}", origin.service, role.arn);
        ApiError::with_status(403, "AccessDenied", message)
    })?;
    let session = origin.source.rsplit('/').next().unwrap_or_default();
    principal::acting(ctx, &found, session, |ctx| match service_of(target) {
        "sqs" => {
            let attributes = origin.attributes.cloned().unwrap_or_default();
            sqs::put_as_caller(ctx, target, body, attributes).map(drop)
        }
        "sns" => sns::as_caller(ctx, target, body).map(drop),
        "lambda" => {
            ctx.authorise(Grant::new("lambda:InvokeFunction", target))?;
            lambda::invoke_async(ctx, target, body).map(drop)
        }
        "ecs" => {
            let task = origin.task.ok_or_else(|| refuse("InvalidParameter", "EcsParameters are missing."))?;
            ecs::run_for(ctx, target, task.parameters, task.started_by)
        }
        other => Err(ApiError::not_simulated(format!("deliveries to the service {other}"))),
    })
}

fn as_service(ctx: &mut Ctx<'_>, target: &str, body: &str, origin: &Origin<'_>) -> Result<(), ApiError> {
    match service_of(target) {
        "sqs" => {
            let sender = sqs::Sender { service: origin.service, source: origin.source };
            let attributes = origin.attributes.cloned().unwrap_or_default();
            sqs::put_by_service(ctx, target, &sender, body, attributes).map(drop)
        }
        "sns" => {
            let sender = sns::Sender { service: origin.service, source: origin.source };
            sns::by_service(ctx, target, &sender, origin.subject, body)
        }
        "lambda" => lambda::invoke_by_service(ctx, target, origin.service, origin.source, body).map(drop),
        other => Err(ApiError::not_simulated(format!("deliveries to the service {other}"))),
    }
}

/// A delivery that takes its time.
#[derive(Clone, Debug)]
pub(crate) struct Parcel {
    /// The kind under which it is under way; its service gets the timer.
    pub(crate) kind: &'static str,
    /// The service that delivers.
    pub(crate) service: &'static str,
    /// The ARN of what sends.
    pub(crate) from: String,
    /// The ARN of the target.
    pub(crate) to: String,
    /// What the target gets; none where nothing could be made of it.
    pub(crate) body: Option<String>,
    /// The subject under which a topic gets it.
    pub(crate) subject: Option<String>,
    /// The attributes with which a queue gets it.
    pub(crate) attributes: Map<String, Value>,
    /// How long it is under way at least.
    pub(crate) typical: Duration,
    /// How often it is tried again.
    pub(crate) most: i64,
    /// For how many seconds it is tried again.
    pub(crate) oldest: i64,
    /// The queue for what could not be delivered, and what is put there.
    pub(crate) letters: Option<(String, String)>,
    /// The role in which it is delivered, and for what the service assumes that.
    pub(crate) role: Option<(String, String)>,
    /// How a cluster runs the task that is delivered to it, and who has started it.
    pub(crate) task: Option<(Value, String)>,
}

/// Sends a parcel. In bad weather it may be overtaken.
pub(crate) fn send(ctx: &mut Ctx<'_>, parcel: &Parcel) {
    let id = ctx.account.rng.uuid();
    let (letters, letter) = parcel.letters.clone().unzip();
    let (role, assumed_for) = parcel.role.clone().unzip();
    let (task, started_by) = parcel.task.clone().unzip();
    let kept = json!({
        "_gone": true, "service": parcel.service, "from": parcel.from, "to": parcel.to, "body": parcel.body,
        "subject": parcel.subject, "attributes": parcel.attributes, "most": parcel.most, "oldest": parcel.oldest,
        "letters": letters, "letter": letter, "attempts": 0, "role": role, "assumedFor": assumed_for, "task": task,
        "startedBy": started_by,
    });
    let kept = ctx.resource(parcel.kind, id.clone(), kept);
    ctx.insert(kept);
    let unit = ctx.account.rng.unit();
    let detour = ctx.account.weather.disorder.mul_f64(unit);
    let due = later(ctx.now, ctx.account.rng.spread(parcel.typical) + detour);
    ctx.account.store.schedule(due, Timer { kind: parcel.kind, id, event: "deliver" });
}

/// What became of a parcel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    Delivered,
    /// It will be tried again.
    Delayed,
    /// It lies in its dead-letter queue.
    Buried,
    /// Nobody will see it: there is no dead-letter queue, or that does not take it.
    Dropped {
        /// Whether there is one.
        refused: bool,
    },
}

/// A parcel's moment has come. `say` tells what its dead letter says of the failure.
pub(crate) fn arrive(
    ctx: &mut Ctx<'_>,
    kind: &'static str,
    id: &str,
    service: &'static str,
    say: fn(&Resource, &ApiError) -> Map<String, Value>,
) -> Option<Fate> {
    let parcel = ctx.get(kind, id)?;
    let Err(error) = attempt(ctx, &parcel, service) else {
        ctx.remove(kind, id);
        return Some(Fate::Delivered);
    };
    if is_passing(&error) && again(ctx, &parcel) {
        return Some(Fate::Delayed);
    }
    let fate = match parcel.attrs["letters"].as_str() {
        None => Fate::Dropped { refused: false },
        Some(queue) => {
            let said = say(&parcel, &error);
            let mut origin = origin(&parcel, service);
            origin.attributes = Some(&said);
            // A rule puts its dead letters there as the service, whatever role its target has.
            // <https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-rule-dlq.html#eb-dlq-perms>
            origin.role = origin.role.filter(|_| service != "events.amazonaws.com");
            match deliver(ctx, queue, parcel.text("letter"), &origin) {
                Ok(()) => Fate::Buried,
                Err(_) => Fate::Dropped { refused: true },
            }
        }
    };
    // It stays for those who look for what went wrong.
    ctx.update(kind, id, |parcel| {
        parcel.set("code", error.code.clone());
        parcel.set("why", error.message.clone());
        parcel.set("buried", fate == Fate::Buried);
    });
    Some(fate)
}

/// Whether a failure may pass by itself: AWS's own, as opposed to a target that is gone or does not want it.
pub(crate) fn is_passing(error: &ApiError) -> bool {
    error.status >= 500 && error.code != "NotSimulated"
}

fn attempt(ctx: &mut Ctx<'_>, parcel: &Resource, service: &'static str) -> Result<(), ApiError> {
    let share = ctx.account.weather.server_errors;
    if ctx.account.rng.chance(share) {
        return Err(ApiError::with_status(500, "INTERNAL_ERROR", "The target could not be reached."));
    }
    let invalid = || ApiError::with_status(400, "INVALID_JSON", "No JSON could be made for the target.");
    let body = parcel.attrs["body"].as_str().ok_or_else(invalid)?;
    deliver(ctx, parcel.text("to"), body, &origin(parcel, service))
}

fn origin<'a>(parcel: &'a Resource, service: &'static str) -> Origin<'a> {
    let role = parcel.attrs["role"].as_str();
    let task = parcel.attrs.get("task").filter(|task| !task.is_null());
    Origin {
        service,
        source: parcel.text("from"),
        subject: parcel.attrs["subject"].as_str(),
        attributes: parcel.attrs["attributes"].as_object(),
        role: role.map(|arn| Role { arn, source: parcel.text("assumedFor") }),
        task: task.map(|parameters| Task { parameters, started_by: parcel.text("startedBy") }),
    }
}

/// Tries again later, ever more seldom, unless it was often or long enough.
fn again(ctx: &mut Ctx<'_>, parcel: &Resource) -> bool {
    let attempts = parcel.number("attempts") + 1;
    let age = ctx.now.duration_since(parcel.created).as_secs();
    if attempts > parcel.number("most") || age >= parcel.number("oldest") {
        return false;
    }
    ctx.update(parcel.kind, &parcel.id, |parcel| parcel.set("attempts", attempts));
    ctx.after(Duration::from_secs(1 << attempts.clamp(1, 9)), parcel.kind, &parcel.id, "deliver");
    true
}

/// What could not be delivered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Undelivered {
    /// The ARN of the rule, the topic or the schedule.
    pub from: String,
    /// The ARN of the target.
    pub to: String,
    /// What it would have got.
    pub body: String,
    /// The code and the words of the refusal.
    pub why: String,
    /// Whether it lies in a dead-letter queue; else it is lost.
    pub buried: bool,
    /// When it was sent.
    pub at: Timestamp,
}

/// Everything that could not be delivered so far, in the order in which it was sent.
pub(crate) fn undelivered(store: &Store) -> Vec<Undelivered> {
    let failed = |one: &&std::sync::Arc<Resource>| one.kind.ends_with(".delivery") && one.attrs.contains_key("why");
    let one = |parcel: &std::sync::Arc<Resource>| Undelivered {
        from: parcel.text("from").to_owned(),
        to: parcel.text("to").to_owned(),
        body: parcel.text("body").to_owned(),
        why: format!("{}: {}", parcel.text("code"), parcel.text("why")),
        buried: parcel.flag("buried"),
        at: parcel.created,
    };
    let mut all: Vec<Undelivered> = store.everything().filter(failed).map(one).collect();
    all.sort_by_key(|one| one.at);
    all
}
