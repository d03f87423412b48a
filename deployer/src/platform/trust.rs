//! Who may assume a role: a service of AWS's, for the stack's own account alone.

use super::Site;
use crate::aws::Text;
use crate::aws::policy::{Document, Statement};

/// A service, when it acts for a resource of this account, so that nobody else can send it here.
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/confused-deputy.html#cross-service-confused-deputy-prevention>
pub(super) fn by(principal: &str, site: &Site, service: &str, resource: &str) -> Text {
    let Site { partition, account, region, .. } = site;
    let source = format!("arn:{partition}:{service}:{region}:{account}:{resource}");
    let assume = Statement::allow(["sts:AssumeRole"])
        .service(principal)
        .when("StringEquals", "aws:SourceAccount", account.as_str())
        .when("ArnLike", "aws:SourceArn", source);
    Document::new([assume]).text()
}
