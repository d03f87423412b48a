//! What functions may do, in statements that several share.

use super::{One, Queues};
use crate::aws::policy::Statement;
use crate::aws::sns::topic::TopicArn;
use crate::aws::{Out, Text};

impl One<'_> {
    /// An ARN in the stack's place.
    pub(super) fn arn(&self, service: &str, resource: &str) -> String {
        let site = self.ground.site;
        format!("arn:{}:{service}:{}:{}:{resource}", site.partition, site.region, site.account)
    }

    /// What hands messages over does it in the function's name.
    /// <https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html#events-sqs-permissions>
    pub(super) fn receive(queues: &Queues) -> Statement {
        Statement::allow(["sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:ReceiveMessage"])
            .on(queues.queue.arn().text())
    }

    /// Of the stack's table only the items under this leading key.
    pub(super) fn remember(&self, actions: &[&str], key: &str) -> Statement {
        let statement = Statement::allow(actions.iter().copied()).on(self.ground.table.arn().text());
        statement.when("ForAllValues:StringEquals", "dynamodb:LeadingKeys", key)
    }

    /// That what is sent to an encrypted topic may be encrypted is said by the key's own policy.
    /// <https://docs.aws.amazon.com/sns/latest/dg/sns-key-management.html>
    pub(super) fn tell(topic: &Out<TopicArn>) -> Statement {
        Statement::allow(["sns:Publish"]).on(topic.text())
    }

    /// Only as far as this service asks for it.
    pub(super) fn through(&self, service: &str, statement: Statement) -> Statement {
        let site = self.ground.site;
        let suffix = if site.partition == "aws-cn" { "amazonaws.com.cn" } else { "amazonaws.com" };
        statement.when("StringEquals", "kms:ViaService", format!("{service}.{}.{suffix}", site.region))
    }

    /// On each of these.
    pub(super) fn on_all(statement: Statement, resources: impl IntoIterator<Item = Text>) -> Statement {
        resources.into_iter().fold(statement, Statement::on)
    }
}
