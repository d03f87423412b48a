//! Systems Manager: its Parameter Store.

mod filter;
mod list;
mod parameter;
mod read;
mod tags;
#[cfg(test)]
mod tests_over_the_wire;
mod value;

use std::sync::Arc;

use serde_json::json;

use super::shared::{access_denied_exception, seconds, throttling_exception};
use super::{Service, ec2, no_timers, read_one, write};
use crate::account::Ctx;
use crate::authorise::Grant;
use crate::error::{ApiError, refuse};
use crate::store::Resource;
use crate::weather::Bucket;

pub(crate) static SERVICE: Service = Service {
    name: "ssm",
    namespace: "",
    global: false,
    operations: &[
        write("PutParameter", parameter::put),
        write("DeleteParameter", parameter::delete),
        write("DeleteParameters", parameter::delete_many),
        read_one("GetParameter", read::one),
        read_one("GetParameters", read::many),
        read_one("GetParameterHistory", read::history),
        read_one("GetParametersByPath", list::by_path),
        read_one("DescribeParameters", list::describe),
        write("AddTagsToResource", tags::add),
        write("RemoveTagsFromResource", tags::remove),
        read_one("ListTagsForResource", tags::list),
    ],
    on_timer: no_timers,
    // <https://docs.aws.amazon.com/general/latest/gr/ssm.html#limits_ssm>
    bucket: |operation, _| match operation.name {
        "GetParameter" | "GetParameters" | "GetParametersByPath" => {
            Bucket { name: "ssm gets", burst: 40.0, rate: 40.0 }
        }
        "PutParameter" => Bucket { name: "ssm PutParameter", burst: 10.0, rate: 3.0 },
        _ => Bucket { name: operation.name, burst: 10.0, rate: 5.0 },
    },
    throttled: throttling_exception,
    denied: access_denied_exception,
};

/// The ARN of a parameter; the slash that a path begins with is not doubled.
/// <https://docs.aws.amazon.com/systems-manager/latest/userguide/sysman-paramstore-access.html>
fn arn(ctx: &Ctx<'_>, name: &str) -> String {
    // AWS's own parameters belong to no account.
    // <https://docs.aws.amazon.com/systems-manager/latest/userguide/parameter-store-public-parameters.html>
    if is_public(name) {
        return format!("arn:aws:ssm:{}::parameter/{}", ctx.account.region, name.trim_start_matches('/'));
    }
    ctx.arn("ssm", format!("parameter/{}", name.trim_start_matches('/')))
}

fn invalid(message: impl Into<String>) -> ApiError {
    refuse("ValidationException", message)
}

/// AWS gives this error no words.
fn not_found() -> ApiError {
    refuse("ParameterNotFound", "")
}

fn find(ctx: &Ctx<'_>, name: &str) -> Result<Arc<Resource>, ApiError> {
    if is_public(name) {
        return public(ctx, name);
    }
    ctx.usable("ssm.parameter", name).ok_or_else(not_found)
}

fn is_public(name: &str) -> bool {
    name.trim_start_matches('/').starts_with("aws/service/")
}

/// A parameter that AWS publishes: those about the images for ECS.
fn public(ctx: &Ctx<'_>, name: &str) -> Result<Arc<Resource>, ApiError> {
    let (value, version, at) = ec2::image::public_parameter(ctx, name)
        .ok_or_else(|| ApiError::not_simulated(format!("the public parameter {name}")))?;
    let attrs = json!({
        "Name": name, "Type": "String", "Version": version, "LastModifiedDate": seconds(at), "DataType": "text",
        "ARN": arn(ctx, name), "_value": value,
    });
    Ok(Arc::new(ctx.resource("ssm.parameter", name, attrs)))
}

fn authorise(ctx: &mut Ctx<'_>, action: &str, name: &str) -> Result<(), ApiError> {
    let tags = ctx.get("ssm.parameter", name).map(|parameter| parameter.tags.clone()).unwrap_or_default();
    let grant = Grant::new(format!("ssm:{action}"), arn(ctx, name)).resource_tags(&tags);
    ctx.authorise(grant)
}
