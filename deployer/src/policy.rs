//! Least privilege, derived: the IAM policies that a plan or an apply needs, out of what each kind says that it calls.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value as Json, json};

use crate::aws::rds::instance::restored::grants as restoring;
use crate::aws::{Grant, Scope, kinds};
use crate::operations::{operating, preparing};

/// What the policy is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum For {
    /// To look: plan, drift, status. Changes nothing.
    Plan,
    /// To look and to change: apply, destroy.
    Apply,
    /// To bring out another image of a service: deploy, rollback.
    Deploy,
    /// To restore the database. Deletes nothing.
    Restore,
    /// To work with the services that run: logs, run, exec. Changes nothing of the stack.
    Operate,
}

/// A managed policy has at most so many characters; a role takes ten of them.
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html>
pub const LONGEST: usize = 6144;

/// Actions, resources and conditions of one statement, each without a duplicate and in order.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Statement {
    actions: BTreeSet<&'static str>,
    resources: BTreeSet<String>,
    conditions: Conditions,
}

/// Operator, key and value.
type Conditions = BTreeSet<(&'static str, String, String)>;

/// The policies that a run on the stack of this scope needs, whatever the stack holds: one document, or several
/// where one would be longer than IAM takes.
#[must_use]
pub fn policies(scope: &Scope, purpose: For) -> Vec<Json> {
    let grants: Vec<Grant> = match purpose {
        For::Plan => kinds().iter().flat_map(|kind| kind.grants()).chain(own()).collect(),
        For::Apply => kinds().iter().flat_map(|kind| kind.grants()).chain(own()).chain(preparing()).collect(),
        For::Deploy => rollouts(),
        For::Restore => {
            let looks = kinds().iter().flat_map(|kind| kind.grants()).filter(|grant| grant.reads).collect::<Vec<_>>();
            looks.into_iter().chain(own()).chain(restoring()).collect()
        }
        For::Operate => operating(),
    };
    documents(&grants, scope, purpose, LONGEST)
}

/// What a run needs beside its kinds: who and where it is, and the stack's table with lock and history.
fn own() -> Vec<Grant> {
    const TABLE: &[&str] = &["arn:{partition}:dynamodb:{region}:{account}:table/wharf-{stack}"];
    vec![
        Grant::read(&[
            "dynamodb:ListTables",
            "ec2:DescribeAvailabilityZones",
            "ec2:DescribeTags",
            "ecs:ListAccountSettings",
            "route53:ListHostedZonesByName",
            "sts:GetCallerIdentity",
        ]),
        // A destruction names the final snapshots that it leaves, and keeps the key that they need.
        Grant::read(&["rds:DescribeDBSnapshots"]),
        Grant { reads: true, ..Grant::write(&["dynamodb:GetItem", "dynamodb:Query"], TABLE) },
        Grant::write(&["dynamodb:DeleteItem", "dynamodb:PutItem"], TABLE),
    ]
}

/// What a rollout needs: of the table only the records of rollouts.
fn rollouts() -> Vec<Grant> {
    const TABLE: &[&str] = &["arn:{partition}:dynamodb:{region}:{account}:table/wharf-{stack}"];
    const OF_ROLLOUTS: &[(&str, &str, &str)] = &[("ForAllValues:StringEquals", "dynamodb:LeadingKeys", "rollout")];
    let mut grants = crate::aws::ecs::rollout::grants();
    grants.extend(preparing());
    grants.push(Grant::read(&["ec2:DescribeAvailabilityZones", "sts:GetCallerIdentity"]));
    grants.push(Grant::write(&["dynamodb:GetItem", "dynamodb:PutItem"], TABLE).when(OF_ROLLOUTS));
    grants
}

/// The grants as documents of at most so many characters.
fn documents(grants: &[Grant], scope: &Scope, purpose: For, longest: usize) -> Vec<Json> {
    let needed = grants.iter().filter(|grant| grant.reads || purpose != For::Plan);
    let mut documents = vec![Vec::new()];
    for statement in merged(needed, scope).into_iter().flat_map(|statement| cut(statement, longest)) {
        // The first document that has room: statements are few.
        let room = documents.iter_mut().find(|document: &&mut Vec<Json>| {
            let with: Vec<&Json> = document.iter().chain([&statement]).collect();
            length(&with) <= longest
        });
        match room {
            Some(document) => document.push(statement),
            None => documents.push(vec![statement]),
        }
    }
    documents.into_iter().map(|statements| json!({ "Version": "2012-10-17", "Statement": statements })).collect()
}

/// One statement for each set of resources and conditions. What is allowed on everything is not said again.
fn merged<'a>(grants: impl Iterator<Item = &'a Grant>, scope: &Scope) -> Vec<Statement> {
    let mut resources = BTreeMap::<(&str, Conditions), BTreeSet<String>>::new();
    for grant in grants {
        let filled =
            |(operator, key, value): &(&'static str, &str, &str)| (*operator, fill(key, scope), fill(value, scope));
        let conditions: Conditions = grant.conditions.iter().map(filled).collect();
        for action in grant.actions {
            let on = resources.entry((action, conditions.clone())).or_default();
            on.extend(grant.resources.iter().map(|resource| fill(resource, scope)));
        }
    }
    let everything = |on: &BTreeSet<String>| on.contains("*");
    let free: BTreeSet<&str> = resources
        .iter()
        .filter(|((_, conditions), on)| conditions.is_empty() && everything(on))
        .map(|((action, _), _)| *action)
        .collect();
    let mut statements = BTreeMap::<(BTreeSet<String>, Conditions), BTreeSet<&'static str>>::new();
    for ((action, conditions), mut on) in resources {
        if everything(&on) {
            on.retain(|resource| resource == "*");
        }
        if !free.contains(action) || (conditions.is_empty() && everything(&on)) {
            statements.entry((on, conditions)).or_default().insert(action);
        }
    }
    statements
        .into_iter()
        .map(|((resources, conditions), actions)| Statement { actions, resources, conditions })
        .collect()
}

fn fill(text: &str, scope: &Scope) -> String {
    text.replace("{partition}", &scope.partition)
        .replace("{region}", &scope.region)
        .replace("{account}", &scope.account)
        .replace("{stack}", &scope.stack)
}

/// The statement, in several parts where it alone is too long for a document.
fn cut(statement: Statement, longest: usize) -> Vec<Json> {
    let json = statement.json();
    if length(&[&json]) <= longest || statement.actions.len() < 2 {
        return vec![json];
    }
    let middle = statement.actions.len() / 2;
    let (first, second) = (statement.actions.iter().take(middle), statement.actions.iter().skip(middle));
    let part = |actions: BTreeSet<&'static str>| Statement { actions, ..statement.clone() };
    let (first, second) = (part(first.copied().collect()), part(second.copied().collect()));
    cut(first, longest).into_iter().chain(cut(second, longest)).collect()
}

/// How IAM counts: without white space.
fn length(statements: &[&Json]) -> usize {
    let text = json!({ "Version": "2012-10-17", "Statement": statements }).to_string();
    text.chars().filter(|character| !character.is_whitespace()).count()
}

impl Statement {
    fn json(&self) -> Json {
        let mut json = Map::from_iter([
            ("Effect".to_owned(), json!("Allow")),
            ("Action".to_owned(), one_or_more(self.actions.iter().copied())),
            ("Resource".to_owned(), one_or_more(self.resources.iter().map(String::as_str))),
        ]);
        let mut conditions = BTreeMap::<&str, BTreeMap<&str, Vec<&str>>>::new();
        for (operator, key, value) in &self.conditions {
            conditions.entry(operator).or_default().entry(key).or_default().push(value);
        }
        if !conditions.is_empty() {
            let keys = |keys: BTreeMap<&str, Vec<&str>>| -> Map<String, Json> {
                keys.into_iter().map(|(key, values)| (key.to_owned(), one_or_more(values.into_iter()))).collect()
            };
            let conditions = conditions.into_iter().map(|(operator, of)| (operator.to_owned(), keys(of).into()));
            json.insert("Condition".to_owned(), Json::Object(conditions.collect()));
        }
        json.into()
    }
}

fn one_or_more<'a>(texts: impl ExactSizeIterator<Item = &'a str>) -> Json {
    let mut texts: Vec<Json> = texts.map(Json::from).collect();
    match texts.len() {
        1 => texts.remove(0),
        _ => texts.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aws::kind::{OF_THIS_STACK, TAGGED_WITH_THIS_STACK};

    fn scope() -> Scope {
        let own = str::to_owned;
        Scope { stack: own("shop"), region: own("eu-west-1"), account: own("123456789012"), partition: own("aws") }
    }

    fn texts(json: &Json) -> Vec<&str> {
        match json {
            Json::Array(items) => items.iter().filter_map(Json::as_str).collect(),
            one => one.as_str().into_iter().collect(),
        }
    }

    fn statements(documents: &[Json]) -> Vec<Json> {
        documents.iter().flat_map(|document| document["Statement"].as_array().unwrap().clone()).collect()
    }

    fn actions(documents: &[Json]) -> BTreeSet<String> {
        statements(documents).iter().flat_map(|one| texts(&one["Action"])).map(str::to_owned).collect()
    }

    #[test]
    fn a_plan_can_change_nothing() {
        for action in actions(&policies(&scope(), For::Plan)) {
            let verb = action.split(':').nth(1).unwrap();
            let reads = ["Describe", "List", "Get", "Query", "Lookup", "BatchGet"];
            assert!(reads.iter().any(|read| verb.starts_with(read)), "{action}");
        }
    }

    #[test]
    fn a_plan_reads_no_secret() {
        let documents = policies(&scope(), For::Plan);
        for action in ["ssm:GetParameter", "kms:Decrypt"] {
            assert!(!actions(&documents).contains(action), "{action}");
        }
    }

    #[test]
    fn an_apply_may_do_all_that_its_kinds_name_and_what_a_plan_may() {
        let (plan, apply) = (policies(&scope(), For::Plan), policies(&scope(), For::Apply));
        assert!(actions(&plan).is_subset(&actions(&apply)));
        for grant in kinds().iter().flat_map(|kind| kind.grants()) {
            for action in grant.actions {
                assert!(actions(&apply).contains(*action), "{action}");
            }
        }
    }

    #[test]
    fn every_document_is_short_enough_for_a_managed_policy_and_a_role_can_have_them_all() {
        for purpose in [For::Plan, For::Apply, For::Operate] {
            let documents = policies(&scope(), purpose);
            assert!(documents.len() <= 10);
            for document in documents {
                assert!(document.to_string().len() <= LONGEST);
            }
        }
    }

    #[test]
    fn who_operates_changes_nothing_of_the_stack() {
        let documents = policies(&scope(), For::Operate);
        let writes = [
            "ecs:ExecuteCommand",
            "ecs:RunTask",
            "ecs:StopTask",
            "ecs:TagResource",
            "iam:PassRole",
            "kms:GenerateDataKey",
        ];
        let reads = ["Describe", "List", "Get", "Filter"];
        for statement in statements(&documents) {
            for action in texts(&statement["Action"]) {
                let verb = action.split(':').nth(1).unwrap();
                let reads = action != "kms:GenerateDataKey" && reads.iter().any(|read| verb.starts_with(read));
                assert!(reads || writes.contains(&action), "{action}");
                assert!(reads || !texts(&statement["Resource"]).contains(&"*"), "{action} on everything");
            }
        }
    }

    #[test]
    fn no_placeholder_is_left() {
        for document in [For::Apply, For::Operate].into_iter().flat_map(|purpose| policies(&scope(), purpose)) {
            for statement in document["Statement"].as_array().unwrap() {
                let text = format!("{}{}", statement["Resource"], statement["Action"]);
                assert!(!text.contains('{'), "{text}");
                let conditions = statement["Condition"].to_string();
                for name in ["{stack}", "{account}", "{region}", "{partition}"] {
                    assert!(!conditions.contains(name), "{conditions}");
                }
            }
        }
    }

    #[test]
    fn an_apply_may_do_what_a_deploy_may() {
        let (deploy, apply) = (policies(&scope(), For::Deploy), policies(&scope(), For::Apply));
        assert!(actions(&deploy).is_subset(&actions(&apply)));
        for statement in statements(&deploy) {
            let everything = texts(&statement["Resource"]).contains(&"*");
            for action in texts(&statement["Action"]).into_iter().filter(|_| everything) {
                assert!(["Describe", "List", "Get"].iter().any(|verb| action.contains(verb)), "{action} on everything");
            }
        }
    }

    #[test]
    fn what_writes_on_everything_is_only_what_aws_cannot_narrow() {
        // They know neither resources nor conditions that would fit:
        // <https://docs.aws.amazon.com/service-authorization/latest/reference/reference_policies_actions-resources-contextkeys.html>
        const CANNOT: [&str; 3] =
            ["ecs:DeregisterTaskDefinition", "route53:CreateHostedZone", "servicediscovery:UntagResource"];
        let documents = policies(&scope(), For::Apply);
        let reading = actions(&policies(&scope(), For::Plan));
        for statement in statements(&documents) {
            if texts(&statement["Resource"]).contains(&"*") && statement.get("Condition").is_none() {
                for action in texts(&statement["Action"]) {
                    assert!(reading.contains(action) || CANNOT.contains(&action), "{action} on everything");
                }
            }
        }
    }

    #[test]
    fn grants_of_one_place_become_one_statement_and_none_is_said_twice() {
        const VPC: &[&str] = &["arn:{partition}:ec2:{region}:{account}:vpc/*"];
        const SUBNET: &[&str] = &["arn:{partition}:ec2:{region}:{account}:subnet/*"];
        let grants = [
            Grant::read(&["ec2:DescribeVpcs"]),
            Grant::write(&["ec2:DescribeVpcs", "ec2:DeleteVpc"], VPC).when(OF_THIS_STACK),
            Grant::write(&["ec2:CreateVpc"], VPC).when(TAGGED_WITH_THIS_STACK),
            Grant::write(&["ec2:CreateTags"], VPC),
            Grant::write(&["ec2:CreateTags"], SUBNET),
        ];
        let arn = |noun: &str| format!("arn:aws:ec2:eu-west-1:123456789012:{noun}/*");
        let condition = |key: &str| json!({ "StringEquals": { key: "shop" } });
        let all = statements(&documents(&grants, &scope(), For::Apply, LONGEST));
        assert_eq!(all.len(), 4);
        for wanted in [
            json!({ "Effect": "Allow", "Action": "ec2:DescribeVpcs", "Resource": "*" }),
            json!({ "Effect": "Allow", "Action": "ec2:CreateTags", "Resource": [arn("subnet"), arn("vpc")] }),
            json!({ "Effect": "Allow", "Action": "ec2:DeleteVpc", "Resource": arn("vpc"),
                "Condition": condition("aws:ResourceTag/wharf:stack") }),
            json!({ "Effect": "Allow", "Action": "ec2:CreateVpc", "Resource": arn("vpc"),
                "Condition": condition("aws:RequestTag/wharf:stack") }),
        ] {
            assert!(all.contains(&wanted), "{wanted} is not in {all:#?}");
        }
    }

    #[test]
    fn what_is_too_long_is_cut_without_losing_an_action() {
        let grants = [Grant::read(&["ec2:DescribeSubnets", "ec2:DescribeVpcs", "ec2:DescribeAddresses"])];
        let documents = documents(&grants, &scope(), For::Plan, 120);
        assert!(documents.len() > 1);
        assert!(documents.iter().all(|document| document.to_string().len() <= 120));
        assert_eq!(actions(&documents).len(), 3);
    }
}
