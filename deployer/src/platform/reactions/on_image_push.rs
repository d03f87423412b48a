//! What rolls out the images that are pushed.

use std::collections::BTreeMap;

use serde_json::{Value as Json, json};

use super::queue::Pattern;
use super::{Made, One, Queues, Settings};
use crate::aws::Text;
use crate::aws::policy::Statement;
use crate::aws::units::Seconds;
use crate::platform::services::role_arns;
use crate::platform::{BuildError, Builder};

const TIMEOUT: Seconds = Seconds(60);

/// Rollouts of several services at once, each its own message.
const AT_ONCE: i32 = 5;

/// The leading key of the records of rollouts.
const ROLLOUT: &str = "rollout";

/// What the groups of the tasks begin with that run a command before a rollout.
const ONE_OFF: &str = "wharf-push:";

/// So often a message is taken that is not worked on: also one that comes while the service is changed by somebody else.
const RECEIVES: u32 = 10;

impl One<'_> {
    pub(super) fn on_image_push(&self, b: &mut Builder) -> Result<Made, BuildError> {
        let queues = self.queues(b, TIMEOUT, RECEIVES, None)?;
        let settings = Settings {
            description: "rolls out the images that are pushed",
            timeout: TIMEOUT,
            memory: 256,
            concurrency: Some(AT_ONCE),
            invocations: None,
            env: BTreeMap::from([("WHARF_CLUSTER", self.stack().into()), ("WHARF_SERVICES", self.services().into())]),
        };
        let function = self.make(b, settings, self.may_roll_out(&queues))?;
        self.mapping(b, &queues, &function, AT_ONCE)?;
        self.rule(b, "images that are pushed, and what becomes of their rollouts", self.pushes(), &queues)?;
        Ok(Made { function, queues: Some(queues) })
    }

    fn stack(&self) -> &str {
        self.ground.config.stack.name.as_str()
    }

    /// The services and periodic tasks that images are rolled out to.
    fn services(&self) -> String {
        let config = self.ground.config;
        let services = config.services.iter().map(|(name, service)| {
            let mut about = json!({
                "service": name, "repository": service.repository_or(name), "tags": service.images.tags,
                "least": service.tasks.min,
            });
            if service.is_periodic() {
                about["periodic"] = json!(true);
            }
            if !service.before_deploy.is_empty() {
                about["before_deploy"] = json!(service.before_deploy);
                about["timeout"] = json!(u32::from(service.before_deploy_minutes) * 60);
            }
            about
        });
        services.collect::<Json>().to_string()
    }

    /// Pushes to the stack's own repositories; in its own cluster, tasks that ended and what became of deployments.
    /// <https://docs.aws.amazon.com/AmazonECR/latest/userguide/ecr-eventbridge.html>,
    /// <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/ecs_cwe_events.html>
    fn pushes(&self) -> Pattern {
        let stack = self.stack();
        let repositories: Vec<String> =
            self.ground.repositories.keys().map(|repository| format!("{stack}/{repository}")).collect();
        let mut pattern = Pattern::new();
        pattern.or(json!({
            "source": ["aws.ecr"], "detail-type": ["ECR Image Action"],
            "detail": { "action-type": ["PUSH"], "result": ["SUCCESS"], "repository-name": repositories },
        }));
        pattern.or(json!({
            "source": ["aws.ecs"], "detail-type": ["ECS Task State Change"],
            "detail": {
                "clusterArn": [self.arn("ecs", &format!("cluster/{stack}"))], "lastStatus": ["STOPPED"],
                "group": [{ "prefix": "service:" }, { "prefix": ONE_OFF }],
            },
        }));
        pattern.or(json!({
            "source": ["aws.ecs"], "detail-type": ["ECS Deployment State Change"],
            "resources": [{ "prefix": self.arn("ecs", &format!("service/{stack}/")) }],
        }));
        pattern
    }

    /// Rollouts of the stack's own services and periodic tasks, and nothing else of ECS. A schedule names the family of
    /// its task, so that it is not touched.
    /// <https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonelasticcontainerservice.html>
    fn may_roll_out(&self, queues: &Queues) -> Vec<Statement> {
        let (ground, stack) = (self.ground, self.stack());
        let of = |resource: &str| self.arn("ecs", &format!("{resource}/{stack}/*"));
        let cluster = self.arn("ecs", &format!("cluster/{stack}"));
        let definitions = self.arn("ecs", &format!("task-definition/{stack}-*:*"));
        let in_cluster = |statement: Statement| statement.when("ArnEquals", "ecs:cluster", cluster.as_str());
        let repositories = ground.repositories.values().map(|repository| repository.arn().text());
        let services = ground.config.services.keys();
        let roles = services.flat_map(|service| role_arns(ground.site, stack, service)).map(Text::from);
        let logs = ground.logs.values().map(|log| Text::join([log.arn().text(), ":*".into()]));
        let service = ["ecs:DescribeServices", "ecs:ListServiceDeployments", "ecs:UpdateService"];
        let history = ["ecs:DescribeServiceDeployments", "ecs:DescribeServiceRevisions"];
        let mut statements = vec![
            Self::receive(queues),
            self.remember(&["dynamodb:GetItem", "dynamodb:PutItem"], ROLLOUT),
            Self::on_all(Statement::allow(["ecr:BatchGetImage", "ecr:DescribeImages"]), repositories),
            in_cluster(Statement::allow(service).on(of("service"))),
            in_cluster(Statement::allow(history).on(of("service-deployment")).on(of("service-revision"))),
            // AWS offers nothing narrower.
            Statement::allow(["ecs:DescribeTaskDefinition"]).on("*"),
            Statement::allow(["ecs:RegisterTaskDefinition"]).on(definitions.as_str()),
            // Nor here.
            Statement::allow(["application-autoscaling:DescribeScalableTargets"]).on("*"),
            Statement::allow(["application-autoscaling:RegisterScalableTarget"])
                .on(self.arn("application-autoscaling", "scalable-target/*"))
                .when("StringEquals", "application-autoscaling:service-namespace", "ecs")
                .when("StringEquals", "aws:ResourceTag/wharf:stack", stack),
            in_cluster(Statement::allow(["ecs:RunTask"]).on(definitions.as_str())),
            in_cluster(Statement::allow(["ecs:DescribeTasks", "ecs:StopTask"]).on(of("task"))),
            in_cluster(Statement::allow(["ecs:ListTasks"]).on("*")),
            Statement::allow(["ecs:TagResource"])
                .on(definitions.as_str())
                .on(of("task"))
                .when("StringEquals", "ecs:CreateAction", "RegisterTaskDefinition")
                .when("StringEquals", "ecs:CreateAction", "RunTask"),
            Self::on_all(Statement::allow(["iam:PassRole"]), roles).when(
                "StringEquals",
                "iam:PassedToService",
                "ecs-tasks.amazonaws.com",
            ),
        ];
        // Of periodic tasks nobody waits for the end of a rollout, and reads what they wrote.
        if !ground.logs.is_empty() {
            statements.push(Self::on_all(Statement::allow(["logs:GetLogEvents"]), logs));
        }
        statements.push(Self::tell(&ground.signals.arn()));
        statements
    }
}
