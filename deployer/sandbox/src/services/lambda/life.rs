//! The states of a function. It is `Pending` until it can be invoked; a change is `InProgress` until it is in force,
//! and no other change is accepted meanwhile.
//! <https://docs.aws.amazon.com/lambda/latest/dg/functions-states.html>

use std::time::Duration;

use serde_json::Value;

use super::{FUNCTION, conflict};
use crate::account::Ctx;
use crate::error::ApiError;
use crate::store::Resource;

const MADE: Duration = Duration::from_secs(8);
const CHANGED: Duration = Duration::from_secs(4);

fn stamp(ctx: &Ctx<'_>) -> String {
    ctx.now.strftime("%Y-%m-%dT%H:%M:%S%.3f+0000").to_string()
}

/// Puts a new revision of a function into the account, not yet in force.
pub(super) fn begin(ctx: &mut Ctx<'_>, mut function: Resource) -> Resource {
    let (revision, now) = (ctx.account.rng.uuid(), stamp(ctx));
    function.set("RevisionId", revision);
    function.set("LastModified", now);
    let name = function.id.clone();
    if ctx.get(FUNCTION, &name).is_some() {
        function.set("LastUpdateStatus", "InProgress");
        // AWS has a code with it, too, which its own service model does not know.
        function.set("LastUpdateStatusReason", "The function is being created.");
        ctx.update(FUNCTION, &name, |known| *known = function.clone());
        ctx.after(CHANGED, FUNCTION, &name, "changed");
    } else {
        function.set("State", "Pending");
        function.set("StateReason", "The function is being created.");
        function.set("StateReasonCode", "Creating");
        ctx.insert(function.clone());
        ctx.after(MADE, FUNCTION, &name, "made");
    }
    function
}

/// What was begun is in force: environments that were started before it run their last invocation.
pub(super) fn settle(ctx: &mut Ctx<'_>, name: &str) {
    let revision = ctx.account.rng.uuid();
    ctx.update(FUNCTION, name, |function| {
        for passing in ["StateReason", "StateReasonCode", "LastUpdateStatusReason", "LastUpdateStatusReasonCode"] {
            function.attrs.remove(passing);
        }
        function.set("State", "Active");
        function.set("LastUpdateStatus", "Successful");
        function.set("RevisionId", revision);
        let generation = function.number("_generation");
        function.set("_generation", generation + 1);
        let mut running = function.attrs.clone();
        running.retain(|member, _| !matches!(member.as_str(), "_running" | "_policy" | "_invoke_config"));
        function.set("_running", Value::Object(running));
    });
}

/// Refuses a change while another one is under way.
pub(super) fn idle(function: &Resource) -> Result<(), ApiError> {
    let arn = function.text("FunctionArn");
    if function.text("State") == "Pending" {
        return Err(conflict(
            "The operation cannot be performed at this time. The function is currently in the following state: Pending",
        ));
    }
    if function.text("LastUpdateStatus") == "InProgress" {
        return Err(conflict(format!(
            "The operation cannot be performed at this time. An update is in progress for resource: {arn}"
        )));
    }
    Ok(())
}

/// What invocations of the function meet at present: during a change, what was there before it; none before it can be
/// invoked. Reserved concurrency is no part of that: it changes at once.
pub(super) fn in_force(function: &Resource) -> Option<Resource> {
    let mut attrs = function.attrs.get("_running")?.as_object()?.clone();
    match function.attrs.get("_reserved") {
        Some(reserved) => drop(attrs.insert("_reserved".to_owned(), reserved.clone())),
        None => drop(attrs.remove("_reserved")),
    }
    Some(Resource { attrs, ..function.clone() })
}
