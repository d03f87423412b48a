//! Data Lifecycle Manager: policies, and the snapshots that they make by themselves.

mod details;
mod policy;
mod run;
mod tags;
#[cfg(test)]
mod tests_over_the_wire;

use std::sync::Arc;

use super::{Service, not_authorised, read_one, throttling, write};
use crate::account::Ctx;
use crate::authorise::Grant;
use crate::error::{ApiError, refuse};
use crate::input::Input;
use crate::store::{Resource, Timer};
use crate::weather::Bucket;
use crate::wire::rest::{Format, Rest, Route};

pub(crate) static SERVICE: Service = Service {
    name: "dlm",
    namespace: "",
    global: false,
    operations: &[
        write("CreateLifecyclePolicy", policy::create),
        read_one("GetLifecyclePolicy", policy::get),
        read_one("GetLifecyclePolicies", policy::list),
        write("UpdateLifecyclePolicy", policy::update),
        write("DeleteLifecyclePolicy", policy::delete),
        write("TagResource", tags::tag),
        write("UntagResource", tags::untag),
        read_one("ListTagsForResource", tags::list),
    ],
    on_timer: |ctx: &mut Ctx<'_>, timer: &Timer| run::on_timer(ctx, &timer.id),
    // AWS publishes no rates.
    bucket: |operation, _| match operation.write {
        true => Bucket { name: "dlm writes", burst: 10.0, rate: 5.0 },
        false => Bucket { name: "dlm reads", burst: 20.0, rate: 10.0 },
    },
    throttled: throttling,
    denied: |caller, action, resource| {
        ApiError::with_status(403, "AccessDeniedException", not_authorised(caller, action, resource))
    },
};

pub(crate) const REST: Rest = Rest {
    service: "dlm",
    format: Format::Json,
    routes: &[
        Route::new("CreateLifecyclePolicy", "POST", "/policies", 200),
        Route {
            query: &[
                ("policyIds", "PolicyIds[]"),
                ("state", "State"),
                ("resourceTypes", "ResourceTypes[]"),
                ("targetTags", "TargetTags[]"),
                ("tagsToAdd", "TagsToAdd[]"),
                ("defaultPolicyType", "DefaultPolicyType"),
            ],
            ..Route::new("GetLifecyclePolicies", "GET", "/policies", 200)
        },
        Route::new("GetLifecyclePolicy", "GET", "/policies/{PolicyId}", 200),
        Route::new("UpdateLifecyclePolicy", "PATCH", "/policies/{PolicyId}", 200),
        Route::new("DeleteLifecyclePolicy", "DELETE", "/policies/{PolicyId}", 200),
        Route::new("TagResource", "POST", "/tags/{ResourceArn}", 200),
        Route {
            query: &[("tagKeys", "TagKeys[]")],
            ..Route::new("UntagResource", "DELETE", "/tags/{ResourceArn}", 200)
        },
        Route::new("ListTagsForResource", "GET", "/tags/{ResourceArn}", 200),
    ],
};

const POLICY: &str = "dlm.policy";

fn invalid(message: impl Into<String>) -> ApiError {
    refuse("InvalidRequestException", message)
}

/// A policy that a call names, once the caller may do this to it.
fn permitted(
    ctx: &mut Ctx<'_>,
    id: &str,
    action: &str,
    more: impl FnOnce(Grant) -> Grant,
) -> Result<Arc<Resource>, ApiError> {
    let found = ctx.get(POLICY, id);
    let mut grant = Grant::new(format!("dlm:{action}"), ctx.arn("dlm", format!("policy/{id}")));
    if let Some(found) = &found {
        grant = grant.resource_tags(&found.tags);
    }
    ctx.authorise(more(grant))?;
    found.ok_or_else(|| {
        ApiError::with_status(404, "ResourceNotFoundException", format!("Policy {id} does not exist"))
            .member("ResourceType", "lifecyclePolicy")
            .member("ResourceIds", vec![id.to_owned()])
    })
}

fn named(ctx: &mut Ctx<'_>, input: &Input, action: &str) -> Result<Arc<Resource>, ApiError> {
    let id = input.string("PolicyId")?;
    permitted(ctx, &id, action, |grant| grant)
}
