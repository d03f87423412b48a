//! Protection: snapshots of the instances' volumes by Data Lifecycle Manager.

use super::cluster::BACKUP_TAG;
use super::{BuildError, Builder, Site, trust};
use crate::aws::dlm::policy::Policy;
use crate::aws::iam::role::Role;
use crate::aws::policy::{Document, Statement};
use crate::aws::units::HOUR;
use crate::aws::{Handle, Tags};
use crate::config::{Config, VolumeBackups};

/// The policy, and the role by which DLM carries it out.
pub(super) fn protection(
    b: &mut Builder,
    config: &Config,
    site: &Site,
    wanted: &VolumeBackups,
) -> Result<Handle<Policy>, BuildError> {
    let stack = config.stack.name.as_str();
    let role = b.add("protection.role", role(stack, site, b.tags()))?;
    let tag = Tags::from([(BACKUP_TAG.to_owned(), stack.to_owned())]);
    let policy = Policy {
        description: format!("volumes of {stack}"),
        enabled: true,
        role: role.arn(),
        target_tags: tag.clone(),
        schedule: if wanted.every_hours == 24 {
            "daily".to_owned()
        } else {
            format!("each {} hours", wanted.every_hours)
        },
        every_hours: i32::from(wanted.every_hours),
        at: wanted.at.clone(),
        keep: i32::from(wanted.keep),
        copy_tags: true,
        tags_to_add: Tags::new(),
        more: Vec::new(),
        tags: b.tags(),
    };
    b.add("protection.volumes", policy)
}

/// Snapshots of the stack's volumes alone, and the deletion of those alone.
/// <https://docs.aws.amazon.com/ebs/latest/userguide/dlm-prerequisites.html#dlm-permissions>
fn role(stack: &str, site: &Site, tags: Tags) -> Role {
    let Site { partition, account, region, .. } = site;
    let volumes = format!("arn:{partition}:ec2:{region}:{account}:volume/*");
    let instances = format!("arn:{partition}:ec2:{region}:{account}:instance/*");
    let snapshots = format!("arn:{partition}:ec2:{region}::snapshot/*");
    let ours = format!("aws:ResourceTag/{BACKUP_TAG}");
    let snapshot = Document::new([
        Statement::allow(["ec2:CreateSnapshot", "ec2:CreateSnapshots"]).on(volumes).on(instances).when(
            "StringEquals",
            &ours,
            stack,
        ),
        Statement::allow(["ec2:CreateSnapshot", "ec2:CreateSnapshots"]).on(snapshots.as_str()),
        Statement::allow(["ec2:CreateTags"])
            .on(snapshots.as_str())
            .when("StringEquals", "ec2:CreateAction", "CreateSnapshot")
            .when("StringEquals", "ec2:CreateAction", "CreateSnapshots"),
        Statement::allow(["ec2:DeleteSnapshot"]).on(snapshots.as_str()).when("StringEquals", &ours, stack),
        // AWS offers nothing narrower.
        Statement::allow(["ec2:DescribeInstances", "ec2:DescribeSnapshots", "ec2:DescribeVolumes"]).on("*"),
    ]);
    Role {
        name: format!("{stack}-volume-backups"),
        description: "snapshots of the instances' volumes".to_owned(),
        trust: trust::by("dlm.amazonaws.com", site, "dlm", "policy/*"),
        policies: [("snapshots".to_owned(), snapshot.text())].into(),
        managed: Vec::new(),
        max_session: HOUR,
        boundary: None,
        tags,
    }
}
