//! Events that callers put, and patterns that they try.
//! <https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutEvents.html>

use jiff::Timestamp;
use serde_json::{Value, json};

use super::bus::{self, Emitted};
use super::pattern::Pattern;
use super::{bus_arn, invalid, is_default};
use crate::account::Ctx;
use crate::authorise::Grant;
use crate::error::{ApiError, Outcome};
use crate::input::Input;

/// So many events at once, and so many bytes.
/// <https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-putevents.html>
const MOST: usize = 10;
const LONGEST: usize = 1_048_576;

/// An entry that is refused: code and message.
type Refused = (&'static str, String);

/// Each entry succeeds or fails by itself; the call succeeds.
pub(super) fn put(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let entries = input.objects("Entries");
    for entry in &entries {
        let bus = entry.opt_str("EventBusName").unwrap_or("default");
        if !is_default(ctx, bus) {
            return Err(ApiError::not_simulated(format!("the event bus {bus}")));
        }
        let grant = Grant::new("events:PutEvents", bus_arn(ctx))
            .key("events:source", entry.opt_str("Source").unwrap_or_default())
            .key("events:detail-type", entry.opt_str("DetailType").unwrap_or_default())
            .key("events:eventBusInvocation", "false");
        ctx.authorise(grant)?;
    }
    if !(1..=MOST).contains(&entries.len()) {
        let constraint = "Member must have length less than or equal to 10";
        return Err(invalid(format!(
            "1 validation error detected: Value at 'entries' failed to satisfy constraint: {constraint}"
        )));
    }
    if entries.iter().map(size).sum::<usize>() > LONGEST {
        return Err(invalid("Total size of the entries in the request is over the limit."));
    }
    let mut failed = 0;
    let mut answers = Vec::new();
    for entry in &entries {
        let share = ctx.account.weather.throttles;
        let put = match event(ctx, entry) {
            Ok(_) if ctx.account.rng.chance(share) => Err(("ThrottlingException", "Rate exceeded".to_owned())),
            Ok(event) => Ok(bus::emit(ctx, event)),
            Err(refused) => Err(refused),
        };
        answers.push(match put {
            Ok(id) => json!({"EventId": id}),
            Err((code, message)) => {
                failed += 1;
                json!({"ErrorCode": code, "ErrorMessage": message})
            }
        });
    }
    Ok(json!({"FailedEntryCount": failed, "Entries": answers}))
}

/// <https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-putevents.html#eb-putevent-size>
fn size(entry: &Input) -> usize {
    let text = |name: &str| entry.opt_str(name).map_or(0, str::len);
    let resources: usize = entry.strings("Resources").iter().map(String::len).sum();
    let time = if entry.has("Time") { 14 } else { 0 };
    text("Source") + text("DetailType") + text("Detail") + resources + time
}

fn event(ctx: &Ctx<'_>, entry: &Input) -> Result<Emitted, Refused> {
    let required = |name: &str| {
        let message = format!("Parameter {name} is not valid. Reason: {name} is a required argument.");
        entry.opt_str(name).filter(|text| !text.is_empty()).ok_or(("InvalidArgument", message))
    };
    let (source, kind, detail) = (required("Source"), required("DetailType"), required("Detail"));
    let _ = entry.opt_str("TraceHeader");
    let (source, kind, detail) = (source?.to_owned(), kind?.to_owned(), detail?);
    let detail: Value = serde_json::from_str(detail).unwrap_or_default();
    if !detail.is_object() {
        return Err(("MalformedDetail", "Detail is malformed.".to_owned()));
    }
    if source.starts_with("aws.") {
        return Err(("NotAuthorizedForSourceException", "Not authorized for the source.".to_owned()));
    }
    let time = time(entry).unwrap_or(ctx.now);
    Ok(Emitted { source, kind, resources: entry.strings("Resources"), detail, time, certain: true })
}

/// The time that an entry brings, in seconds since 1970.
#[expect(clippy::cast_possible_truncation, reason = "seconds since 1970 are far from the end of 64 bits")]
fn time(entry: &Input) -> Option<Timestamp> {
    let seconds = entry.opt("Time")?.as_f64()?;
    Timestamp::from_second(seconds as i64).ok()
}

/// <https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_TestEventPattern.html>
pub(super) fn test_pattern(_: &mut Ctx<'_>, input: &Input) -> Outcome {
    let pattern = Pattern::read(&input.string("EventPattern")?)?;
    let event: Value = serde_json::from_str(&input.string("Event")?).unwrap_or_default();
    let members = ["id", "account", "source", "time", "region", "detail-type"];
    if members.iter().any(|name| event.get(name).is_none()) {
        return Err(invalid("Parameter Event is not valid."));
    }
    Ok(json!({"Result": pattern.fits(&event)}))
}
