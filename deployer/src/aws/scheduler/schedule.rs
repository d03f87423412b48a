//! A schedule that runs an ECS task, or sends a message to a queue or a function.
//! <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/tasks-scheduled-eventbridge-scheduler.html>,
//! <https://docs.aws.amazon.com/scheduler/latest/UserGuide/managing-targets-templated.html>
//!
//! A schedule takes no tags: it is the stack's because its group is, and its name is its logical id.

use aws_sdk_scheduler::operation::get_schedule::GetScheduleOutput as Sdk;
use aws_sdk_scheduler::types::{
    ActionAfterCompletion, AssignPublicIp, AwsVpcConfiguration, CapacityProviderStrategyItem, DeadLetterConfig,
    EcsParameters, FlexibleTimeWindow, FlexibleTimeWindowMode, LaunchType, NetworkConfiguration, PropagateTags,
    RetryPolicy, ScheduleState, Target,
};
use futures::future::try_join_all;
use serde::{Deserialize, Serialize};
use wharf_engine::{Class, Compare, Estimate, Field, Health, Identity, LogicalId, Order, Outputs, Rules, Value};

use super::group::ScheduleGroupName;
use super::group_name;
use crate::aws::call::{Aws, CallError};
use crate::aws::ec2::security_group::SecurityGroupId;
use crate::aws::ec2::subnet::SubnetId;
use crate::aws::ecs::cluster::ClusterArn;
use crate::aws::ecs::strategy::StrategyItem;
use crate::aws::ecs::task_definition::TaskDefinitionArn;
use crate::aws::iam::role::RoleArn;
use crate::aws::kind::{Changed, Found, Gone, Grant, Kind, Made, New, OF_THIS_STACK, Query};
use crate::aws::kms::key::KeyArn;
use crate::aws::out::{Handle, Out, Text};
use crate::aws::tags::Tags;
use crate::aws::units::Seconds;

/// A schedule that runs an ECS task, or sends a message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Schedule {
    /// The group it is in.
    pub group: Out<ScheduleGroupName>,
    /// When: `rate(1 hour)`, `cron(0 3 * * ? *)`, `at(2026-02-01T00:00:00)`.
    pub expression: String,
    /// The time zone of a `cron` or `at` expression.
    pub timezone: String,
    /// Whether it runs at all.
    pub enabled: bool,
    /// Whether it stays: no date begins or ends it, and AWS does not delete it after its last time.
    pub stays: bool,
    /// Up to how many minutes later it may run, so that not all runs at once.
    pub window_minutes: Option<i32>,
    /// What it is for.
    pub description: String,
    /// The role that starts the task or sends the message, trusted by `scheduler.amazonaws.com`.
    pub role: Out<RoleArn>,
    /// The message; none where a task is run.
    pub message: Option<Message>,
    /// The cluster that runs the task; none where a message is sent.
    pub cluster: Option<Out<ClusterArn>>,
    /// What runs: without a revision the newest one.
    pub task_definition: Option<Out<TaskDefinitionArn>>,
    /// How many tasks.
    pub tasks: i32,
    /// On which capacity.
    pub strategy: Vec<StrategyItem>,
    /// `EC2` or `FARGATE`, where no strategy is given.
    pub launch_type: Option<String>,
    /// The subnets of the task.
    pub subnets: Vec<Out<SubnetId>>,
    /// The security groups of the task.
    pub security_groups: Vec<Out<SecurityGroupId>>,
    /// Whether the task gets a public address.
    pub public_ip: bool,
    /// Whether one may look into the task.
    pub exec: bool,
    /// Whether the task gets the tags of its definition.
    pub propagate_tags: bool,
    /// How often a task that could not be started is tried again: up to 185 times.
    pub retries: i32,
    /// How long it is tried again: up to a day.
    pub max_age: Seconds,
    /// The ARN of the queue that gets what could not be started at all.
    pub dead_letter: Option<Text>,
    /// Encrypts the schedule; none: with a key of AWS's own.
    pub key: Option<Out<KeyArn>>,
}

/// What a schedule sends.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    /// The ARN of the queue or function that gets it.
    pub to: Text,
    /// The message itself.
    pub text: String,
}

