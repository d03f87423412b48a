//! EventBridge Scheduler: schedules in groups, which run tasks, invoke functions and send messages at their times.

mod delivery;
mod expression;
mod group;
mod run;
mod schedule;
mod tags;
mod target;
#[cfg(test)]
mod tests_over_the_wire;

use serde_json::{Value, json};

use super::shared::{access_denied_exception, page, throttling_exception};
use super::{Service, read, read_one, write};
use crate::account::Ctx;
use crate::error::{ApiError, Outcome, refuse};
use crate::input::Input;
use crate::store::Timer;
use crate::weather::Bucket;
use crate::wire::rest::{Format, Rest, Route};

pub(crate) static SERVICE: Service = Service {
    name: "scheduler",
    namespace: "",
    global: false,
    operations: &[
        write("CreateScheduleGroup", group::create),
        read_one("GetScheduleGroup", group::get),
        read("ListScheduleGroups", group::list),
        write("DeleteScheduleGroup", group::delete),
        write("CreateSchedule", schedule::create),
        write("UpdateSchedule", schedule::update),
        read_one("GetSchedule", schedule::get),
        read("ListSchedules", schedule::list),
        write("DeleteSchedule", schedule::delete),
        write("TagResource", tags::tag),
        write("UntagResource", tags::untag),
        read_one("ListTagsForResource", tags::list),
    ],
    on_timer,
    // <https://docs.aws.amazon.com/scheduler/latest/UserGuide/scheduler-quotas.html>
    bucket: |operation, _| Bucket { name: operation.name, burst: 50.0, rate: 50.0 },
    throttled: throttling_exception,
    denied: access_denied_exception,
};

/// <https://docs.aws.amazon.com/scheduler/latest/APIReference/API_Operations.html>
pub(crate) const REST: Rest = Rest {
    service: "scheduler",
    format: Format::Json,
    routes: &[
        Route::new("CreateScheduleGroup", "POST", "/schedule-groups/{Name}", 200),
        Route::new("GetScheduleGroup", "GET", "/schedule-groups/{Name}", 200),
        Route { query: PAGES, ..Route::new("ListScheduleGroups", "GET", "/schedule-groups", 200) },
        Route {
            query: &[("clientToken", "ClientToken")],
            ..Route::new("DeleteScheduleGroup", "DELETE", "/schedule-groups/{Name}", 200)
        },
        Route::new("CreateSchedule", "POST", "/schedules/{Name}", 200),
        Route::new("UpdateSchedule", "PUT", "/schedules/{Name}", 200),
        Route { query: &[("groupName", "GroupName")], ..Route::new("GetSchedule", "GET", "/schedules/{Name}", 200) },
        Route { query: SCHEDULES, ..Route::new("ListSchedules", "GET", "/schedules", 200) },
        Route {
            query: &[("groupName", "GroupName"), ("clientToken", "ClientToken")],
            ..Route::new("DeleteSchedule", "DELETE", "/schedules/{Name}", 200)
        },
        Route::new("TagResource", "POST", "/tags/{ResourceArn}", 200),
        Route {
            query: &[("TagKeys", "TagKeys[]")],
            ..Route::new("UntagResource", "DELETE", "/tags/{ResourceArn}", 200)
        },
        Route::new("ListTagsForResource", "GET", "/tags/{ResourceArn}", 200),
    ],
};

const PAGES: &[(&str, &str)] =
    &[("NamePrefix", "NamePrefix"), ("NextToken", "NextToken"), ("MaxResults", "MaxResults")];
const SCHEDULES: &[(&str, &str)] = &[
    ("ScheduleGroup", "GroupName"),
    ("NamePrefix", "NamePrefix"),
    ("State", "State"),
    ("NextToken", "NextToken"),
    ("MaxResults", "MaxResults"),
];

fn on_timer(ctx: &mut Ctx<'_>, timer: &Timer) {
    match timer.kind {
        group::KIND => group::gone(ctx, &timer.id),
        delivery::KIND => delivery::on_timer(ctx, timer),
        _ => run::due(ctx, &timer.id),
    }
}

fn invalid(message: impl Into<String>) -> ApiError {
    refuse("ValidationException", message)
}

fn conflict(message: impl Into<String>) -> ApiError {
    ApiError::with_status(409, "ConflictException", message)
}

fn missing(message: impl Into<String>) -> ApiError {
    ApiError::with_status(404, "ResourceNotFoundException", message)
}

fn well_formed(name: &str) -> Result<(), ApiError> {
    let plain = |letter: char| letter.is_ascii_alphanumeric() || "-_.".contains(letter);
    if name.is_empty() || name.len() > 64 || !name.chars().all(plain) {
        return Err(invalid(format!(
            "1 validation error detected: Value '{name}' at 'name' failed to satisfy constraint: Member must satisfy regular expression pattern: [0-9a-zA-Z-_.]+"
        )));
    }
    Ok(())
}

/// A page of a list under its name.
fn paged(input: &Input, name: &str, items: Vec<Value>) -> Outcome {
    let size = input.opt_int("MaxResults")?.unwrap_or(100).clamp(1, 100);
    let page = page(items, input.opt_str("NextToken"), usize::try_from(size).unwrap_or(100));
    let page = page.ok_or_else(|| invalid("Invalid NextToken"))?;
    let mut answer = json!({name: page.items});
    if let Some(next) = page.next {
        answer["NextToken"] = next.into();
    }
    Ok(answer)
}
