//! Security Token Service: who am I.

use serde_json::json;

use super::{Operation, Service, access_denied, no_timers, throttling};
use crate::account::Ctx;
use crate::error::Outcome;
use crate::input::Input;
use crate::weather::Bucket;

pub(crate) static SERVICE: Service = Service {
    name: "sts",
    namespace: "https://sts.amazonaws.com/doc/2011-06-15/",
    global: true,
    operations: &[
        // Needs no permission, not even by an explicit deny:
        // <https://docs.aws.amazon.com/STS/latest/APIReference/API_GetCallerIdentity.html>
        Operation { name: "GetCallerIdentity", write: false, action: Some(""), handler: get_caller_identity },
    ],
    on_timer: no_timers,
    bucket: |_, _| Bucket { name: "sts", burst: 600.0, rate: 600.0 },
    throttled: throttling,
    denied: access_denied,
};

fn get_caller_identity(ctx: &mut Ctx<'_>, _: &Input) -> Outcome {
    Ok(json!({"Arn": ctx.caller(), "UserId": ctx.principal.user_id(), "Account": ctx.account.id}))
}