impl Schedule {
    /// A schedule that sends a message, and tries again for an hour.
    #[must_use]
    pub fn sending(group: Out<ScheduleGroupName>, expression: &str, role: Out<RoleArn>, message: Message) -> Self {
        Self {
            group,
            expression: expression.to_owned(),
            timezone: "UTC".to_owned(),
            enabled: true,
            stays: true,
            window_minutes: None,
            description: String::new(),
            role,
            message: Some(message),
            cluster: None,
            task_definition: None,
            tasks: 1,
            strategy: Vec::new(),
            launch_type: None,
            subnets: Vec::new(),
            security_groups: Vec::new(),
            public_ip: false,
            exec: false,
            propagate_tags: false,
            retries: 3,
            max_age: Seconds(3600),
            dead_letter: None,
            key: None,
        }
    }
}

/// Marks the ARN of a schedule.
#[derive(Debug)]
pub enum ScheduleArn {}

impl Handle<Schedule> {
    /// The schedule's ARN.
    #[must_use]
    pub fn arn(&self) -> Out<ScheduleArn> {
        self.output("arn")
    }
}

impl Kind for Schedule {
    const RULES: &'static Rules = &Rules {
        kind: "scheduler.schedule",
        fields: &[
            Field::new("group").replaces(),
            Field::new("expression"),
            Field::new("timezone"),
            Field::new("enabled"),
            Field::new("stays"),
            Field::new("window_minutes"),
            Field::new("description"),
            Field::new("role"),
            Field::new("message"),
            Field::new("cluster"),
            Field::new("task_definition"),
            Field::new("tasks"),
            Field::new("strategy"),
            Field::new("launch_type"),
            Field::new("subnets").compared(Compare::Set),
            Field::new("security_groups").compared(Compare::Set),
            Field::new("public_ip"),
            Field::new("exec"),
            Field::new("propagate_tags"),
            Field::new("retries"),
            Field::new("max_age"),
            Field::new("dead_letter"),
            Field::new("key"),
        ],
        order: Order::DeleteFirst,
        protected: false,
        visible_within: std::time::Duration::from_secs(10),
        estimate: Estimate::seconds(5, 2, 1),
    };

    async fn find(aws: &Aws, query: &Query<Self>) -> Result<Vec<Found<Self>>, CallError> {
        let group = group_name(&aws.scope.stack);
        if let Some(id) = query.only_id() {
            return Ok(look(aws, &group, id.as_str()).await?.into_iter().collect());
        }
        let send = |token| aws.scheduler.list_schedules().group_name(&group).set_next_token(token).send();
        let page =
            |page: aws_sdk_scheduler::operation::list_schedules::ListSchedulesOutput| (page.schedules, page.next_token);
        let all = match aws.pages("scheduler:ListSchedules", &group, send, page).await {
            Err(error) if error.class == Class::Missing => Vec::new(),
            all => all?,
        };
        let found = all.iter().filter_map(|one| one.name()).map(|name| look(aws, &group, name));
        Ok(try_join_all(found).await?.into_iter().flatten().collect())
    }

    async fn create(&self, aws: &Aws, new: &New<'_>) -> Result<Made, CallError> {
        let name = new.id.as_str();
        let request = aws
            .scheduler
            .create_schedule()
            .name(name)
            .group_name(self.group.get()?)
            .schedule_expression(&self.expression)
            .schedule_expression_timezone(&self.timezone)
            .state(self.state())
            .description(&self.description)
            .flexible_time_window(self.window()?)
            .target(self.target()?)
            .set_kms_key_arn(self.key.as_ref().map(Out::get).transpose()?.map(str::to_owned))
            .client_token(new.token);
        let answer = aws.call("scheduler:CreateSchedule", name, || request.clone().send()).await?;
        Ok(Made { physical: name.to_owned(), outputs: Some(outputs(answer.schedule_arn())) })
    }

    /// All of it anew: what an update leaves out goes back to its default.
    async fn update(&self, aws: &Aws, now: &Found<Self>, _changed: &Changed) -> Result<Option<Outputs>, CallError> {
        let request = aws
            .scheduler
            .update_schedule()
            .name(&now.physical)
            .group_name(self.group.get()?)
            .schedule_expression(&self.expression)
            .schedule_expression_timezone(&self.timezone)
            .state(self.state())
            .description(&self.description)
            .flexible_time_window(self.window()?)
            .target(self.target()?)
            .set_kms_key_arn(self.key.as_ref().map(Out::get).transpose()?.map(str::to_owned));
        aws.call("scheduler:UpdateSchedule", &now.physical, || request.clone().send()).await?;
        Ok(Some(now.outputs.clone()))
    }

    async fn delete(aws: &Aws, now: &Found<Self>) -> Result<Gone, CallError> {
        let group = now.inputs.group.get()?;
        let send = || aws.scheduler.delete_schedule().name(&now.physical).group_name(group).send();
        aws.call("scheduler:DeleteSchedule", &now.physical, send).await?;
        Ok(Gone::Now)
    }

    /// Its place and name make it the stack's already.
    async fn adopt(_aws: &Aws, _now: &Found<Self>, _identity: &Tags) -> Result<(), CallError> {
        Ok(())
    }

    fn grants() -> Vec<Grant> {
        const SCHEDULES: &[&str] = &["arn:{partition}:scheduler:{region}:{account}:schedule/wharf-{stack}/*"];
        const WRITES: &[&str] = &["scheduler:CreateSchedule", "scheduler:UpdateSchedule", "scheduler:DeleteSchedule"];
        const ROLE: &[&str] = &["arn:{partition}:iam::{account}:role/wharf/{stack}/*"];
        const TO_SCHEDULER: &[(&str, &str, &str)] =
            &[("StringEquals", "iam:PassedToService", "scheduler.amazonaws.com")];
        vec![
            Grant::read(&["scheduler:ListSchedules", "scheduler:GetSchedule"]),
            // The tags of its group count as a schedule's.
            Grant::write(WRITES, SCHEDULES).when(OF_THIS_STACK),
            Grant::write(&["iam:PassRole"], ROLE).when(TO_SCHEDULER),
        ]
    }
}

