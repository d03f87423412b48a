//! Changes on their way to all name servers.
//! <https://docs.aws.amazon.com/Route53/latest/APIReference/API_GetChange.html>

use std::time::Duration;

use serde_json::{Value, json};

use crate::account::Ctx;
use crate::authorise::Grant;
use crate::error::{ApiError, Outcome};
use crate::input::Input;
use crate::services::shared::shown;
use crate::store::Timer;
use crate::wire::iso_millis;

const CHANGE: &str = "route53.change";
/// Measured by operators: 30 to 60 seconds.
const SPREADING: Duration = Duration::from_secs(45);

/// A change that was accepted just now, as the answers have it.
pub(super) fn submit(ctx: &mut Ctx<'_>, comment: Option<&str>) -> Value {
    let id = format!("C{}", ctx.account.rng.hex(20).to_ascii_uppercase());
    let mut info = json!({"Id": format!("/change/{id}"), "Status": "PENDING", "SubmittedAt": iso_millis(ctx.now)});
    if let Some(comment) = comment {
        info["Comment"] = comment.into();
    }
    let mut change = ctx.resource(CHANGE, &id, info.clone());
    // News of something, not something in the account.
    change.set("_initial", true);
    ctx.insert(change);
    ctx.after(SPREADING, CHANGE, &id, "spread");
    info
}

pub(super) fn on_timer(ctx: &mut Ctx<'_>, timer: &Timer) {
    ctx.update(timer.kind, &timer.id, |change| change.set("Status", "INSYNC"));
}

pub(super) fn get(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let id = input.str("Id")?.trim_start_matches("/change/").to_owned();
    ctx.authorise(Grant::new("route53:GetChange", format!("arn:aws:route53:::change/{id}")))?;
    let missing = || ApiError::with_status(404, "NoSuchChange", format!("Could not find resource with ID: {id}"));
    let change = ctx.get(CHANGE, &id).ok_or_else(missing)?;
    Ok(json!({"ChangeInfo": shown(&change)}))
}
