//! What happened to alarms. <https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_DescribeAlarmHistory.html>

use serde_json::{Value, json};

use super::{COMPOSITE, arn, authorise, paged, time};
use crate::account::Ctx;
use crate::error::Outcome;
use crate::input::Input;
use crate::services::shared::shown;
use crate::wire::moment;

const HISTORY: &str = "monitoring.history";

/// Notes something. It outlives its alarm, for thirty days at AWS.
pub(super) fn note(ctx: &mut Ctx<'_>, alarm: &str, kind: &str, what: &str, summary: &str, data: Value) {
    let number = ctx.account.store.all(HISTORY).count();
    let alarm_type = if kind == COMPOSITE { "CompositeAlarm" } else { "MetricAlarm" };
    let item = json!({
        "_gone": true, "AlarmName": alarm, "AlarmType": alarm_type, "Timestamp": moment(ctx.now),
        "HistoryItemType": what, "HistorySummary": summary, "HistoryData": data.to_string(),
    });
    let item = ctx.resource(HISTORY, format!("{number:09}"), item);
    ctx.insert(item);
}

pub(super) fn describe(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let name = input.opt_str("AlarmName");
    let everything = arn(ctx, name.unwrap_or("*"));
    authorise(ctx, "DescribeAlarmHistory", &everything, None)?;
    // As at AWS: composite alarms only where they are asked for.
    let types = match input.strings("AlarmTypes") {
        types if types.is_empty() => vec!["MetricAlarm".to_owned()],
        types => types,
    };
    let what = input.opt_str("HistoryItemType");
    let (since, until) = (time(input, "StartDate")?, time(input, "EndDate")?);
    let mut items = ctx.those(HISTORY, |item| {
        name.is_none_or(|name| item.text("AlarmName") == name)
            && types.iter().any(|one| one == item.text("AlarmType"))
            && what.is_none_or(|what| item.text("HistoryItemType") == what)
            && since.is_none_or(|since| item.created >= since)
            && until.is_none_or(|until| item.created <= until)
    });
    if input.opt_str("ScanBy") != Some("TimestampAscending") {
        items.reverse();
    }
    let size = usize::try_from(input.opt_int("MaxRecords")?.unwrap_or(100)).unwrap_or(100);
    let page = paged(items, input.opt_str("NextToken"), size)?;
    let items: Vec<Value> = page.items.iter().map(|item| shown(item).into()).collect();
    Ok(json!({"AlarmHistoryItems": items, "NextToken": page.next}))
}