impl Schedule {
    fn state(&self) -> ScheduleState {
        if self.enabled { ScheduleState::Enabled } else { ScheduleState::Disabled }
    }

    fn window(&self) -> Result<FlexibleTimeWindow, CallError> {
        let window = FlexibleTimeWindow::builder();
        let window = match self.window_minutes {
            None => window.mode(FlexibleTimeWindowMode::Off),
            Some(minutes) => window.mode(FlexibleTimeWindowMode::Flexible).maximum_window_in_minutes(minutes),
        };
        window.build().map_err(CallError::ours)
    }

    fn target(&self) -> Result<Target, CallError> {
        let retry = RetryPolicy::builder()
            .maximum_retry_attempts(self.retries)
            .maximum_event_age_in_seconds(self.max_age.0)
            .build();
        let letters = self.dead_letter.as_ref().map(Out::get).transpose()?;
        let target = Target::builder()
            .role_arn(self.role.get()?)
            .retry_policy(retry)
            .set_dead_letter_config(letters.map(|arn| DeadLetterConfig::builder().arn(arn).build()));
        let target = match (&self.message, &self.cluster, &self.task_definition) {
            (Some(message), None, None) => target.arn(message.to.get()?).input(&message.text),
            (None, Some(cluster), Some(definition)) => {
                target.arn(cluster.get()?).ecs_parameters(self.parameters(definition)?)
            }
            _ => {
                let what = "a schedule has nothing to do, or two things";
                return Err(CallError::invalid(what, "give it either a message, or a cluster and a task definition"));
            }
        };
        target.build().map_err(CallError::ours)
    }

    fn parameters(&self, definition: &Out<TaskDefinitionArn>) -> Result<EcsParameters, CallError> {
        let item = |item: &StrategyItem| {
            let sdk = CapacityProviderStrategyItem::builder().capacity_provider(item.provider.get()?);
            sdk.base(item.base).weight(item.weight).build().map_err(CallError::ours)
        };
        let strategy = self.strategy.iter().map(item).collect::<Result<Vec<_>, CallError>>()?;
        EcsParameters::builder()
            .task_definition_arn(definition.get()?)
            .task_count(self.tasks)
            .set_launch_type(self.launch_type.as_deref().map(LaunchType::from))
            .set_capacity_provider_strategy(Some(strategy).filter(|strategy| !strategy.is_empty()))
            .set_network_configuration(self.network()?)
            .enable_execute_command(self.exec)
            .set_propagate_tags(self.propagate_tags.then_some(PropagateTags::TaskDefinition))
            .build()
            .map_err(CallError::ours)
    }

    fn network(&self) -> Result<Option<NetworkConfiguration>, CallError> {
        if self.subnets.is_empty() {
            return Ok(None);
        }
        let subnets = self.subnets.iter().map(Out::get).map(|id| id.map(str::to_owned)).collect::<Result<_, _>>()?;
        let groups = self.security_groups.iter().map(Out::get).map(|id| id.map(str::to_owned));
        let public = if self.public_ip { AssignPublicIp::Enabled } else { AssignPublicIp::Disabled };
        let vpc = AwsVpcConfiguration::builder()
            .set_subnets(Some(subnets))
            .set_security_groups(Some(groups.collect::<Result<_, _>>()?))
            .assign_public_ip(public)
            .build()
            .map_err(CallError::ours)?;
        Ok(Some(NetworkConfiguration::builder().awsvpc_configuration(vpc).build()))
    }
}

