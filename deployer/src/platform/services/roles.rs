//! A service's two roles: what ECS does for its tasks, and what its tasks may do themselves. Each names what is the
//! service's own, and nothing of another.

use super::One;
use crate::aws::iam::role::Role;
use crate::aws::logs::log_group::LogGroup;
use crate::aws::policy::{Document, Statement};
use crate::aws::units::HOUR;
use crate::aws::{Handle, Text};
use crate::platform::{Builder, Site, trust};

const EXECUTION: &str = "execution";
const TASK: &str = "task";

fn name(stack: &str, service: &str, noun: &str) -> String {
    format!("{stack}-{service}-{noun}")
}

/// The ARNs of a service's two roles. Whoever is content with them waits for nothing that the roles refer to.
pub(in crate::platform) fn arns(site: &Site, stack: &str, service: &str) -> [String; 2] {
    let Site { partition, account, .. } = site;
    let arn = |noun| format!("arn:{partition}:iam::{account}:role/wharf/{stack}/{}", name(stack, service, noun));
    [EXECUTION, TASK].map(arn)
}

impl One<'_> {
    /// ECS pulls the image, hands over the variables, writes the log.
    /// <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task_execution_IAM_role.html>
    pub(super) fn execution_role(&self, b: &Builder, log: &Handle<LogGroup>) -> Role {
        let pull = ["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"];
        let pull = Document::new([
            Statement::allow(pull).on(self.repository.arn().text()),
            // AWS offers nothing narrower.
            Statement::allow(["ecr:GetAuthorizationToken"]).on("*"),
        ]);
        let write = Statement::allow(["logs:CreateLogStream", "logs:PutLogEvents"]);
        let write = Document::new([write.on(Text::join([log.arn().text(), ":*".into()]))]);
        let mut role = self.role(b, EXECUTION, "what ECS does for the tasks of");
        role.policies = [("pull".to_owned(), pull.text()), ("write".to_owned(), write.text())].into();
        role.policies.extend(self.read_variables().map(|read| ("read".to_owned(), read.text())));
        role
    }

    /// The service's own variables, and the key only through Parameter Store.
    fn read_variables(&self) -> Option<Document> {
        let given = self.ground.variables.of(self.name, self.wanted);
        if given.is_empty() {
            return None;
        }
        let region = &self.ground.site.region;
        let parameters =
            given.values().fold(Statement::allow(["ssm:GetParameters"]), |all, one| all.on(one.arn.clone()));
        let open = Statement::allow(["kms:Decrypt"]).on(self.ground.key.arn().text());
        let open = open.when("StringEquals", "kms:ViaService", format!("ssm.{region}.amazonaws.com"));
        let encrypted = given.values().any(|one| one.encrypted);
        Some(Document::new([parameters].into_iter().chain(encrypted.then_some(open))))
    }

    /// What the stack file's `permissions` say, and what lets somebody in.
    pub(super) fn task_role(&self, b: &Builder) -> Role {
        let mut role = self.role(b, TASK, "what the tasks may do of");
        if self.wanted.exec {
            role.policies.insert("exec".to_owned(), self.exec().text());
        }
        let own = self.wanted.permissions.iter().map(|permission| {
            let statement = Statement::allow(permission.actions.iter().cloned());
            permission.resources.iter().fold(statement, |statement, resource| statement.on(resource.as_str()))
        });
        if !self.wanted.permissions.is_empty() {
            role.policies.insert("permissions".to_owned(), Document::new(own).text());
        }
        role
    }

    /// <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-iam-roles.html#ecs-exec-required-iam-permissions>
    fn exec(&self) -> Document {
        let log = self.ground.cluster.exec_log.arn().text();
        let events = ["logs:CreateLogStream", "logs:DescribeLogStreams", "logs:PutLogEvents"];
        Document::new([
            // AWS offers nothing narrower for these two.
            Statement::allow([
                "ssmmessages:CreateControlChannel",
                "ssmmessages:CreateDataChannel",
                "ssmmessages:OpenControlChannel",
                "ssmmessages:OpenDataChannel",
            ])
            .on("*"),
            Statement::allow(["logs:DescribeLogGroups"]).on("*"),
            Statement::allow(events).on(Text::join([log, ":*".into()])),
            Statement::allow(["kms:Decrypt"]).on(self.ground.key.arn().text()),
        ])
    }

    /// A role that only this account's tasks have.
    fn role(&self, b: &Builder, noun: &str, what: &str) -> Role {
        Role {
            name: name(self.stack(), self.name, noun),
            description: format!("{what} {}", self.name),
            trust: trust::by("ecs-tasks.amazonaws.com", self.ground.site, "ecs", "*"),
            policies: [].into(),
            managed: Vec::new(),
            max_session: HOUR,
            boundary: None,
            tags: b.tags(),
        }
    }
}
