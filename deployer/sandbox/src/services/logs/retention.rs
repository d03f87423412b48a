//! How long a group keeps its events.
//! <https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutRetentionPolicy.html>

use super::{authorise, invalid, named};
use crate::account::Ctx;
use crate::dispatch::nothing;
use crate::error::Outcome;
use crate::input::Input;

const ALLOWED: &[i64] =
    &[1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653];

pub(super) fn put(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let group = named(ctx, input)?;
    authorise(ctx, "PutRetentionPolicy", &group)?;
    let days = input.int("retentionInDays")?;
    if !ALLOWED.contains(&days) {
        return Err(invalid(format!(
            "1 validation error detected: Value '{days}' at 'retentionInDays' failed to satisfy constraint: Member must satisfy enum value set: {ALLOWED:?}"
        )));
    }
    ctx.update("logs.group", &group.id, |group| group.set("retentionInDays", days));
    Ok(nothing())
}

pub(super) fn delete(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let group = named(ctx, input)?;
    authorise(ctx, "DeleteRetentionPolicy", &group)?;
    ctx.update("logs.group", &group.id, |group| {
        group.attrs.remove("retentionInDays");
    });
    Ok(nothing())
}