/// The schedule of this name in the stack's group, if there is one.
async fn look(aws: &Aws, group: &str, name: &str) -> Result<Option<Found<Schedule>>, CallError> {
    let Ok(id) = LogicalId::new(name) else { return Ok(None) };
    let send = || aws.scheduler.get_schedule().name(name).group_name(group).send();
    match aws.call("scheduler:GetSchedule", name, send).await {
        Err(error) if error.class == Class::Missing => Ok(None),
        answer => Ok(Some(observe(id, group, &answer?))),
    }
}

fn observe(id: LogicalId, group: &str, schedule: &Sdk) -> Found<Schedule> {
    let target = schedule.target();
    let ecs = target.and_then(Target::ecs_parameters);
    let retry = target.and_then(Target::retry_policy);
    let vpc = ecs.and_then(|ecs| ecs.network_configuration()).and_then(|network| network.awsvpc_configuration());
    let item = |item: &CapacityProviderStrategyItem| StrategyItem {
        provider: Out::known(item.capacity_provider()),
        base: item.base(),
        weight: item.weight(),
    };
    let mut subnets: Vec<_> = vpc.into_iter().flat_map(|vpc| vpc.subnets()).map(Out::known).collect();
    let mut security_groups: Vec<_> = vpc.into_iter().flat_map(|vpc| vpc.security_groups()).map(Out::known).collect();
    subnets.sort();
    security_groups.sort();
    let inputs = Schedule {
        group: Out::known(group),
        expression: schedule.schedule_expression().unwrap_or_default().to_owned(),
        timezone: schedule.schedule_expression_timezone().unwrap_or("UTC").to_owned(),
        enabled: schedule.state() == Some(&ScheduleState::Enabled),
        stays: stays(schedule),
        window_minutes: schedule.flexible_time_window().and_then(|window| window.maximum_window_in_minutes()),
        description: schedule.description().unwrap_or_default().to_owned(),
        role: Out::known(target.map(Target::role_arn).unwrap_or_default()),
        message: target.filter(|_| ecs.is_none()).map(message),
        cluster: target.filter(|_| ecs.is_some()).map(Target::arn).map(Out::known),
        task_definition: ecs.map(EcsParameters::task_definition_arn).map(Out::known),
        tasks: ecs.and_then(EcsParameters::task_count).unwrap_or(1),
        strategy: ecs.into_iter().flat_map(EcsParameters::capacity_provider_strategy).map(item).collect(),
        launch_type: ecs.and_then(EcsParameters::launch_type).map(|launch| launch.as_str().to_owned()),
        subnets,
        security_groups,
        public_ip: vpc.and_then(|vpc| vpc.assign_public_ip()) == Some(&AssignPublicIp::Enabled),
        exec: ecs.and_then(EcsParameters::enable_execute_command).unwrap_or_default(),
        propagate_tags: ecs.and_then(EcsParameters::propagate_tags).is_some(),
        retries: retry.and_then(RetryPolicy::maximum_retry_attempts).unwrap_or(185),
        max_age: Seconds(retry.and_then(RetryPolicy::maximum_event_age_in_seconds).unwrap_or(86_400)),
        dead_letter: target.and_then(Target::dead_letter_config).and_then(|it| it.arn()).map(Text::known),
        key: schedule.kms_key_arn().map(Out::known),
    };
    Found {
        physical: id.as_str().to_owned(),
        id,
        identity: Identity::Ours(None),
        health: Health::Ready,
        inputs,
        outputs: outputs(schedule.arn().unwrap_or_default()),
        blockers: Default::default(),
    }
}

fn stays(schedule: &Sdk) -> bool {
    let deleted = schedule.action_after_completion() == Some(&ActionAfterCompletion::Delete);
    !deleted && schedule.start_date().is_none() && schedule.end_date().is_none()
}

fn message(target: &Target) -> Message {
    Message { to: Text::known(target.arn()), text: target.input().unwrap_or_default().to_owned() }
}

fn outputs(arn: &str) -> Outputs {
    Outputs::from([("arn".to_owned(), Value::text(arn))])
}
