//! What RDS tells EventBridge of instances and their snapshots.
//! <https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_Events.Messages.html>

use serde_json::json;

use super::date;
use crate::account::Ctx;
use crate::services::events;
use crate::store::Resource;

/// Something that happens to an instance or a snapshot: its number, its category and RDS's words for it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Message(&'static str, &'static str, &'static str);

pub(super) const CREATED: Message = Message("RDS-EVENT-0005", "creation", "DB instance created");
pub(super) const DELETED: Message = Message("RDS-EVENT-0003", "deletion", "DB instance deleted");
pub(super) const BACKING_UP: Message = Message("RDS-EVENT-0001", "backup", "Backing up DB instance");
pub(super) const BACKED_UP: Message = Message("RDS-EVENT-0002", "backup", "Finished DB Instance backup");
pub(super) const RESTARTED: Message = Message("RDS-EVENT-0006", "availability", "DB instance restarted");
pub(super) const FAILING_OVER: Message = Message("RDS-EVENT-0013", "failover", "Multi-AZ instance failover started.");
pub(super) const FAILED_OVER: Message = Message("RDS-EVENT-0049", "failover", "Multi-AZ instance failover completed");
pub(super) const APPLIED_CLASS: Message =
    Message("RDS-EVENT-0014", "configuration change", "Finished applying modification to DB instance class");
pub(super) const APPLIED_STORAGE: Message =
    Message("RDS-EVENT-0017", "configuration change", "Finished applying modification to allocated storage");
pub(super) const NEW_PASSWORD: Message = Message("RDS-EVENT-0016", "configuration change", "Reset master credentials");
pub(super) const MAKING_AUTOMATED: Message = Message("RDS-EVENT-0090", "creation", "Creating automated snapshot");
pub(super) const MADE_AUTOMATED: Message = Message("RDS-EVENT-0091", "creation", "Automated snapshot created");
pub(super) const MAKING_MANUAL: Message = Message("RDS-EVENT-0040", "creation", "Creating manual snapshot");
pub(super) const MADE_MANUAL: Message = Message("RDS-EVENT-0042", "creation", "Manual snapshot created");

/// Tells what happens to an instance.
pub(super) fn instance(ctx: &mut Ctx<'_>, instance: &Resource, message: Message) {
    tell(ctx, "RDS DB Instance Event", "DB_INSTANCE", instance.text("DBInstanceArn"), &instance.id, message);
}

/// Tells what happens to a snapshot.
pub(super) fn snapshot(ctx: &mut Ctx<'_>, snapshot: &Resource, message: Message) {
    tell(ctx, "RDS DB Snapshot Event", "SNAPSHOT", snapshot.text("DBSnapshotArn"), &snapshot.id, message);
}

fn tell(ctx: &mut Ctx<'_>, kind: &str, source: &str, arn: &str, id: &str, Message(number, category, words): Message) {
    let detail = json!({
        "EventCategories": [category], "SourceType": source, "SourceArn": arn, "Date": date(ctx.now),
        "Message": words, "SourceIdentifier": id, "EventID": number,
    });
    events::tell(ctx, "aws.rds", kind, arn, detail);
}
