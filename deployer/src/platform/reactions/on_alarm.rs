//! What tells people: of alarms, of what the other functions have to say, and of what AWS itself reports.

use std::collections::BTreeMap;

use serde_json::json;

use super::queue::Pattern;
use super::{Made, One, Queues, Settings};
use crate::aws::policy::Statement;
use crate::aws::sns::subscription::Subscription;
use crate::aws::units::Seconds;
use crate::config::Slack;
use crate::platform::{BuildError, Builder};

const TIMEOUT: Seconds = Seconds(60);

/// The leading key of what was told.
const NOTICE: &str = "notice";

/// As few as a mapping can be limited to. They share the channel by what stands in the table, and so keep to what Slack
/// takes; a limit of the function alone would have its mapping take messages that it cannot hand over.
/// <https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-scaling.html#events-sqs-max-concurrency>
const AT_ONCE: i32 = 2;

/// So often a message is taken that is not worked on: Slack takes one message a second, and whatever it refuses comes
/// back.
const RECEIVES: u32 = 50;

impl One<'_> {
    pub(super) fn on_alarm(&self, b: &mut Builder) -> Result<Made, BuildError> {
        let ground = self.ground;
        let signals = ground.signals.arn();
        let queues = self.queues(b, TIMEOUT, RECEIVES, Some(&signals))?;
        let mut env = BTreeMap::new();
        env.extend(ground.people.as_ref().map(|people| ("WHARF_ALERTS", people.text())));
        env.extend(self.slack().map(|slack| ("WHARF_SLACK", json!(slack).to_string().into())));
        let settings = Settings {
            description: "tells people what happens",
            timeout: TIMEOUT,
            memory: 256,
            concurrency: Some(AT_ONCE),
            invocations: None,
            env,
        };
        let function = self.make(b, settings, self.may_tell(&queues))?;
        self.mapping(b, &queues, &function, AT_ONCE)?;
        let subscription = Subscription {
            topic: signals,
            protocol: "sqs".to_owned(),
            // By its name, for a subscription is found by its endpoint.
            endpoint: self.arn("sqs", &self.name()).into(),
            raw: false,
            dead_letters: Some(queues.dead.arn()),
        };
        b.add_after(&self.id("subscription"), subscription, [queues.queue.logical_id().clone()])?;
        self.rule(b, "what AWS itself reports", self.reports(), &queues)?;
        Ok(Made { function, queues: Some(queues) })
    }

    fn slack(&self) -> Option<&Slack> {
        self.ground.config.alerts.as_ref()?.slack.as_ref()
    }

    /// Of the stack's own database and backups, and of the account as a whole.
    /// <https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/rds-cloud-watch-events.html>,
    /// <https://docs.aws.amazon.com/ebs/latest/userguide/monitor-dlm-cw-events.html>,
    /// <https://docs.aws.amazon.com/guardduty/latest/ug/guardduty_findings_eventbridge.html>,
    /// <https://docs.aws.amazon.com/health/latest/ug/aws-health-events-eventbridge-schema.html>
    fn reports(&self) -> Pattern {
        /// What is no daily routine, as RDS sorts its events.
        const CATEGORIES: [&str; 9] = [
            "availability",
            "deletion",
            "failover",
            "failure",
            "low storage",
            "maintenance",
            "notification",
            "recovery",
            "security patching",
        ];
        /// From here on GuardDuty calls a finding of medium severity.
        const MEDIUM: u8 = 4;
        let mut pattern = Pattern::new();
        if let Some(identifier) = &self.ground.database {
            pattern.or(json!({
                "source": ["aws.rds"], "detail-type": ["RDS DB Instance Event"],
                "detail": { "SourceIdentifier": [identifier], "EventCategories": CATEGORIES },
            }));
        }
        if let Some(volumes) = self.ground.volumes {
            let policy = pattern.hold(&volumes.id().text());
            pattern.or(json!({
                "source": ["aws.dlm"], "detail-type": ["DLM Policy State Change"], "detail": { "policy_id": [policy] },
            }));
        }
        pattern.or(json!({
            "source": ["aws.guardduty"], "detail-type": ["GuardDuty Finding"],
            "detail": { "severity": [{ "numeric": [">=", MEDIUM] }] },
        }));
        pattern.or(json!({ "source": ["aws.health"], "detail-type": ["AWS Health Event"] }));
        pattern
    }

    /// To Slack by its secret, and to people's topic; what was told already stands in the stack's table.
    fn may_tell(&self, queues: &Queues) -> Vec<Statement> {
        let mut statements = vec![
            Self::receive(queues),
            self.remember(&["dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:UpdateItem"], NOTICE),
        ];
        statements.extend(self.ground.people.iter().map(Self::tell));
        if let Some(slack) = self.slack() {
            let parameter = self.arn("ssm", &format!("parameter{}", slack.secret));
            statements.push(Statement::allow(["ssm:GetParameter"]).on(parameter.as_str()));
            // Whatever key it is encrypted with, of this account.
            let open = self.through("ssm", Statement::allow(["kms:Decrypt"]).on(self.arn("kms", "key/*")));
            statements.push(open.when("StringEquals", "kms:EncryptionContext:PARAMETER_ARN", parameter));
        }
        statements
    }
}
