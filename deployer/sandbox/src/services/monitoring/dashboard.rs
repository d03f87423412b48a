//! Dashboards. <https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutDashboard.html>

use serde_json::{Value, json};

use super::{authorise, invalid, paged, tags};
use crate::account::Ctx;
use crate::authorise::Grant;
use crate::dispatch::empty_result;
use crate::error::{ApiError, Outcome, refuse};
use crate::input::Input;
use crate::store::Resource;
use crate::wire::moment;

pub(super) const DASHBOARD: &str = "monitoring.dashboard";
const WIDGETS: &[&str] = &["metric", "text", "log", "alarm", "explorer", "custom"];

/// A dashboard belongs to no region.
fn arn(ctx: &Ctx<'_>, name: &str) -> String {
    format!("arn:aws:cloudwatch::{}:dashboard/{name}", ctx.account.id)
}

pub(super) fn put(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let name = input.string("DashboardName")?;
    let asked = tags::requested(input)?;
    let (arn, known) = (arn(ctx, &name), ctx.get(DASHBOARD, &name));
    let has = known.as_ref().map(|known| known.tags.clone()).unwrap_or_default();
    ctx.authorise(Grant::new("cloudwatch:PutDashboard", arn.clone()).resource_tags(&has).request_tags(&asked))?;
    if !asked.is_empty() {
        ctx.authorise(Grant::new("cloudwatch:TagResource", arn.clone()).resource_tags(&has).request_tags(&asked))?;
    }
    if name.len() > 255 || !name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b)) {
        return Err(invalid(
            "The value for field DashboardName contains invalid characters. It can only contain alphanumerics, dash (-) and underscore (_).\n",
        ));
    }
    let body = input.string("DashboardBody")?;
    let warnings = judged(&body)?;
    let attrs = json!({
        "DashboardName": name, "DashboardArn": arn, "DashboardBody": body, "LastModified": moment(ctx.now),
    });
    let mut dashboard = ctx.resource(DASHBOARD, name, attrs);
    // Tags in such a call count for a new dashboard only.
    dashboard.tags = if known.is_some() { has } else { asked };
    ctx.insert(dashboard);
    Ok(json!({"DashboardValidationMessages": warnings}))
}

/// What AWS would warn of; a body without sense is refused, with the places.
/// <https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/CloudWatch-Dashboard-Body-Structure.html>
fn judged(body: &str) -> Result<Vec<Value>, ApiError> {
    let refused = |place: &str, message: &str| {
        refuse(
            "InvalidParameterInput",
            format!("The dashboard body is invalid, there are 1 validation errors: [{message}]"),
        )
        .member("_shape", "DashboardInvalidInputError")
        .member("dashboardValidationMessages", json!([{"DataPath": place, "Message": message}]))
    };
    let parsed: Value =
        serde_json::from_str(body).map_err(|_| refused("", "The field DashboardBody must be a valid JSON object"))?;
    let widgets = parsed["widgets"].as_array().ok_or_else(|| refused("/widgets", "Should be an array"))?;
    if widgets.len() > 500 {
        return Err(refused("/widgets", "Should not have more than 500 items"));
    }
    let mut warnings = Vec::new();
    for (n, widget) in widgets.iter().enumerate() {
        let place = |rest: &str| format!("/widgets/{n}{rest}");
        let kind =
            widget["type"].as_str().ok_or_else(|| refused(&place("/type"), "Should have required property 'type'"))?;
        if !WIDGETS.contains(&kind) {
            return Err(refused(&place("/type"), "Should be equal to one of the allowed values"));
        }
        let properties = widget["properties"].as_object();
        let properties = properties.ok_or_else(|| refused(&place("/properties"), "Should be an object"))?;
        let beyond = |x: &str, size: &str, most: i64| {
            widget[x].as_i64().unwrap_or(0) + widget[size].as_i64().unwrap_or(1) > most
        };
        if beyond("x", "width", 24) {
            return Err(refused(&place("/x"), "Should not be wider than the 24 columns of the dashboard"));
        }
        let needed: &[&str] = match kind {
            "metric" => &["region"],
            "log" => &["region", "query"],
            "text" => &["markdown"],
            "alarm" => &["alarms"],
            _ => &[],
        };
        for name in needed.iter().filter(|name| !properties.contains_key(**name)) {
            // Without a region AWS shows the widget for the dashboard's own, and says so.
            let message = format!("Should have required property '{name}'");
            match *name {
                "region" => warnings.push(json!({"DataPath": place("/properties"), "Message": message})),
                _ => return Err(refused(&place("/properties"), &message)),
            }
        }
    }
    Ok(warnings)
}

fn missing(name: &str) -> ApiError {
    ApiError::with_status(404, "ResourceNotFound", format!("Dashboard {name} does not exist"))
        .member("_shape", "DashboardNotFoundError")
}

pub(super) fn get(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let name = input.string("DashboardName")?;
    let (arn, known) = (arn(ctx, &name), ctx.get(DASHBOARD, &name));
    authorise(ctx, "GetDashboard", &arn, known.as_deref())?;
    let known = known.ok_or_else(|| missing(&name))?;
    Ok(json!({
        "DashboardName": name, "DashboardArn": known.text("DashboardArn"), "DashboardBody": known.text("DashboardBody"),
    }))
}

pub(super) fn list(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    authorise(ctx, "ListDashboards", "*", None)?;
    let prefix = input.opt_str("DashboardNamePrefix").unwrap_or_default();
    let found = ctx.those(DASHBOARD, |dashboard| dashboard.id.starts_with(prefix));
    let page = paged(found, input.opt_str("NextToken"), 1000)?;
    let entry = |dashboard: &std::sync::Arc<Resource>| {
        json!({
            "DashboardName": dashboard.id, "DashboardArn": dashboard.text("DashboardArn"),
            "LastModified": dashboard.attrs.get("LastModified"), "Size": dashboard.text("DashboardBody").len(),
        })
    };
    let entries: Vec<Value> = page.items.iter().map(entry).collect();
    Ok(json!({"DashboardEntries": entries, "NextToken": page.next}))
}

/// Deletes dashboards, all or none.
pub(super) fn delete(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let names = input.strings("DashboardNames");
    for name in &names {
        let (arn, known) = (arn(ctx, name), ctx.get(DASHBOARD, name));
        authorise(ctx, "DeleteDashboards", &arn, known.as_deref())?;
        known.ok_or_else(|| missing(name))?;
    }
    for name in &names {
        ctx.remove(DASHBOARD, name);
    }
    Ok(empty_result())
}
