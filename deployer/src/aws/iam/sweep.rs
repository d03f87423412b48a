//! Finding the stack's roles: two reads for all of them, where IAM's own reads are three and more for each.
//!
//! The list of the stack's path tells description and session; the account's authorization details tell the rest, of
//! every role of the account. An account can have thousands, so only one page of them is read; a role that is not on it
//! is asked for by its name. <https://docs.aws.amazon.com/IAM/latest/APIReference/API_GetAccountAuthorizationDetails.html>

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_iam::types::{AttachedPolicy, EntityType, PolicyDetail, Role as Sdk, RoleDetail};
use wharf_engine::LogicalId;

use super::role::{self, Parts, Role};
use super::tagging;
use crate::aws::call::{Aws, CallError};
use crate::aws::kind::Found;
use crate::aws::out::{Out, Text};
use crate::aws::policy;

/// As many as AWS gives on one page.
const PAGE: i32 = 1000;

/// The stack's roles, and those that have a name it wants.
pub(super) async fn roles(aws: &Aws, wanted: &BTreeMap<&str, &LogicalId>) -> Result<Vec<Found<Role>>, CallError> {
    by_page(aws, wanted, PAGE).await
}

async fn by_page(aws: &Aws, wanted: &BTreeMap<&str, &LogicalId>, size: i32) -> Result<Vec<Found<Role>>, CallError> {
    let (listed, page) = futures::try_join!(list(aws), page(aws, size))?;
    let mut apart = BTreeSet::new();
    let mut found = Vec::new();
    for role in &listed {
        match page.details.get(role.role_name()) {
            Some(detail) => found.extend(role::observed(aws, role, parts(detail)?, wanted)?),
            None => drop(apart.insert(role.role_name().to_owned())),
        }
    }
    // A name that the stack wants can be had by a role under another path: of that, the details do not tell all.
    let there = |name: &str| !page.is_all || page.details.contains_key(name);
    let elsewhere = wanted.keys().filter(|name| listed.iter().all(|role| role.role_name() != **name));
    apart.extend(elsewhere.filter(|name| there(name)).map(|name| (*name).to_owned()));
    found.extend(role::one_by_one(aws, &apart, wanted).await?);
    Ok(found)
}

async fn list(aws: &Aws) -> Result<Vec<Sdk>, CallError> {
    let path = super::path(&aws.scope.stack);
    let send = |marker| aws.iam.list_roles().path_prefix(&path).set_marker(marker).send();
    aws.pages("iam:ListRoles", "", send, |page| (page.roles, page.marker)).await
}

/// The first page of the account's roles, by name.
struct Page {
    details: BTreeMap<String, RoleDetail>,
    /// There is no other page.
    is_all: bool,
}

async fn page(aws: &Aws, size: i32) -> Result<Page, CallError> {
    let get = || aws.iam.get_account_authorization_details().filter(EntityType::Role).max_items(size);
    let answer = aws.call("iam:GetAccountAuthorizationDetails", "", || get().send()).await?;
    let details = answer.role_detail_list.unwrap_or_default();
    let details = details.into_iter().filter_map(|role| Some((role.role_name.clone()?, role))).collect();
    Ok(Page { details, is_all: !answer.is_truncated })
}

fn parts(detail: &RoleDetail) -> Result<Parts, CallError> {
    let policy = |policy: &PolicyDetail| {
        let document = policy::observed_encoded(policy.policy_document().unwrap_or_default())?;
        Ok((policy.policy_name().unwrap_or_default().to_owned(), document))
    };
    let policies = detail.role_policy_list().iter().map(policy).collect::<Result<_, CallError>>()?;
    let managed = detail.attached_managed_policies().iter().filter_map(AttachedPolicy::policy_arn).map(Text::known);
    let boundary = detail.permissions_boundary().and_then(|boundary| boundary.permissions_boundary_arn());
    Ok(Parts {
        policies,
        managed: managed.collect(),
        boundary: boundary.map(Out::known),
        tags: tagging::read(detail.tags()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aws::kind::Query;
    use crate::aws::policy::{Document, Statement};
    use crate::aws::tags::Tags;
    use crate::aws::testing::World;
    use crate::aws::units::HOUR;
    use wharf_engine::Identity;

    fn role(name: &str) -> Role {
        let read = Document::new([Statement::allow(["s3:GetObject"]).on("*")]).text();
        Role {
            name: name.to_owned(),
            description: format!("the role {name}"),
            trust: Document::trusting("ecs-tasks.amazonaws.com").text(),
            policies: BTreeMap::from([("read".to_owned(), read)]),
            managed: vec!["arn:aws:iam::aws:policy/ReadOnlyAccess".into()],
            max_session: HOUR,
            boundary: None,
            tags: Tags::from([("team".to_owned(), "ops".to_owned())]),
        }
    }

    #[tokio::test(start_paused = true)]
    async fn roles_are_seen_alike_however_many_the_account_has() {
        let world = World::calm().await;
        for (id, name) in [("tasks.web", "shop-web"), ("tasks.mail", "shop-mail"), ("tasks.old", "shop-old")] {
            world.create(id, &role(name)).await;
        }
        let foreign = world
            .aws
            .iam
            .create_role()
            .role_name("shop-taken")
            .assume_role_policy_document(Document::trusting("ec2.amazonaws.com").text().get().unwrap_or_default());
        world.elsewhere(foreign.send()).await.unwrap();
        let ids = ["tasks.web", "tasks.taken", "tasks.new"].map(|id| LogicalId::new(id).unwrap());
        let wanted = ids.iter().cloned().zip(["shop-web", "shop-taken", "shop-new"].map(role)).collect();
        let query = Query { wanted, only: None };
        let wanted = query.by_name(|role| &role.name);

        let seen = |mut found: Vec<Found<Role>>| {
            found.sort_by(|one, other| one.id.cmp(&other.id));
            let one = |found: Found<Role>| (found.id.to_string(), found.identity == Identity::Foreign, found.inputs);
            found.into_iter().map(one).collect::<Vec<_>>()
        };
        let all = seen(by_page(&world.aws, &wanted, PAGE).await.unwrap());
        let ids: Vec<_> = all.iter().map(|(id, foreign, _)| (id.as_str(), *foreign)).collect();
        assert_eq!(ids, [("tasks.mail", false), ("tasks.old", false), ("tasks.taken", true), ("tasks.web", false)]);
        assert_eq!(all[0].2, role("shop-mail"));
        assert_eq!(all[3].2, role("shop-web"));
        for size in [1, 2, 3] {
            assert_eq!(seen(by_page(&world.aws, &wanted, size).await.unwrap()), all, "pages of {size}");
        }
    }
}
