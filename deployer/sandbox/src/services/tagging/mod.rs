//! Resource Groups Tagging API: one list of all that has tags. It comes to know of a change some seconds later.
//! <https://docs.aws.amazon.com/resourcegroupstagging/latest/APIReference/API_GetResources.html>

mod arns;
#[cfg(test)]
mod tests_over_the_wire;

use std::sync::Arc;

use serde_json::{Value, json};

use super::shared::{access_denied_exception, page, tag_list};
use super::{Service, no_timers, read_one};
use crate::account::Ctx;
use crate::authorise::Grant;
use crate::error::{ApiError, Outcome, refuse};
use crate::input::Input;
use crate::rng::rank;
use crate::store::Resource;
use crate::weather::Bucket;

pub(crate) static SERVICE: Service = Service {
    name: "tagging",
    namespace: "",
    global: false,
    operations: &[read_one("GetResources", resources)],
    on_timer: no_timers,
    // <https://docs.aws.amazon.com/general/latest/gr/arg.html>
    bucket: |_, _| Bucket { name: "tagging GetResources", burst: 15.0, rate: 15.0 },
    throttled: || refuse("ThrottledException", "Rate exceeded"),
    denied: access_denied_exception,
};

fn invalid(message: impl Into<String>) -> ApiError {
    refuse("InvalidParameterException", message)
}

fn resources(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    ctx.authorise(Grant::new("tag:GetResources", "*"))?;
    let filters: Vec<(String, Vec<String>)> = input
        .objects("TagFilters")
        .iter()
        .map(|filter| Ok((filter.string("Key")?, filter.strings("Values"))))
        .collect::<Result<_, ApiError>>()?;
    let (types, arns) = (input.strings("ResourceTypeFilters"), input.strings("ResourceARNList"));
    if !arns.is_empty() && (!filters.is_empty() || !types.is_empty()) {
        return Err(invalid("ResourceARNList cannot be given together with filters"));
    }
    let size = input.opt_int("ResourcesPerPage")?.unwrap_or(50);
    if !(1..=100).contains(&size) {
        return Err(invalid("ResourcesPerPage must be between 1 and 100"));
    }
    let fits = |arn: &str, resource: &Resource| {
        (arns.is_empty() || arns.iter().any(|wanted| wanted == arn))
            && (types.is_empty() || types.iter().any(|wanted| arns::of_type(arn, wanted)))
            && filters.iter().all(|(key, values)| {
                resource.tags.get(key).is_some_and(|value| values.is_empty() || values.contains(value))
            })
    };
    let mut found: Vec<(String, Arc<Resource>)> = known(ctx)
        .into_iter()
        .filter(|resource| !resource.tags.is_empty() && !resource.flag("_gone"))
        .filter_map(|resource| Some((arns::of(ctx, &resource)?, resource)))
        .filter(|(arn, resource)| fits(arn, resource))
        .collect();
    found.sort_by_cached_key(|(arn, _)| (rank(ctx.account.seed, arn), arn.clone()));
    let token = input.opt_str("PaginationToken").filter(|token| !token.is_empty());
    let page = page(found, token, usize::try_from(size).unwrap_or(50))
        .ok_or_else(|| refuse("PaginationTokenExpiredException", "The token is not valid any more"))?;
    let list: Vec<Value> = page
        .items
        .iter()
        .map(|(arn, resource)| json!({"ResourceARN": arn, "Tags": tag_list(&resource.tags, "Key", "Value")}))
        .collect();
    Ok(json!({"ResourceTagMappingList": list, "PaginationToken": page.next.unwrap_or_default()}))
}

/// Everything as the index knows it: each object with a delay of its own, up to twice that of the slowest reads.
fn known(ctx: &Ctx<'_>) -> Vec<Arc<Resource>> {
    let longest = ctx.account.weather.stale_reads * 2;
    let (seed, now) = (ctx.account.seed, ctx.now);
    ctx.account.store.known_late(now, |id| {
        #[expect(clippy::cast_precision_loss, reason = "a number below a hundred")]
        let share = (rank(seed, id) % 100) as f64 / 100.0;
        longest.mul_f64(share)
    })
}
