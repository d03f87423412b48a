//! Time to live and point-in-time recovery of tables.

use std::time::Duration;

use serde_json::{Value, json};

use super::{invalid, not_found, permitted, table, table_name};
use crate::account::Ctx;
use crate::error::{ApiError, Outcome, refuse};
use crate::input::Input;
use crate::services::shared::seconds;
use crate::store::Resource;

/// <https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_UpdateTimeToLive.html>
pub(crate) fn update_time_to_live(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let name = table_name(input)?;
    let found = permitted(ctx, "UpdateTimeToLive", &name)?;
    table::settled(&found)?;
    let specification =
        input.object("TimeToLiveSpecification").ok_or_else(|| input.missing("TimeToLiveSpecification"))?;
    let enable = specification.opt_bool("Enabled")?.ok_or_else(|| specification.missing("Enabled"))?;
    let attribute = specification.string("AttributeName")?;
    let ttl = &found.attrs["_ttl"];
    let on = ttl["TimeToLiveStatus"] == "ENABLED";
    // Until a change is through (up to an hour) there can be no other.
    if !matches!(ttl["TimeToLiveStatus"].as_str(), Some("ENABLED" | "DISABLED")) {
        return Err(invalid("Time to live has been modified multiple times within a fixed interval"));
    }
    if on && enable && ttl["AttributeName"] != attribute.as_str() {
        return Err(invalid(format!(
            "TimeToLive is active on a different AttributeName: current AttributeName is {}",
            ttl["AttributeName"].as_str().unwrap_or_default()
        )));
    }
    if on == enable {
        return Err(invalid(format!("TimeToLive is already {}", if on { "enabled" } else { "disabled" })));
    }
    let status = if enable { "ENABLING" } else { "DISABLING" };
    ctx.update("dynamodb.table", &name, |table| {
        table.set("_ttl", json!({"TimeToLiveStatus": status, "AttributeName": attribute}));
    });
    ctx.after(Duration::from_secs(45 * 60), "dynamodb.table", &name, "ttl");
    Ok(json!({"TimeToLiveSpecification": {"Enabled": enable, "AttributeName": attribute}}))
}

pub(crate) fn ttl_settled(ctx: &mut Ctx<'_>, name: &str) {
    ctx.update("dynamodb.table", name, |table| {
        let ttl = table.attrs["_ttl"].clone();
        table.set(
            "_ttl",
            match ttl["TimeToLiveStatus"].as_str() {
                Some("ENABLING") => json!({"TimeToLiveStatus": "ENABLED", "AttributeName": ttl["AttributeName"]}),
                _ => json!({"TimeToLiveStatus": "DISABLED"}),
            },
        );
    });
}

pub(crate) fn describe_time_to_live(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let table = permitted(ctx, "DescribeTimeToLive", &table_name(input)?)?;
    Ok(json!({"TimeToLiveDescription": table.attrs["_ttl"]}))
}

fn backed_up(ctx: &mut Ctx<'_>, input: &Input, action: &str) -> Result<std::sync::Arc<Resource>, ApiError> {
    let name = table_name(input)?;
    permitted(ctx, action, &name).map_err(|error| match error.code.as_str() {
        "ResourceNotFoundException" => refuse("TableNotFoundException", format!("Table not found: {name}")),
        _ => error,
    })
}

/// <https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_UpdateContinuousBackups.html>
pub(crate) fn update_continuous_backups(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let table = backed_up(ctx, input, "UpdateContinuousBackups")?;
    let specification = input
        .object("PointInTimeRecoverySpecification")
        .ok_or_else(|| input.missing("PointInTimeRecoverySpecification"))?;
    let enable = specification
        .opt_bool("PointInTimeRecoveryEnabled")?
        .ok_or_else(|| specification.missing("PointInTimeRecoveryEnabled"))?;
    let days = specification.opt_int("RecoveryPeriodInDays")?;
    if days.is_some_and(|days| !(1..=35).contains(&days)) {
        return Err(specification.invalid("RecoveryPeriodInDays", &json!(days)));
    }
    if days.is_some() && !enable {
        return Err(invalid("RecoveryPeriodInDays can only be specified when PointInTimeRecoveryEnabled is true"));
    }
    // Also for a moment after the table is there.
    if !table.flag("_backups") {
        return Err(refuse(
            "ContinuousBackupsUnavailableException",
            format!("Backups are being enabled for the table: {}. Please retry later", table.id),
        ));
    }
    let since = if table.flag("_pitr") { table.attrs["_pitrSince"].clone() } else { seconds(ctx.now) };
    ctx.update("dynamodb.table", &table.id, |table| {
        table.set("_pitr", enable);
        table.set("_pitrSince", since);
        table.set("_pitrDays", days.unwrap_or(35));
    });
    let table = ctx.get("dynamodb.table", &table.id).ok_or_else(|| not_found(&table.id))?;
    Ok(described(ctx, &table))
}

pub(crate) fn describe_continuous_backups(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let table = backed_up(ctx, input, "DescribeContinuousBackups")?;
    Ok(described(ctx, &table))
}

/// What can be restored: from when recovery was switched on, or its period ago, up to about five minutes ago.
/// <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Point-in-time-recovery.html>
fn described(ctx: &Ctx<'_>, table: &Resource) -> Value {
    let recovery = if table.flag("_pitr") {
        let since = table.attrs["_pitrSince"].as_f64().unwrap_or(0.0);
        let now = seconds(ctx.now).as_f64().unwrap_or(0.0);
        let days = u32::try_from(table.number("_pitrDays")).unwrap_or(35);
        let period = f64::from(days) * 86_400.0;
        json!({
            "PointInTimeRecoveryStatus": "ENABLED",
            "RecoveryPeriodInDays": days,
            "EarliestRestorableDateTime": since.max(now - period),
            "LatestRestorableDateTime": (now - 300.0).max(since),
        })
    } else {
        json!({"PointInTimeRecoveryStatus": "DISABLED"})
    };
    json!({"ContinuousBackupsDescription": {
        "ContinuousBackupsStatus": "ENABLED",
        "PointInTimeRecoveryDescription": recovery,
    }})
}
